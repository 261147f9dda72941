"""Words: every text of the pages, in English and Simplified Chinese, by key."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

LANGUAGES = ("en", "zh")
Words = Mapping[str, Mapping[str, str]]


def load(files: Sequence[Path]) -> Words:
    """Read `words.toml` files: a table a key, `en` and `zh` in it. Raises `ValueError` on a gap."""
    words: dict[str, Mapping[str, str]] = {}
    for file in files:
        for key, texts in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if set(texts) != set(LANGUAGES) or not all(texts.values()):
                raise ValueError(f"{file.name}: `{key}` needs a text in en and in zh.")
            if key in words:
                raise ValueError(f"{file.name}: `{key}` is there twice.")
            words[key] = texts
    return words


def preferred(accept_language: str) -> str:
    """Choose between our languages by an Accept-Language header (RFC 9110, 12.5.4)."""
    weighted: list[tuple[float, str]] = []
    for part in accept_language.split(","):
        tag, _, quality = part.strip().partition(";q=")
        language = tag.split("-")[0].lower()
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        if language in LANGUAGES and weight > 0:
            weighted.append((-weight, language))
    return min(weighted, key=lambda pair: pair[0])[1] if weighted else LANGUAGES[0]
