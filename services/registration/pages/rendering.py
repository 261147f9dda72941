"""The templates and words of this service."""

import unicodedata
from pathlib import Path

from shared.web.pages import Pages
from shared.web.words import load

HERE = Path(__file__).parent

pages = Pages(HERE)

_NAMES = load([HERE / "countries.toml"])


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


COUNTRIES = {
    "en": {
        code: _NAMES[code]["en"] for code in sorted(_NAMES, key=lambda c: _plain(_NAMES[c]["en"]))
    },
    # The file is in the order of a Chinese index: by the sound of the names.
    "zh": {code: names["zh"] for code, names in _NAMES.items()},
}
"""Countries and regions (ISO 3166-1) by code, in the order in which a reader looks for them."""

pages.environment.globals["country_names"] = COUNTRIES
