"""Why two fit, in sentences of both languages."""

from collections.abc import Mapping
from functools import lru_cache

from services.matching.domain.scoring.profiles import Reason
from services.matching.domain.scoring.taxonomy import taxonomy
from shared.events.base import Bilingual

_SENTENCES = {
    "they_offer": ("They offer what you look for{}.", "对方可提供您所需的{}产品或服务。"),
    "they_need": ("They look for what you offer{}.", "对方正在寻找您所提供的{}产品或服务。"),
    "same_sector": ("Both of you work{}.", "双方同属{}领域。"),
    "shared_language": ("You share a language.", "双方有共同语言，无需翻译。"),
    "you_wish": ("You asked to meet them.", "您已表示希望与对方会面。"),
}


class Reasons:
    """Gives reasons, which name a mission's sectors and the taxonomy's concepts."""

    def __init__(self, sectors: Mapping[str, Bilingual]) -> None:
        self.give = lru_cache(maxsize=10_000)(self._give)
        self._sectors = sectors

    def _give(self, code: str, sector: str = "", concept: str = "") -> Reason:
        named = [self._sectors.get(sector) or Bilingual(en=sector, zh=sector)] if sector else []
        if concept:
            named.append(taxonomy().concepts[concept].name)
        # A concept that is called as the sector is would only be said twice.
        if len(named) > 1 and (named[0].en == named[1].en or named[0].zh == named[1].zh):
            named.pop()
        en = ": ".join(name.en for name in named)
        zh = "：".join(name.in_("zh") for name in named)
        sentence = _SENTENCES[code]
        text = Bilingual(
            en=sentence[0].format(f" in {en}" if en else ""),
            zh=sentence[1].format(f"“{zh}”" if zh else ""),
        )
        parameters = {"sector": sector, "concept": concept}
        return Reason(code, text, {name: value for name, value in parameters.items() if value})
