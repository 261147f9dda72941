"""The fields of a row: what is written becomes what a registration holds, or a finding."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.registration.domain.imports.findings import Finding
from services.registration.domain.imports.mapping import ANSWER
from services.registration.domain.imports.sectors import Sectors
from services.registration.domain.imports.synonyms import plain
from services.registration.domain.people import is_credit_code, plain_number
from shared.events.base import Side

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_BETWEEN = re.compile(r"[;；、,，|/\n]")
_LANGUAGES = {
    "zh": "zh 中文 汉语 普通话 国语 chinese mandarin cn",
    "en": "en 英文 英语 english",
    "ja": "ja 日文 日语 japanese",
    "ko": "ko 韩文 韩语 korean",
    "de": "de 德文 德语 german",
    "fr": "fr 法文 法语 french",
    "es": "es 西班牙文 西班牙语 spanish",
    "ru": "ru 俄文 俄语 russian",
    "yue": "yue 粤语 广东话 cantonese",
}
_LANGUAGE_OF = {name: code for code, names in _LANGUAGES.items() for name in names.split()}

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the rows of a list are read against."""

    side: Side
    home_country: str
    sectors: Sectors
    countries: Mapping[str, str]
    """The code of a country by its plain name, in both languages."""


def fields_of(texts: Mapping[str, str], ground: Ground) -> tuple[Fields, list[Finding]]:
    """Give the fields that a row's texts make, and what is wrong with them."""
    findings: list[Finding] = []
    fields = _names(texts) | _company(texts)
    for name in ("email", "external_ref", "position", "size", "offers", "needs"):
        if texts.get(name):
            fields[name] = texts[name]
    if "email" in fields:
        fields["email"] = unicodedata.normalize("NFKC", fields["email"]).strip()
    _country(texts, ground, fields, findings)
    _number(fields, findings)
    _sectors(texts, ground, fields, findings)
    _languages(texts, fields, findings)
    answers = {
        name.removeprefix(ANSWER): text for name, text in texts.items() if name.startswith(ANSWER)
    }
    if answers:
        fields["answers"] = answers
    findings += [
        Finding("missing", name)
        for name in ("full_name", "email", "organization", "sectors")
        if not fields.get(name) and not any(one.field == name for one in findings)
    ]
    return fields, findings


def _names(texts: Mapping[str, str]) -> Fields:
    """Put the forms of a name in their places; parts that stand apart are joined, none is split."""
    family, given = texts.get("family_name", ""), texts.get("given_name", "")
    apart = f"{family}{given}" if _HAN.search(family + given) else f"{given} {family}".strip()
    native, latin = texts.get("native_name"), texts.get("latin_name")
    full = texts.get("full_name") or apart or native or latin or ""
    if native is None and _HAN.search(full):
        native = full
    return _filled({"full_name": full, "native_name": native, "latin_name": latin})


def _company(texts: Mapping[str, str]) -> Fields:
    name, native = texts.get("organization"), texts.get("native_organization")
    latin = texts.get("latin_organization")
    if native is None and name and _HAN.search(name):
        native = name
    # The name by which all readers know it, where there is one; a name is not translated here.
    return _filled({"organization": latin or name or native, "native_organization": native}) | (
        {"registration_number": texts["registration_number"]}
        if texts.get("registration_number")
        else {}
    )


def _filled(parts: Mapping[str, str | None]) -> Fields:
    return {name: part for name, part in parts.items() if part}


def _country(
    texts: Mapping[str, str], ground: Ground, fields: Fields, findings: list[Finding]
) -> None:
    given = texts.get("country", "")
    found = ground.countries.get(plain(given)) if given else ground.home_country
    if found is None:
        findings.append(Finding("country_unknown", "country", given))
    else:
        fields["country"] = found


def _number(fields: Fields, findings: list[Finding]) -> None:
    number = fields.get("registration_number")
    if number:
        fields["registration_number"] = plain_number(number)
        if fields.get("country") == "CN" and not is_credit_code(fields["registration_number"]):
            findings.append(Finding("credit_code_wrong", "registration_number", number))


def _sectors(
    texts: Mapping[str, str], ground: Ground, fields: Fields, findings: list[Finding]
) -> None:
    found, unknown = ground.sectors.read(texts.get("sectors", ""))
    findings += [Finding("sector_unknown", "sectors", value) for value in unknown]
    if found:
        fields["sectors"] = found


def _languages(texts: Mapping[str, str], fields: Fields, findings: list[Finding]) -> None:
    """Read the languages; who names none is written to in that of the own name."""
    spoken = []
    for value in _BETWEEN.split(texts.get("languages", "")):
        if code := plain(value):
            if code in _LANGUAGE_OF:
                spoken.append(_LANGUAGE_OF[code])
            else:
                findings.append(Finding("language_unknown", "languages", value.strip()))
    wanted = plain(texts.get("language", ""))
    if wanted and wanted not in _LANGUAGE_OF:
        findings.append(Finding("language_unknown", "language", texts["language"]))
    own = "zh" if fields.get("native_name") and _HAN.search(fields["native_name"]) else "en"
    written = _LANGUAGE_OF.get(wanted) or next((one for one in spoken if one in ("zh", "en")), own)
    fields["language"] = written if written in ("zh", "en") else "en"
    fields["languages"] = list(dict.fromkeys(spoken)) or [written]
