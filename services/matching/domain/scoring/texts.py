"""Texts as scores see them: words of English, characters of Chinese, and what they are made of."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from services.matching.domain.scoring import glossary
from services.matching.domain.scoring.folding import folded
from shared.events.base import Bilingual

_PIECE = re.compile(r"[a-z0-9]+|[\u4e00-\u9fff]|[^\sa-z0-9\u4e00-\u9fff-]+")
_UNTOLD = (
    "a an and are as at be but by can for from has have in into is it its more not of on one or "
    "our per than that the their this to two up we who with without your all any new year years "
    "looking look seek seeking search find need needs want wanted require offer offers provide "
    "partner partners cooperation company companies supplier suppliers manufacturer china chinese "
    "solution solutions technology technologies technical system systems project projects product "
    "products process using use high advanced sample large small full local joint us you they "
    "them themselves he she his her him itself ourselves these those there here when where while "
    "which what whose whom how why if then so too very much many few some such only even still "
    "just about after before during against between through under again away down off other "
    "another same both each every first last must should will would could may might shall do does "
    "did done was were been being am having had get gets got give gives go goes going come comes "
    "let lets make makes made making take takes took keep keeps put told tell know like wish "
    "wishes cannot nor no yes ever never always also nearly enough rather either neither anybody "
    "somebody everybody anything something nothing once twice three four five six seven eight "
    "nine ten hundred thousand million dozen half maker makers owner owners"
)
_STOP_WORDS = frozenset(_UNTOLD.split())
_COMMON = re.compile(
    "寻求|寻找|采购|需要|希望|合作|引进|欢迎|供应商|解决方案|方案|技术|设备|项目|企业|公司|厂家|"
    "伙伴|示例|提供|需求|拟购|求购|建设|开发|应用|产品|系统|关注|征集|要求|用于|以及|国内|海外|市场|"
    "新建|升级|改造|大型|高端|专用|稳定|计划|对接|代理|品牌|相关|业务|服务|我们|怎么办|怎么|如何|怎样|"
    "能不能|有没有|是不是|想要|不想|想|的|了|哪家|一次|每天|每个|很多|太多|不够|太快|太慢|太短|太高|找不到"
)
"""What stands in any listing whatever the trade, and so tells none from another."""
_SPELLINGS = (
    ("lyser", "lyzer"), ("isation", "ization"), ("ising", "izing"), ("fibre", "fiber"),
    ("centre", "center"), ("tyre", "tire"), ("aluminium", "aluminum"), ("mould", "mold"),
    ("sulph", "sulf"), ("odour", "odor"), ("colour", "color"), ("fuelling", "fueling"),
)  # fmt: skip
_PLURALS = {
    "mice": "mouse", "teeth": "tooth", "feet": "foot", "geese": "goose", "men": "man",
    "women": "woman", "leaves": "leaf", "knives": "knife", "shelves": "shelf", "calves": "calf",
    "loaves": "loaf", "hooves": "hoof", "scarves": "scarf", "gases": "gas", "buses": "bus",
    "lenses": "len", "glasses": "glasse",
}  # fmt: skip
"""Those that no rule gives; glasses to look through are no glass."""
_ES, _ES_MIN = ("ches", "shes", "xes", "sses"), 5
SENSE = 1.3
"""What the sense of a word weighs beside the word itself."""
_CACHED_WORDS_MAX = 20_000
"""The lexicon has five thousand."""
PIECE = "~"
"""Marks four characters out of a word."""
BREAK = ""
"""Stands between tokens that no term may reach across."""


def tokens(text: str) -> list[str]:
    """Cut a text into English words without their plural and single Chinese characters.

    Punctuation becomes `BREAK`; hyphens and white space part words and leave no trace.
    """
    pieces = _PIECE.findall(folded(unicodedata.normalize("NFKC", text)).lower())
    return [_token(piece) for piece in pieces]


def terms(text: Bilingual) -> Sequence[str]:
    """Cut a text into English words and pairs of Chinese characters, without the commonest."""
    return [*_words(text.en), *(pair for run in _runs(text.zh) for pair in _slices(run, 2))]


def grams(text: str) -> Iterator[tuple[str, float]]:
    """Give what a text is made of, each with its weight, as often as it occurs.

    Words and pieces of four characters in English; pairs and single characters in Chinese; and
    the senses of both.
    """
    yield from _english(text)
    yield from _chinese(text)


def _english(text: str) -> Iterator[tuple[str, float]]:
    for word in _words(text):
        yield from _made_of(word)


@lru_cache(maxsize=_CACHED_WORDS_MAX)
def _made_of(word: str) -> tuple[tuple[str, float], ...]:
    made = [(word, 1.0), *((sense, SENSE) for sense in glossary.of_english(word))]
    padded = f"_{word}_"
    if len(padded) > 5:  # noqa: PLR2004  # a shorter word is its own piece
        made += [(PIECE + piece, 1.6 / (len(padded) - 3)) for piece in _slices(padded, 4)]
    return tuple(made)


def _chinese(text: str) -> Iterator[tuple[str, float]]:
    for run in _runs(text):
        for sense, weight in glossary.of_chinese(run):
            yield sense, SENSE * weight
        for character in run:
            yield character, 0.3
        for pair in _slices(run, 2):
            yield pair, 1.0


def _token(piece: str) -> str:
    if not piece[0].isalnum():
        return BREAK
    return piece if "\u4e00" <= piece[0] <= "\u9fff" else _stem(piece)


@lru_cache(maxsize=_CACHED_WORDS_MAX)
def _stem(word: str) -> str:
    """Take off a plural (the S stemmer of Harman, 1991), and spell as in America."""
    for british, american in _SPELLINGS:
        word = word.replace(british, american)
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith(_ES) and len(word) > _ES_MIN:
        return word[:-2]
    if len(word) <= 3 or word.endswith(("ss", "us")):  # noqa: PLR2004  # `gas` is no plural
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word.removesuffix("s")


def _words(text: str) -> list[str]:
    found = re.findall("[a-z0-9]+", unicodedata.normalize("NFKC", text).lower())
    return [
        _stem(word)
        for word in found
        if word not in _STOP_WORDS and len(word) > 1 and not word[0].isdigit()
    ]


def _runs(text: str) -> list[str]:
    return re.findall("[\u4e00-\u9fff]+", _COMMON.sub(" ", folded(text)))


def _slices(text: str, length: int) -> Iterator[str]:
    return (text[start : start + length] for start in range(len(text) - length + 1))
