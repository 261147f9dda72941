"""The lines of the sample mission are well formed, in both languages, and nobody's real data."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

Record = dict[str, Any]

HAN = re.compile(r"[\u4e00-\u9fff]")


def texts(node: Any) -> Iterator[Record]:
    if isinstance(node, dict):
        if "en" in node or "zh" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from texts(child)


def test_the_generator_writes_the_committed_file(generator: ModuleType, folder: Path) -> None:
    committed = (folder / "participants.jsonl").read_bytes()

    assert generator.content(folder).encode() == committed


def test_refs_addresses_and_names_are_unique(data: Record, people: list[Record]) -> None:
    helpers = [i for s in data["stops"] for i in s["interpreters"]] + data["staff"]
    everybody = [*people, *helpers]
    for values in (
        [p["ref"] for p in everybody],
        [p["person"]["email"] for p in everybody],
        [p["person"]["full_name"] for p in everybody],
        [p["person"]["native_name"] for p in everybody if p["person"]["native_name"]],
        [p["organization"]["name"] for p in people],
        [p["organization"]["native_name"] for p in people if p["organization"]["native_name"]],
    ):
        assert [v for v, n in Counter(values).items() if n > 1] == []
    assert all(p["person"]["email"] == f"{p['ref']}@example.com" for p in everybody)


def test_nobody_invented_can_be_mistaken_for_somebody_real(
    data: Record, people: list[Record]
) -> None:
    helpers = [i for s in data["stops"] for i in s["interpreters"]] + data["staff"]
    for person in [p["person"] for p in [*people, *helpers]]:
        native = person["native_name"]
        if native is None:
            assert person["latin_name"].split()[-1] == "Sample"
        else:
            assert re.fullmatch(r"\w[零一二三四五六七八九]{3}", native), native
    bodies = [p["organization"] for p in people]
    real = [b for b in bodies if "Sample" not in b["name"]]
    assert len(real) == 6  # those that the source names
    assert all("示例" in b["native_name"] for b in bodies if b not in real)


def test_credit_codes_are_valid_in_form_and_of_no_real_region(
    generator: ModuleType, locals_: list[Record]
) -> None:
    bodies = [p["organization"] for p in locals_]
    codes = [b["registration_number"] for b in bodies if b["registration_number"]]
    without = [b for b in bodies if not b["registration_number"]]

    assert all(b["country"] == "HK" or "Sample" not in b["name"] for b in without)
    assert len(set(codes)) == len(codes)
    # GB 32100-2015: weights 3^i mod 31 make the weighted sum of all 18 characters divisible by 31.
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1]
    for code in codes:
        assert re.fullmatch(r"(11|12|51|91)99[0-9]{4}[0-9A-Z]{10}", code), code
        total = sum(alphabet.index(c) * w for c, w in zip(code, weights, strict=True))
        assert total % 31 == 0, code
    # An example that many descriptions of the standard give: 91350100M000100Y43.
    assert generator.check_character("91350100M000100Y4") == "3"


def test_every_reference_resolves(data: Record, rehearsal: Record, people: list[Record]) -> None:
    partners = {p["ref"] for p in data["partners"]}
    stops = {s["slug"]: s for s in data["stops"]}
    sectors = set(data["sectors"])
    for person in people:
        assert set(person["items"]) == set(person["stops"]) <= set(stops)
        for slug, items in person["items"].items():
            assert set(items) <= {i["slug"] for i in stops[slug]["programme"]}
        assert person["partner"] in partners | {None}
        assert person["partner"] or person["source"] == "self"
        mine = person["organization"]["sectors"]
        assert 1 <= len(mine) <= 3
        assert {x["sector"] for x in person["listings"]} <= set(mine) <= sectors
    for member in data["staff"]:
        assert set(member["stops"]) <= set(stops)
        assert (member.get("partner") in partners) == (member["role"] == "partner_staff")
    assert set(rehearsal["stops"]) == set(stops)


def test_values_are_from_the_documented_lists(people: list[Record]) -> None:
    sizes = {"1-10", "11-50", "51-250", "251-1000", "1000+"}
    for person in people:
        assert person["arrives"] in {"rush", "late"}
        assert person["source"] in {"self", "import"}
        assert person["organization"]["size"] in sizes
        assert person["organization"]["country"] in {"US", "CN", "HK"}
        assert {x["kind"] for x in person["listings"]} <= {"offer", "need", "project"}
        assert set(person["person"]["languages"]) <= {"en", "zh"}


def test_both_languages_stand_everywhere(data: Record, people: list[Record]) -> None:
    found = [*texts(data), *texts(people)]

    assert len(found) > len(people)
    for text in found:
        assert set(text) == {"en", "zh"}
        assert HAN.search(text["zh"]), text
        assert text["en"], text
        assert not HAN.search(text["en"]), text
        assert "{" not in text["en"] + text["zh"], text


def test_no_two_listings_of_a_stop_read_alike(people: list[Record], data: Record) -> None:
    for stop in data["stops"]:
        there = [p for p in people if stop["slug"] in p["stops"]]
        for language in ("en", "zh"):
            said = Counter(x["text"][language] for p in there for x in p["listings"])
            assert [text for text, times in said.items() if times > 1] == []


def test_every_sector_has_a_dozen_offers_and_a_dozen_needs(data: Record, folder: Path) -> None:
    vocabulary = yaml.safe_load((folder / "vocabulary.yaml").read_text(encoding="utf-8"))

    assert set(vocabulary["sectors"]) == set(data["sectors"])
    for sector in vocabulary["sectors"].values():
        for kind in ("offer", "need"):
            things = [line.split(" | ")[0] for rows in sector[kind].values() for line in rows]
            assert len(set(things)) == len(things) >= 12
