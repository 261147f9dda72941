"""What a company says it does not deal in: nobody is to be matched by that.

Only what a company says of itself counts. Most negations in listings tell what is dealt in after
all: a village without sewers needs some, and who sells film without glue sells film.
"""

import re

from services.matching.domain.scoring.folding import folded

_ENGLISH = re.compile(
    r"\b(?:(?:we|i)\s+(?:(?:do|are|will)\s+not|don['\u2019]?t|aren['\u2019]?t|won['\u2019]?t|"
    r"no\s+longer|never)\s+(?:currently\s+)?"
    r"(?:accept|build|buy|carry|deal|distribute|do|export|handle|import|install|interested|looking|"
    r"make|manufacture|need|offer|produce|provide|purchase|require|seek|seeking|sell|serve|stock|"
    r"supply|take|trade|want)|not\s+(?:interested\s+in|looking\s+for|seeking)|no\s+interest\s+in)"
    r"\b[^,.;:!?()\u2013\u2014\n]*",
    re.IGNORECASE,
)
_CLAUSE = re.compile("[^,.;:!?()\uff0c\u3002\uff1b\u3001\uff1a\uff01\uff1f\uff08\uff09\n]+")
_SAID_FIRST = re.compile(
    "(?:我们|我司|本公司|公司)?(?:目前|暂时|暂)?"
    "(?:(?<!要)不要(?!求)|(?<!做)不做|不找|不卖|不销售|不生产|不经营|不采购|不代理|不考虑|无意).*"
)
_SAID_LAST = re.compile(r"(?:不做|不要|不卖|不考虑|不需要|除外|免谈|勿扰)\s*$")


def affirmed(text: str) -> str:
    """Leave out what a company says it does not deal in, each up to the next punctuation mark.

    A text that says nothing else is left as it is.
    """
    left = _ENGLISH.sub(" ", text)
    if not text.isascii():
        left = _CLAUSE.sub(_kept, folded(left))
    return left if any(character.isalnum() for character in left) else text


def _kept(clause: re.Match[str]) -> str:
    return " " if _SAID_LAST.search(clause[0]) else _SAID_FIRST.sub(" ", clause[0])
