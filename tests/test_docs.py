import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.contracts.configuration import SETTINGS, variable
from services.__main__ import TOKEN_VARIABLE
from services.verifying.sources import DATABASES_VARIABLE

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*/*.md")])
CONFIGURED = (ROOT / ".env.example", ROOT / "docker-compose.yml")
VARIABLES = {
    TOKEN_VARIABLE,
    DATABASES_VARIABLE,
    *(variable(settings, name) for settings in SETTINGS.values() for name in settings.model_fields),
}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def test_the_configuration_page_has_every_variable_and_no_other() -> None:
    listed = variables(ROOT / "docs" / "configuration.md")

    assert listed == VARIABLES


@pytest.mark.parametrize("path", [*PAGES, *CONFIGURED], ids=lambda path: str(path.name))
def test_no_page_names_a_variable_that_no_service_reads(path: Path) -> None:
    assert variables(path) - VARIABLES == set()


def test_every_setting_says_what_it_is_for() -> None:
    for settings in SETTINGS.values():
        for name, field in settings.model_fields.items():
            assert re.fullmatch(r"[A-Z`].*\.", field.description or ""), name


@every_page
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@every_page
def test_every_command_that_a_page_gives_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(
        re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    )

    made = set(re.findall(r"(?:`|^ {4})make ([a-z0-9-]+)", text, re.M))
    modules = set(re.findall(r"python -m ([a-z0-9_.]+[a-z0-9_])", text))
    scripts = set(re.findall(r"(?:`|^ {4})(scripts/[a-z-]+)", text, re.M))
    assert made - targets == set()
    assert {module for module in modules if not is_runnable(module)} == set()
    assert {script for script in scripts if not (ROOT / script).exists()} == set()


def test_every_path_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    top = {path.name for path in ROOT.iterdir()}

    named = {name for name in re.findall(r"`([\w./-]+)`", text) if name.split("/")[0] in top}
    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_decision_has_the_four_parts_in_a_page() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    for number, page in enumerate(decisions, start=1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.+)$", text, re.M) == [
            "Context",
            "Decision",
            "Consequences",
            "Alternatives",
        ]
        assert len(text.split()) < 500


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

    assert re.findall(r"^## (.+)$", text, re.M)[0] == "[Unreleased]"
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= kinds


def variables(path: Path) -> set[str]:
    """Find the environment variables of services that a file names."""
    return set(re.findall(r"TRADEWIND_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))


def is_runnable(module: str) -> bool:
    """Say whether `python -m` finds the module, which is a package with `__main__` or a file."""
    found = find_spec(module)
    if found is None:
        return False
    return not found.submodule_search_locations or find_spec(f"{module}.__main__") is not None
