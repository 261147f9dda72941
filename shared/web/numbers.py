"""Numbers as they are typed into forms."""

DIGITS_MAX = 9


def number(text: str) -> int | str | None:
    """Give what was typed as a number; None for nothing.

    What is no number stays, to be refused where it stands.
    """
    text = text.strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if is_number else text or None
