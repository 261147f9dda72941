"""Traditional Chinese as simplified: companies of Taiwan and Hong Kong are read like all others.

A table of characters is enough, for scores compare pieces of texts and show none: no library that
weighs phrases is needed. Some words differ, too: what is 軟體 in Taipei is 软件 in Beijing.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

FOLDING = Path(__file__).with_name("folding.toml")


def folded(text: str) -> str:
    """Write a text in simplified characters and with the mainland's words; others stay.

    晶片 are wafers in Shanghai and chips in Taipei: words change where characters do.
    """
    characters, words, known = _tables()
    if text.isascii() or text == text.translate(characters):
        return text
    return words.sub(lambda found: known[found[0]], text).translate(characters)


@cache
def _tables() -> tuple[dict[int, str], re.Pattern[str], dict[str, str]]:
    read = tomllib.loads(FOLDING.read_text())
    characters = {ord(pair[0]): pair[1] for pair in read["characters"].split()}
    words: dict[str, str] = read["words"]
    longest_first = sorted(words, key=len, reverse=True)
    return characters, re.compile("|".join(map(re.escape, longest_first))), words
