"""Settings that are missing, wrong or second-rate, and secrets that are never shown."""

import secrets

import pytest

from shared.doctor.findings import Finding, address
from shared.doctor.report import without
from shared.doctor.settings import read, secrets_of
from shared.settings import ServiceSettings

GOOD = {
    "TRADEWIND_MODE": "production",
    "TRADEWIND_DATABASE_URL": "postgresql://registration:hidden-word@db.example/registration",
    "TRADEWIND_LOG_URL": "kafka://kafka:9092",
    "TRADEWIND_SECRET_KEY": "0f3c" + secrets.token_hex(30),
    "TRADEWIND_PUBLIC_URL": "https://mission.example",
    "TRADEWIND_GATEWAYS": "172.16.0.0/12",
}


def findings(
    monkeypatch: pytest.MonkeyPatch, **given: str | None
) -> tuple[ServiceSettings | None, list[Finding]]:
    for name, value in {**GOOD, **{f"TRADEWIND_{k.upper()}": v for k, v in given.items()}}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return read(ServiceSettings)


def test_good_settings_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, found = findings(monkeypatch)

    assert settings is not None
    assert [finding for finding in found if finding.level != "ok"] == []


@pytest.mark.parametrize(
    ("name", "value", "level", "about"),
    [
        ("secret_key", "change-me-before-you-deploy-this-please", "wrong", "settings: secret"),
        ("secret_key", "only for tests, and long enough for them", "wrong", "settings: secret"),
        ("secret_key", "ab" * 32, "wrong", "settings: secret"),
        ("mode", "development", "warning", "settings: mode"),
        ("public_url", "http://mission.example", "warning", "settings: public address"),
        ("public_url", "http://127.0.0.1:8000", "warning", "settings: public address"),
        ("public_url", "mission.example", "wrong", "settings: public address"),
        ("gateways", "0.0.0.0/2", "warning", "settings: gateways"),
        ("log_url", "kafak://kafka:9092", "wrong", "settings: log"),
        ("log_url", "kafka://kafka", "wrong", "settings: log"),
    ],
)
def test_what_is_second_rate_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, level: str, about: str
) -> None:
    _, found = findings(monkeypatch, **{name: value})

    assert [(f.about, f.level) for f in found if f.level != "ok"] == [(about, level)]


def test_a_gateway_elsewhere_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = findings(monkeypatch, host="192.0.2.7", gateways="127.0.0.1")

    assert [f.about for f in found if f.level == "warning"] == ["settings: gateways"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("secret_key", None, "TRADEWIND_SECRET_KEY is not set"),
        ("secret_key", "short-and-secret", "TRADEWIND_SECRET_KEY needs at least 32 characters"),
        ("port", "eighty", "TRADEWIND_PORT: Input should be a valid integer"),
        ("mode", "prod", "TRADEWIND_MODE: Input should be 'development' or 'production'"),
        ("database_url", "mysql://me:hidden-word@db/x", "TRADEWIND_DATABASE_URL: "),
        ("log_databases", "{hidden-word", "TRADEWIND_LOG_DATABASES is not JSON"),
        ("gateways", "0.0.0.0/0", "TRADEWIND_GATEWAYS: Name the gateway's own network"),
    ],
)
def test_what_is_wrong_is_a_sentence_that_names_the_variable_and_not_what_stands_there(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, words: str
) -> None:
    settings, found = findings(monkeypatch, **{name: value})

    assert settings is None
    assert [finding.level for finding in found] == ["wrong"]
    assert found[0].seen.startswith(words)
    assert "hidden-word" not in f"{found}"
    assert "short-and-secret" not in f"{found}"


def test_a_secret_is_struck_out_whoever_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, _ = findings(monkeypatch, log_user="me", log_password="of the log")
    said = "hidden-word, of the log, and nothing else"

    shown = without(secrets_of(settings), Finding("one", "wrong", said)).seen

    assert shown == "***, ***, and nothing else"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:p@ss/word@db:5432/mine?password=x", "postgresql://db:5432/mine"),
        ("postgresql://me:secret?word@db:5432/mine", "postgresql://…"),
        ("postgresql://me:secret@db:5432/mine?password=x", "postgresql://db:5432/mine"),
        ("redis://:secret@redis:6379/0", "redis://redis:6379/0"),
        ("https://mission.example", "https://mission.example"),
        ("kafka://one:9092,two:9092/prefix", "kafka://one:9092,two:9092/prefix"),
        ("postgresql:", "postgresql:"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    assert address(url) == shown
