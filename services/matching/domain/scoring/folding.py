"""Traditional Chinese as simplified: companies of Taiwan and Hong Kong are read like all others.

OpenCC turns characters and everyday words; trades have words of their own, too: what is 製程 in
Taipei is 工艺 in Beijing.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

from opencc import OpenCC

FOLDING = Path(__file__).with_name("folding.toml")


def folded(text: str) -> str:
    """Write a text in simplified characters and with the mainland's words; others stay.

    晶片 are wafers in Shanghai and chips in Taipei: words change where characters do.
    """
    if text.isascii() or _converter("t2s").convert(text) == text:
        return text
    pattern, words = _words()
    said: str = _converter("tw2sp").convert(pattern.sub(lambda found: words[found[0]], text))
    return said


@cache
def _converter(name: str) -> OpenCC:
    return OpenCC(name)


@cache
def _words() -> tuple[re.Pattern[str], dict[str, str]]:
    words: dict[str, str] = tomllib.loads(FOLDING.read_text())
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))), words
