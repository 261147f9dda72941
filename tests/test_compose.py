import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.matching.settings import MatchingSettings
from services.notify.settings import NotifySettings
from services.registration.settings import RegistrationSettings
from shared.settings import SECRET_LENGTH_MIN, ServiceSettings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text()
SETTINGS: dict[str, type[ServiceSettings]] = {
    "registration": RegistrationSettings,
    "matching": MatchingSettings,
    "notify": NotifySettings,
}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<operator>:?[-?])(?P<rest>[^}]*))?\}")
SECRET = re.compile("PASSWORD|SECRET")

services = pytest.mark.parametrize("service", sorted(SETTINGS))


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXT)["services"]
    return found


def given(service: str) -> dict[str, str]:
    """What Compose hands to a service's settings, by field, when every variable is `x`."""

    def fill(variable: re.Match[str]) -> str:
        is_default = (variable["operator"] or "").endswith("-")
        return variable["rest"] if is_default else "x" * SECRET_LENGTH_MIN

    environment = compose()[service]["environment"]
    return {
        name.removeprefix("TRADEWIND_").lower(): VARIABLE.sub(fill, str(value))
        for name, value in environment.items()
        if name.startswith("TRADEWIND_")
    }


@services
def test_every_variable_is_a_setting_and_every_required_setting_is_there(service: str) -> None:
    fields = SETTINGS[service].model_fields
    required = {name for name, field in fields.items() if field.is_required()}

    assert given(service).keys() - fields.keys() == set()
    assert required - given(service).keys() == set()


@services
def test_no_setting_is_left_pointing_at_this_machine(service: str) -> None:
    local = {
        name
        for name, field in SETTINGS[service].model_fields.items()
        if re.search(r"127\.0\.0\.1|localhost", str(field.default))
    }

    assert local - given(service).keys() == set()
    assert not [v for v in given(service).values() if re.search(r"127\.0\.0\.1|localhost", v)]


@services
def test_the_settings_accept_what_they_are_given(service: str) -> None:
    settings = SETTINGS[service].model_validate(given(service))

    assert settings.mode == "production"
    assert str(settings.database_url).endswith(f"@postgres:5432/{service}")


def test_no_secret_has_a_default() -> None:
    variables = [v for v in VARIABLE.finditer(TEXT) if SECRET.search(v["name"])]
    written = [
        (name, str(value))
        for service in compose().values()
        for name, value in service.get("environment", {}).items()
        if SECRET.search(name) and not VARIABLE.fullmatch(str(value))
    ]

    assert {v["name"] for v in variables if v["operator"] == ":?"} >= {
        "TRADEWIND_SECRET_KEY",
        "POSTGRES_PASSWORD",
        "REGISTRATION_DATABASE_PASSWORD",
        "MATCHING_DATABASE_PASSWORD",
        "NOTIFY_DATABASE_PASSWORD",
    }
    assert [v[0] for v in variables if (v["operator"] or "").endswith("-") and v["rest"]] == []
    assert written == []


def test_the_example_of_an_environment_names_what_compose_reads_and_no_value_that_is_required() -> (
    None
):
    example = (ROOT / ".env.example").read_text()
    lines = re.findall(r"^(# )?([A-Z][A-Z_]*)=(.*)$", example, re.MULTILINE)
    required = {v["name"] for v in VARIABLE.finditer(TEXT) if v["operator"] == ":?"}

    assert {name for _, name, _ in lines} == {v["name"] for v in VARIABLE.finditer(TEXT)}
    assert {name for comment, name, value in lines if not comment and not value} == required


def test_only_the_gateway_can_be_reached_and_by_default_from_this_machine_alone() -> None:
    published = {name: s["ports"] for name, s in compose().items() if "ports" in s}

    assert published == {"gateway": ["${GATEWAY_BIND:-127.0.0.1}:${GATEWAY_PORT:-8000}:8080"]}
    assert [name for name, s in compose().items() if "network_mode" in s] == []
