"""The page that lists every setting, written from the settings classes."""

import json
import typing
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import AnyUrl, SecretStr
from pydantic.fields import FieldInfo

from services.__main__ import TOKEN_VARIABLE
from services.matching.settings import MatchingSettings
from services.notify.settings import NotifySettings
from services.registration.settings import RegistrationSettings
from services.verifying.sources import DATABASES_VARIABLE
from shared.settings import ServiceSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "registration": RegistrationSettings,
    "matching": MatchingSettings,
    "notify": NotifySettings,
}
APART = (
    "",
    "## The embedded shape",
    "",
    "`make run` starts its own servers and keeps their data in `./var`, unless these name others.",
    "`python -m services --help` lists its flags, for example `make run ARGS='--port 8001'`.",
    "",
    "| Variable | Meaning |",
    "| --- | --- |",
    "| `DATABASE_URL` | A PostgreSQL and a user of it who may create databases. |",
    "| `REDIS_URL` | A Redis for the live state. |",
    f"| `{TOKEN_VARIABLE}` | A session token of mission staff, for a rehearsal of a running "
    "installation (`--url`). |",
    "",
    "## Verifying",
    "",
    "`python -m services.verifying` takes Redis from the same variable as notify, and of its own:",
    "",
    "| Variable | Meaning |",
    "| --- | --- |",
    f"| `{DATABASES_VARIABLE}` | JSON object: a service's name to its database's address. |",
)


def page() -> str:
    """Write the whole page."""
    lines = [
        "# Configuration",
        "",
        "Generated from the code: `make contracts`. Each service, run by itself as in",
        "`python -m services.registration`, reads these environment variables once, and does not",
        "start when one of them is missing or wrong. The embedded shape needs none of them; see",
        "below.",
        "",
        "## Every service",
        "",
        *_table(ServiceSettings, ServiceSettings.model_fields),
    ]
    for service, settings in SETTINGS.items():
        own = settings.model_fields.keys() - ServiceSettings.model_fields.keys()
        if own:
            names = [name for name in settings.model_fields if name in own]
            lines += ["", f"## {service.capitalize()} as well", "", *_table(settings, names)]
    return "\n".join([*lines, *APART]) + "\n"


def variable(settings: type[ServiceSettings], name: str) -> str:
    """Name a setting's environment variable."""
    return f"{settings.model_config['env_prefix']}{name}".upper()


def _table(settings: type[ServiceSettings], names: Any) -> Sequence[str]:
    rows = [
        f"| `{variable(settings, name)}` | {_default(field)} | {_meaning(field)} |"
        for name in names
        for field in [settings.model_fields[name]]
    ]
    return ["| Variable | Default | Meaning |", "| --- | --- | --- |", *rows]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default in ("", {}):
        return "empty"
    text = default if isinstance(default, str | AnyUrl) else json.dumps(default)
    return f"`{text}`"


def _meaning(field: FieldInfo) -> str:
    choices = typing.get_args(field.annotation)
    given = typing.get_origin(field.annotation) is Literal
    listed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if given else ""
    return f"{field.description}{listed}"
