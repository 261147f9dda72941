from pathlib import Path

import pytest

from scripts.contracts.files import DOCS, REMAKE, committed, generated


@pytest.fixture(scope="module")
def expected() -> dict[Path, str]:
    return generated()


def test_no_generated_file_has_drifted_from_the_code(expected: dict[Path, str]) -> None:
    drifted = [
        str(path.relative_to(DOCS))
        for path, text in expected.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]

    assert drifted == [], f"drifted: run `{REMAKE}`"


def test_no_file_is_left_that_nothing_generates(expected: dict[Path, str]) -> None:
    assert committed() - expected.keys() == set()


def test_the_same_code_generates_the_same_bytes(expected: dict[Path, str]) -> None:
    assert generated() == expected
