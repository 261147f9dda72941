"""What columns are called, in both languages, and which field of a registration each fills."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_TABLE: Mapping[str, Any] = tomllib.loads(
    (Path(__file__).parent / "synonyms.toml").read_text(encoding="utf-8")
)
FIELDS: tuple[str, ...] = tuple(_TABLE["fields"])

_ASIDE = re.compile(r"[（(\[【].*?[)）\]】]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_LETTERS = re.compile("[a-z0-9]+")
_NUMBERED = re.compile(r"^\s*\d+\s*[.、．)]\s*")


@lru_cache(maxsize=4096)
def plain(header: str) -> str:
    """Write a header in the one form it is compared and remembered in."""
    text = unicodedata.normalize("NFKC", _ASIDE.sub(" ", header)) or header
    text = _NUMBERED.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return " ".join(re.findall(r"\w+", text.replace("_", " ").replace(".", " ")))


def _by_name(kinds: Mapping[str, Mapping[str, list[str]]]) -> dict[str, str]:
    return {
        plain(name): kind
        for kind, languages in kinds.items()
        for names in languages.values()
        for name in names
    }


_FIELDS = _by_name(_TABLE["fields"])
_OTHERS = _by_name(_TABLE["others"])


def field_of(header: str) -> str | None:
    """Recognise the field of a header, also one in two languages at once: `姓名 / Name`."""
    return _found(header, _FIELDS)


def kept_out(header: str) -> str | None:
    """Say why a column has no place here: `not_kept`, or `never_read` for what is sensitive."""
    return None if field_of(header) else _found(header, _OTHERS)


def _found(header: str, names: Mapping[str, str]) -> str | None:
    text = plain(header)
    candidates = (
        text,
        text.replace(" ", ""),
        "".join(_HAN.findall(text)),
        " ".join(_LETTERS.findall(text)),
    )
    return next((names[one] for one in candidates if one in names), None)
