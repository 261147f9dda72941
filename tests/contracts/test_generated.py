from scripts.contracts.files import DOCS, REMAKE, committed, generated


def test_no_generated_file_has_drifted_from_the_code() -> None:
    expected = generated()

    drifted = [
        str(path.relative_to(DOCS))
        for path, text in expected.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]

    assert drifted == [], f"drifted: run `{REMAKE}`"


def test_no_file_is_left_that_nothing_generates() -> None:
    assert committed() - generated().keys() == set()


def test_the_same_code_generates_the_same_bytes() -> None:
    assert generated() == generated()
