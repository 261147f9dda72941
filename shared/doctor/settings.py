"""Settings: whether they are valid, and fit for production."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr, ValidationError

from shared.doctor.findings import Finding, address, ok, warning, wrong
from shared.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)

PREFIX = str(ServiceSettings.model_config["env_prefix"])
NETWORK_BITS_MIN = 8
"""A wider network is nobody's own."""
LETTERS_MIN = 10
"""Random text of 32 letters, even in hexadecimal, practically always has more different ones."""
NOT_JSON = re.compile(r'error parsing value for field "(\w+)"')
"""What pydantic-settings says of a field it cannot read; what stands there is not repeated."""
MADE_UP = re.compile(
    r"secret|password|example|sample|change|default|test|your|tradewind|12345|abcdef|qwert",
    re.IGNORECASE,
)


def variable(field: str) -> str:
    """Give the environment variable of a setting."""
    return f"{PREFIX}{field.upper()}"


def read(settings_type: type[S]) -> tuple[S | None, list[Finding]]:
    """Read the settings from the environment; without them there are findings alone."""
    advice = "The service does not start like this. See docs/configuration.md."
    try:
        settings = settings_type.model_validate({})
    except ValidationError as error:
        return None, [
            wrong("settings", _sentence(fault["loc"], fault["type"], fault["msg"]), advice)
            for fault in error.errors(include_input=False, include_url=False)
        ]
    return settings, list(_judged(settings))


def secrets_of(settings: ServiceSettings | None) -> Collection[str]:
    """Gather what must not be shown: secret settings, and the passwords in addresses.

    Where settings cannot be read, nothing of them is shown anyway.
    """
    if settings is None:
        return ()
    found = set()
    for value in _values(settings):
        if isinstance(value, SecretStr):
            found.add(value.get_secret_value())
        else:
            password = re.search(r"://[^/@\s]*?:([^@\s]+)@", str(value))
            found |= {password[1], unquote(password[1])} if password else set()
    return found - {""}


def _values(settings: ServiceSettings) -> Iterator[object]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        yield from value.values() if isinstance(value, Mapping) else [value]


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    said = message.removeprefix("Value error, ").rstrip(".")
    if unread := NOT_JSON.match(said):
        return f"{variable(unread[1])} is not JSON"
    if not place:
        # A rule over several settings, which names them itself.
        return said
    name = variable(str(place[0]))
    return f"{name} is not set" if kind == "missing" else f"{name}: {said}"


def _judged(settings: ServiceSettings) -> Iterator[Finding]:
    checks: tuple[Callable[[ServiceSettings], Finding], ...] = (
        _mode,
        _secret,
        _public_url,
        _gateways,
        _log,
    )
    for check in checks:
        yield check(settings)


def _mode(settings: ServiceSettings) -> Finding:
    about = "settings: mode"
    if settings.mode == "production":
        return ok(about, "production")
    return warning(
        about,
        settings.mode,
        "A weak secret is not refused in this mode. Set TRADEWIND_MODE=production.",
    )


def _secret(settings: ServiceSettings) -> Finding:
    about, secret = "settings: secret", settings.secret_key.get_secret_value()
    made_up = MADE_UP.search(secret)
    if made_up or len(set(secret)) < LETTERS_MIN:
        return wrong(
            about,
            "looks like a sample" if made_up else "has few different letters",
            "Whoever guesses it signs in as anybody. Give all three services the same new "
            "TRADEWIND_SECRET_KEY, from: openssl rand -hex 32. Everybody signs in again then.",
        )
    return ok(about, f"{len(secret)} letters")


def _public_url(settings: ServiceSettings) -> Finding:
    about, shown = "settings: public address", address(settings.public_url)
    parts = urlsplit(settings.public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return wrong(
            about,
            shown or "empty",
            "Links in mails lead nowhere. Set TRADEWIND_PUBLIC_URL to what users type, "
            "as in https://mission.example.",
        )
    if is_this_machine(parts.hostname):
        return warning(
            about,
            shown,
            "Links in mails lead to the reader's own machine. Set TRADEWIND_PUBLIC_URL to what "
            "users type, unless this is a trial.",
        )
    if parts.scheme == "http":
        return warning(
            about,
            shown,
            "Sign-in links and cookies can be read on the way, and phones cannot scan badges. End "
            "TLS before the gateway, and set TRADEWIND_PUBLIC_URL to the https address.",
        )
    return ok(about, shown)


def is_this_machine(host: str) -> bool:
    """Say whether an address leads back to the machine that asks."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _gateways(settings: ServiceSettings) -> Finding:
    about, shown = "settings: gateways", settings.gateways or "none"
    networks = [ip_network(part) for part in settings.gateways.split(",") if part]
    if any(network.prefixlen < NETWORK_BITS_MIN for network in networks):
        return warning(
            about,
            shown,
            "Strangers in so wide a network may say that they are somebody else. Name the "
            "gateway's own network in TRADEWIND_GATEWAYS.",
        )
    if not is_this_machine(settings.host) and all(one.is_loopback for one in networks):
        return warning(
            about,
            shown,
            f"This service listens on {settings.host}: all who come through a gateway on another "
            "machine share one client's limits. Name its address in TRADEWIND_GATEWAYS.",
        )
    return ok(about, shown)


def _log(settings: ServiceSettings) -> Finding:
    about, shown = "settings: log", address(settings.log_url)
    scheme, _, place = settings.log_url.partition(":")
    servers = place.strip("/").partition("/")[0]
    is_whole = all(re.fullmatch(r"[^\s:@]+:\d+", one) for one in servers.split(","))
    if scheme == "postgresql" or (scheme == "kafka" and is_whole):
        return ok(about, shown)
    return wrong(
        about,
        shown,
        "Events go nowhere. Set TRADEWIND_LOG_URL to kafka://host:port, with commas between "
        "several, or to postgresql:.",
    )
