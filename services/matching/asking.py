"""Asking: which part of the page about whom to meet, and what narrows the recommendations."""

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

WORDS_LENGTH_MAX = 100
PAGES_MAX = 500

Part = Literal["recommended", "wishes", "requests"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; `page` counts from 1."""

    show: Part = "recommended"
    q: str = ""
    sector: str = ""
    page: int = 1

    def query(self, **changes: object) -> str:
        """Write this, with changes, as the query of an address."""
        given = {"show": self.show, "q": self.q, "sector": self.sector, "page": self.page}
        usual = {"show": "recommended", "q": "", "sector": "", "page": 1}
        return urlencode({k: v for k, v in (given | changes).items() if v != usual.get(k)})


async def _asked(
    show: Part = "recommended",
    q: Annotated[str, Query(max_length=WORDS_LENGTH_MAX)] = "",
    sector: Annotated[str, Query(max_length=WORDS_LENGTH_MAX)] = "",
    page: Annotated[int, Query(ge=1, le=PAGES_MAX)] = 1,
) -> Asked:
    return Asked(show, " ".join(q.split()), sector, page)


AskedFor = Annotated[Asked, Depends(_asked)]
