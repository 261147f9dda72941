"""Write participants.jsonl, the synthetic delegation and locals, always the same bytes."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
SEED = 20231106

# GB 32100-2015: the alphabet leaves out I, O, S, V and Z. GB/T 2260 gives no region the prefix 99.
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SAMPLE_REGION = "990000"

# Who may attend an item, and what those write who go to the matchmaking: only they need something.
ELIGIBLE = {"matchmaking": {"company", "park"}, "reception": {"government", "association"}}
AT_MATCHMAKING = {
    "company": ["offer need", "offer need need", "offer offer need", "need project"],
    "park": ["project", "project need"],
}

Text = dict[str, str]
Record = dict[str, Any]


def check_character(code: str) -> str:
    """Return the 18th character of a unified social credit code from its first 17."""
    total = sum(CREDIT_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(code))
    return CREDIT_ALPHABET[-total % 31]


def credit_code(kind: str, number: int) -> str:
    """Return a valid code of the sample region; `kind` is its first two characters."""
    body = f"MA{number:06d}"
    weights = (3, 7, 9, 10, 5, 8, 4, 2)  # of GB 11714, the inner check character
    total = sum(int(c, 36) * weight for c, weight in zip(body, weights, strict=True))
    code = kind + SAMPLE_REGION + body + "0123456789X"[-total % 11]
    return code + check_character(code)


def bilingual(line: str) -> Text:
    """Split "English | Chinese"; one part alone serves both languages."""
    english, _, chinese = line.partition(" | ")
    return {"en": english, "zh": chinese or english}


def fill(frame: Text, words: dict[str, Text]) -> Text:
    """Put words into the frame's slots, in either language; {Word} opens with a capital."""
    filled = {}
    for language, text in frame.items():
        values = {name: word[language] for name, word in words.items()}
        capitals = {k.capitalize(): v[:1].upper() + v[1:] for k, v in values.items()}
        filled[language] = text.format(**capitals, **values)
    return filled


def draw(rng: random.Random, lines: list[Any]) -> Text:
    """Choose one line of a table."""
    return bilingual(str(rng.choice(lines)))


def unused(write: Callable[[], Text], taken: set[str]) -> Text:
    """Call `write` until neither language is taken; LookupError when the words run out."""
    for _ in range(1000):
        text = write()
        if taken.isdisjoint(text.values()):
            taken.update(text.values())
            return text
    raise LookupError("The vocabulary has too few words for so many different texts.")


@dataclass
class Author:
    """Writes the names and listings of one stop, none of them twice."""

    rng: random.Random
    vocabulary: Record
    stop: Record
    names: set[str]  # of the whole mission
    texts: set[str] = field(default_factory=set)

    def name(self, frames: list[str], words: dict[str, Text]) -> Text:
        """Invent the name of an organisation."""
        brands = self.vocabulary["brands"]

        def write() -> Text:
            first, second = draw(self.rng, brands["first"]), draw(self.rng, brands["second"])
            brand = {"en": f"{first['en']} {second['en']}", "zh": first["zh"] + second["zh"]}
            return fill(draw(self.rng, frames), words | {"brand": brand})

        return unused(write, self.names)

    def listing(self, kind: str, section: str, sector: str, said: set[str]) -> Record:
        """Write one listing; `said` keeps a company from using a frame or a thing twice."""
        text = unused(lambda: self._sentence(section, sector, said), self.texts)
        return {"kind": kind, "sector": sector, "text": text}

    def _sentence(self, section: str, sector: str, said: set[str]) -> Text:
        words = self.vocabulary["sectors"][sector]
        things = words["need" if section in {"need", "project"} else "offer"]
        frames = self.vocabulary["frames"][section]
        # Institutes and the like have one list of frames; if those name a thing, it is a part.
        group = "parts"
        if isinstance(frames, dict):
            group = self.rng.choices(list(frames), [len(things[g]) for g in frames])[0]
            frames = frames[group]
        frame, thing = self._fresh(frames, said), self._fresh(things[group], said)
        return fill(bilingual(frame), self._slots(words, thing))

    def _fresh(self, lines: list[str], said: set[str]) -> str:
        line = self.rng.choice([line for line in lines if line not in said] or lines)
        said.add(line)
        return line

    def _slots(self, words: Record, thing: str) -> dict[str, Text]:
        item, item_zh, spec, spec_zh, values = thing.split(" | ")
        value = self.rng.choice(values.split())
        town, site = draw(self.rng, self.stop["towns"]), draw(self.rng, words["sites"])
        numbers = {name: draw(self.rng, n) for name, n in self.vocabulary["numbers"].items()}
        return numbers | {
            "item": {"en": item, "zh": item_zh},
            "spec": {"en": spec.format(v=value), "zh": spec_zh.format(v=value)},
            "town": town,
            "place": {"en": f"{site['en']} in {town['en']}", "zh": town["zh"] + site["zh"]},
            "region": bilingual(self.stop["region"]),
            "field": bilingual(words["field"]),
        }


@dataclass(frozen=True)
class Seat:
    """One local to be written: the kind of body, what they attend, and when they register."""

    kind: str
    items: list[str]
    arrives: str = "rush"
    named: Record | None = None


@dataclass
class Locals:
    """The local side of one stop."""

    rng: random.Random
    vocabulary: Record
    plan: Record
    author: Author

    def seats(self) -> list[Seat]:
        """Fill every item to the last place with the rush, then add those who come late."""
        stop, travelling = self.author.stop, len(self.vocabulary["delegation"]["companies"])
        named = self.vocabulary["named"].get(self.plan["slug"], [])
        room = {i["slug"]: i["capacity"] - travelling for i in self.plan["programme"]}
        kinds = [kind for kind, count in stop["institutions"].items() for _ in range(count)]
        kinds += ["company"] * (room.pop("conference") - len(kinds) - len(named))
        items = [["conference"] for _ in kinds]
        for item, places in room.items():
            eligible = [i for i, kind in enumerate(kinds) if kind in ELIGIBLE[item]]
            for i in self.rng.sample(eligible, places):
                items[i].append(item)
        rush = [Seat(kind, wanted) for kind, wanted in zip(kinds, items, strict=True)]
        rush += [Seat("named", ["conference"], named=body) for body in named]
        self.rng.shuffle(rush)
        meeting, listening = stop["late"]["matchmaking"], stop["late"]["conference_only"]
        late = [Seat("company", ["conference", "matchmaking"], "late")] * meeting
        return rush + late + [Seat("company", ["conference"], "late")] * listening

    def participant(self, seat: Seat, ref: str, number: int) -> Record:
        """Write the line of one local; `number` is unique in the mission."""
        sectors = seat.named["sectors"] if seat.named else self._sectors()
        body = seat.named or self._invented(seat.kind, number, sectors[0])
        country = body.get("country", "CN")
        source, partner = ("self", None) if seat.named else self._source(country)
        return {
            "ref": ref,
            "side": "local",
            "stops": [self.plan["slug"]],
            "items": {self.plan["slug"]: seat.items},
            "arrives": seat.arrives,
            "source": source,
            "partner": partner,
            "organization": {
                "name": body["name"],
                "native_name": body.get("native_name"),
                "country": country,
                "registration_number": body.get("registration_number"),
                "sectors": sectors,
                "size": body["size"],
            },
            "person": self._person(ref, number, seat.kind, country),
            "listings": self._listings(seat, sectors),
        }

    def _sectors(self) -> list[str]:
        codes = [*self.vocabulary["sectors"], *self.author.stop["strong"]]
        return list(dict.fromkeys(self.rng.sample(codes, self.rng.choice([1, 1, 2, 2, 3]))))

    def _invented(self, kind: str, number: int, sector: str) -> Record:
        words = self.vocabulary["organizations"][kind]
        anywhere = kind in self.vocabulary["in_hong_kong"]
        cities = self.author.stop["cities"]
        city = draw(self.rng, [c for c in cities if anywhere or not c.startswith("Hong Kong")])
        trade = draw(self.rng, self.vocabulary["sectors"][sector]["trades"])
        name = self.author.name(words["names"], {"city": city, "trade": trade})
        mainland = city["en"] != "Hong Kong"
        return {
            "name": name["en"],
            "native_name": name["zh"],
            "country": "CN" if mainland else "HK",
            "registration_number": credit_code(words["code"], number) if mainland else None,
            "size": self.rng.choice(words["sizes"]),
        }

    def _source(self, country: str) -> tuple[str, str | None]:
        shares = self.vocabulary["people"]
        partner = self.rng.choice(self.author.stop["brought_by"][country])
        if self.rng.random() < shares["share_import"]:
            return "import", partner
        return "self", partner if self.rng.random() < shares["share_self_with_partner"] else None

    def _person(self, ref: str, number: int, kind: str, country: str) -> Record:
        people = self.vocabulary["people"]
        family = draw(self.rng, people["family_names"])
        first, *others = [bilingual(people["digits"][int(d)]) for d in f"{number:03d}"]
        # Pinyin sets an apostrophe before a syllable that opens with a vowel: Yi'erqi.
        pinyin = [f"'{d['en']}" if d["en"][0] in "aeo" else d["en"] for d in others]
        latin = f"{family['en']} {first['en'].capitalize()}{''.join(pinyin)}"
        speaks_english = self.rng.random() < people["share_speaking_english"][country]
        positions = self.vocabulary["organizations"].get(kind, {}).get("positions")
        return {
            "full_name": latin,
            "native_name": family["zh"] + "".join(d["zh"] for d in [first, *others]),
            "latin_name": latin,
            "email": f"{ref}@example.com",
            "language": "zh",
            "languages": ["zh", "en"] if speaks_english else ["zh"],
            "position": draw(self.rng, positions or ["Representative | 代表"]),
        }

    def _listings(self, seat: Seat, sectors: list[str]) -> list[Record]:
        if seat.named:
            does = seat.named.get("does")
            text = {"kind": "offer", "sector": sectors[0], "text": bilingual(does or "")}
            return [text] if does else []
        kinds = sections = ["offer"]
        if "matchmaking" in seat.items:
            kinds = sections = self.rng.choice(AT_MATCHMAKING[seat.kind]).split()
        elif seat.kind != "company":
            sections = [seat.kind]
        chosen = [sectors[0], *self.rng.choices(sectors, k=len(kinds) - 1)]
        said: set[str] = set()
        lines = zip(kinds, sections, chosen, strict=True)
        return [self.author.listing(*line, said) for line in lines]


def delegate(ref: str, partner: str, company: Record, plans: list[Record]) -> Record:
    """Write the line of one travelling company, which attends everything."""
    name = bilingual(company["name"])
    listings = []
    for line in company["listings"]:
        what, _, text = line.partition(" | ")
        kind, _, sector = what.partition(" ")
        listings.append({"kind": kind, "sector": sector, "text": bilingual(text)})
    return {
        "ref": ref,
        "side": "delegation",
        "stops": [plan["slug"] for plan in plans],
        "items": {plan["slug"]: [item["slug"] for item in plan["programme"]] for plan in plans},
        "arrives": "rush",
        "source": "import",
        "partner": partner,
        "organization": {
            "name": name["en"],
            "native_name": name["zh"],
            "country": "US",
            "registration_number": None,
            "sectors": company["sectors"],
            "size": company["size"],
        },
        "person": {
            "full_name": company["person"],
            "native_name": None,
            "latin_name": company["person"],
            "email": f"{ref}@example.com",
            "language": "en",
            "languages": ["en", "zh"] if company.get("speaks_chinese") else ["en"],
            "position": bilingual(company["position"]),
        },
        "listings": listings,
    }


def participants(plans: list[Record], vocabulary: Record, rng: random.Random) -> list[Record]:
    """Write the delegation and then, stop by stop, the locals in the order of their arrival."""
    group = vocabulary["delegation"]
    written = [
        delegate(f"{group['prefix']}-{i:02d}", group["partner"], company, plans)
        for i, company in enumerate(group["companies"], 1)
    ]
    names: set[str] = set()
    number = 0
    for plan in plans:
        stop = vocabulary["stops"][plan["slug"]]
        side = Locals(rng, vocabulary, plan, Author(rng, vocabulary, stop, names))
        for i, seat in enumerate(side.seats(), 1):
            number += 1
            written.append(side.participant(seat, f"{stop['prefix']}-{i:03d}", number))
    return written


def content(folder: Path) -> str:
    """Return what participants.jsonl of the folder shall hold."""
    plans = yaml.safe_load((folder / "mission.yaml").read_text(encoding="utf-8"))["stops"]
    vocabulary = yaml.safe_load((folder / "vocabulary.yaml").read_text(encoding="utf-8"))
    rng = random.Random(SEED)  # noqa: S311 - sample data must repeat, not surprise
    lines = participants(plans, vocabulary, rng)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


if __name__ == "__main__":
    (FOLDER / "participants.jsonl").write_text(content(FOLDER), encoding="utf-8", newline="\n")
