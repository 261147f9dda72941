"""The colours of all pages, as WCAG 2.2 measures them (1.4.3 and 1.4.11)."""

import re
from itertools import product

import pytest

from shared.web.pages import STATIC

TEXT_LEAST = 4.5
SIGN_LEAST = 3.0
STYLES = (STATIC / "styles.css").read_text(encoding="utf-8")
ON_PAPER = ("ink", "quiet", "brand", "brand-dark", "bad")


def colour(name: str) -> tuple[float, ...]:
    found = re.search(rf"--{name}: #([0-9a-f]{{6}}|[0-9a-f]{{3}});", STYLES)
    assert found, name
    digits = found[1] if len(found[1]) > 3 else "".join(2 * digit for digit in found[1])
    return tuple(int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4))


def luminance(name: str) -> float:
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour(name)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *product(ON_PAPER, ("paper", "ground")),
        *((one, f"{one}-ground") for one in ("good", "warn", "bad", "info")),
        ("quiet", "off-ground"),
        ("ink", "info-ground"),
        ("ink", "bad-ground"),
        ("paper", "brand"),
        ("paper", "brand-dark"),
        ("paper", "bad"),
    ],
)
def test_every_text_is_read_on_its_ground(text: str, ground: str) -> None:
    assert contrast(text, ground) >= TEXT_LEAST


@pytest.mark.parametrize("ground", ["paper", "ground", "info-ground", "warn-ground", "bad-ground"])
def test_where_the_keyboard_is_is_seen(ground: str) -> None:
    assert contrast("focus", ground) >= SIGN_LEAST
