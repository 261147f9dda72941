"""Redis, which holds the live state."""

from functools import partial

from redis.exceptions import AuthenticationError, RedisError

from shared.doctor.examining import Check, said
from shared.doctor.findings import Finding, address, ok, warning, wrong
from shared.redis import OUTAGE, command_client

MAJOR_MIN = 7
FULL = 0.8
"""So much of the memory in use is a warning."""
MIB = 1 << 20

TROUBLE = "See Redis's own log, and TRADEWIND_REDIS_URL."


def check(url: str) -> Check:
    """Make the check of Redis."""
    return Check("Redis", partial(_look, url), TROUBLE)


async def _look(url: str) -> list[Finding]:
    shown = address(url)
    try:
        async with command_client(url) as redis:
            facts = await redis.info("server", "memory", "replication")
    except AuthenticationError:
        advice = "User and password stand in TRADEWIND_REDIS_URL."
        return [wrong("Redis", f"{shown} refuses the user or its password", advice)]
    except OUTAGE:
        return [
            wrong(
                "Redis",
                f"{shown} does not answer",
                "Nobody sees changes as they happen; the rest goes on. Start it, let this machine "
                "through its firewall, or set TRADEWIND_REDIS_URL right.",
            )
        ]
    except RedisError as error:
        return [wrong("Redis", f"{shown}: {said(error)}", TROUBLE)]
    return [_version(shown, facts), _policy(facts), _memory(facts)]


def _version(shown: str, facts: dict[str, object]) -> Finding:
    # Valkey gives both: its own, and that of the Redis whose commands it knows.
    version = str(facts["redis_version"])
    name = f"Valkey {own}" if (own := facts.get("valkey_version")) else f"Redis {version}"
    seen = f"{name} at {shown}"
    if int(version.partition(".")[0]) < MAJOR_MIN:
        return wrong("Redis", seen, f"It is too old: use Redis {MAJOR_MIN} or newer, or Valkey.")
    if facts.get("role") != "master":
        advice = "Nothing can be written here: set TRADEWIND_REDIS_URL to the primary."
        return wrong("Redis", f"{seen}, a replica", advice)
    return ok("Redis", seen)


def _policy(facts: dict[str, object]) -> Finding:
    about, policy = "Redis: full memory", str(facts["maxmemory_policy"])
    if policy == "noeviction":
        return ok(about, policy)
    return wrong(
        about,
        f"maxmemory-policy is {policy}",
        "When its memory is full it drops meetings, and pages show less than there is. Set "
        "maxmemory-policy to noeviction, in its configuration too.",
    )


def _memory(facts: dict[str, object]) -> Finding:
    about = "Redis: memory"
    used, most = int(str(facts["used_memory"])), int(str(facts["maxmemory"]))
    if not most:
        return ok(about, f"{used // MIB} MiB in use, no limit")
    seen = f"{used // MIB} of {most // MIB} MiB in use"
    if used > FULL * most:
        advice = "When it is full, changes reach pages no more. Raise its maxmemory."
        return warning(about, seen, advice)
    return ok(about, seen)
