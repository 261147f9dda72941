"""Names: how they are searched for in characters, pinyin and initials, and how they are shown.

A search text is words with one space between. Whoever searches looks for words that begin with
what was typed: one letter, `zw` and `张` are found as surely as a whole name, in any locale.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice, product

from pypinyin import lazy_pinyin

from shared.events.base import Language

WORD_LENGTH_MAX = 24
"""Words are cut here on both sides: nobody types more of one."""
TERMS_MAX = 8
READINGS_MAX = 4
FOLDS_MAX = 4

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_RUNS = re.compile(f"[{_HAN}]+|[^\\W_{_HAN}]+")
_IS_HAN = re.compile(f"[{_HAN}]")
_ASCII_WORDS = re.compile("[a-z0-9]+")

# Letters that no decomposition turns into plain ones.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)

_ENTRY = re.compile("(\\w+):([a-z /]+)")

# pypinyin reads characters as in a sentence and knows no family names
# (mozillazg/python-pinyin#120, #297): these are read otherwise as one, or have two characters.
_FAMILY_NAMES = {
    name: tuple(sound.split())
    for name, sound in _ENTRY.findall(
        "单:shan,單:shan,曾:zeng,仇:qiu,解:xie,查:zha,区:ou,區:ou,朴:piao,盖:ge,蓋:ge,翟:zhai,"
        "覃:qin,尉:yu,缪:miao,繆:miao,洗:xian,召:shao,折:she,种:chong,重:chong,秘:bi,繁:po,"
        "员:yun,員:yun,贠:yun,乐:yue,樂:yue,乜:nie,郇:xun,隗:wei,牟:mu,卜:bu,佴:nai,粘:nian,"
        "都:du,藏:zang,薄:bo,阚:kan,祭:zhai,賁:ben,"
        "欧阳:ou yang,歐陽:ou yang,司马:si ma,司馬:si ma,诸葛:zhu ge,諸葛:zhu ge,"
        "上官:shang guan,皇甫:huang fu,夏侯:xia hou,公孙:gong sun,慕容:mu rong,宇文:yu wen,"
        "东方:dong fang,轩辕:xuan yuan,钟离:zhong li,闻人:wen ren,赫连:he lian,司徒:si tu,"
        "司空:si kong,端木:duan mu,南宫:nan gong,独孤:du gu,拓跋:tuo ba,濮阳:pu yang,"
        "申屠:shen tu,太史:tai shi,公冶:gong ye,宗政:zong zheng,东郭:dong guo,百里:bai li,"
        "第五:di wu,哥舒:ge shu,仲孙:zhong sun,万俟:mo qi,单于:chan yu,尉迟:yu chi,尉遲:yu chi,"
        "澹台:tan tai,长孙:zhang sun,令狐:ling hu,宰父:zai fu,乐正:yue zheng,亓官:qi guan,"
        "鲜于:xian yu,淳于:chun yu,呼延:hu yan"
    )
}

# Characters of given names that people read in two ways.
_TWO_READINGS = {
    character: tuple(sounds.split("/"))
    for character, sounds in _ENTRY.findall(
        "乐:le/yue,樂:le/yue,行:xing/hang,长:chang/zhang,長:chang/zhang,朝:chao/zhao,"
        "重:zhong/chong,茜:qian/xi,蔚:wei/yu,晟:sheng/cheng,盛:sheng/cheng,柏:bai/bo,"
        "娜:na/nuo,莘:xin/shen,禅:chan/shan,翟:zhai/di,参:can/shen,隽:jun/juan,朴:pu/piao,"
        "骞:qian/jian,瑱:tian/zhen,单:dan/shan,解:jie/xie,曾:zeng/ceng"
    )
}

_LEGAL_FORM = "有限公司"


def folded(text: str) -> str:
    """Write a text in the one form it is searched in: plain small letters without accents."""
    if text.isascii():
        return text.lower()
    for _ in range(FOLDS_MAX):
        # Rarely one pass makes a character that the next one changes again.
        before, text = text, _folded_once(text)
        if text == before:
            break
    return text


def _folded_once(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    letters = unicodedata.normalize("NFKD", plain)
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return unicodedata.normalize("NFKC", bare)


def search_text(
    full_name: str,
    native_name: str | None = None,
    latin_name: str | None = None,
    organization: str | None = None,
    native_organization: str | None = None,
) -> str:
    """Give what somebody is found by, as words that each begin with what may be typed."""
    words: dict[str, None] = {}
    for name in (full_name, native_name, latin_name):
        if name:
            _add(words, _of_person(folded(name)))
    for name in (organization, native_organization):
        if name:
            _add(words, _company_words(name))
    return " ".join(words)


def company_text(name: str, native_name: str | None = None) -> str:
    """Give what a company is found by."""
    return search_text("", None, None, name, native_name)


def joined(*texts: str) -> str:
    """Put search texts together, each word once."""
    return " ".join(dict.fromkeys(word for text in texts for word in text.split()))


def query_terms(text: str) -> list[str]:
    """Fold what somebody typed into the terms that a search text must all have words for."""
    terms = dict.fromkeys(run[:WORD_LENGTH_MAX] for run in _runs(folded(text)))
    return list(islice(terms, TERMS_MAX))


def sounds(terms: Iterable[str]) -> list[str]:
    """Write terms in characters as they sound: 張 and 张 are then one."""
    return [pinyin(term)[:WORD_LENGTH_MAX] if _IS_HAN.match(term) else term for term in terms]


def displayed(
    full_name: str, native_name: str | None, latin_name: str | None, language: Language
) -> str:
    """Give the form of a name that readers of a language expect, as its owner wrote it.

    The order of family and given name is right because it is the owner's: no part is ever moved.
    """
    return ((native_name if language == "zh" else latin_name) or full_name).strip()


def split(text: str) -> list[tuple[str, bool]]:
    """Split a folded text into words, and say of each whether it is of Chinese characters."""
    return [(run, bool(_IS_HAN.match(run))) for run in _runs(text)]


def pinyin(text: str) -> str:
    """Write Chinese characters as they sound, without tones; other letters stay."""
    return "".join(_syllables(text))


def _add(words: dict[str, None], more: Iterable[str]) -> None:
    for word in more:
        words[word[:WORD_LENGTH_MAX]] = None


def _runs(text: str) -> list[str]:
    """Split into words; Chinese characters and other letters never share one."""
    return (_ASCII_WORDS if text.isascii() else _RUNS).findall(text)


def _of_person(name: str) -> Iterator[str]:
    runs = _runs(name)
    yield from runs
    letters = [run for run in runs if not _IS_HAN.match(run)]
    if len(letters) > 1:
        # Which of them is the family name is not asked: it stands first or last.
        for order in (letters, [letters[-1], *letters[:-1]], [*letters[1:], letters[0]]):
            yield "".join(order)
            yield "".join(word[0] for word in order)
    if characters := "".join(run for run in runs if _IS_HAN.match(run)):
        yield from _tails(characters)
        family, length = _family(characters)
        for syllables in _readings(characters, family, length):
            yield from _by_sound(syllables)
            yield "".join((*syllables[length:], *syllables[:length]))


@lru_cache(maxsize=1024)
def _company_words(name: str) -> tuple[str, ...]:
    """Give what a company is found by; its people come one after the other."""
    return tuple(_of_company(folded(name)))


def _of_company(name: str) -> Iterator[str]:
    runs = _runs(name)
    yield from runs
    letters = [run for run in runs if not _IS_HAN.match(run)]
    if len(letters) > 1:
        yield "".join(letters)
        yield "".join(word[0] for word in letters)
    for run in runs:
        if _IS_HAN.match(run):
            # Nobody looks for a company by a part of what all of them are called.
            yield from (tail for tail in _tails(run) if not _LEGAL_FORM.endswith(tail))
            yield from _by_sound(_syllables(run.removesuffix(_LEGAL_FORM) or run))
    if len(runs) > len(letters) > 0:
        yield "".join(runs)


def _tails(text: str) -> Iterator[str]:
    return (text[start:] for start in range(len(text)))


def _by_sound(syllables: tuple[str, ...]) -> Iterator[str]:
    """Give the pinyin from each syllable on, and the initials from each on."""
    starts = range(len(syllables))
    yield from ("".join(syllables[start:]) for start in starts)
    # One letter is how the syllable begins that is there already.
    initials = "".join(syllable[0] for syllable in syllables)
    yield from (initials[start:] for start in starts[:-1])
    # ü is typed v, u, and yu in passports.
    if any("v" in syllable for syllable in syllables):
        for typed in ("u", "yu"):
            other = [syllable.replace("v", typed) for syllable in syllables]
            yield from ("".join(other[start:]) for start in starts)


def _readings(name: str, family: tuple[str, ...], length: int) -> Iterable[tuple[str, ...]]:
    """Give how a person's name may be read, the likeliest first."""
    plain = tuple(_syllable(character) for character in name)
    given = [
        _TWO_READINGS.get(character, (syllable,))
        for character, syllable in zip(name[length:], plain[length:], strict=True)
    ]
    head = family or plain[:length]
    likely = islice(((*head, *rest) for rest in product(*given)), READINGS_MAX)
    return dict.fromkeys((*likely, plain))


def _family(name: str) -> tuple[tuple[str, ...], int]:
    """Give how the family name is read, if that is special, and how many characters it has."""
    for length in (2, 1):
        if len(name) > length and (sound := _FAMILY_NAMES.get(name[:length])):
            return sound, length
    return (), 1


@lru_cache(maxsize=16_384)
def _syllable(character: str) -> str:
    return "".join(lazy_pinyin(character))


@lru_cache(maxsize=1_024)
def _syllables(text: str) -> tuple[str, ...]:
    """Read Chinese characters as in a sentence: pinyin without tones, ü as v."""
    return tuple(lazy_pinyin(text))
