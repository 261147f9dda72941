"""The sample mission agrees with the facts of the real one."""

from collections import Counter
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

Record = dict[str, Any]

# From the mission summary that the organiser published.
DELEGATION_COMPANIES = 16
SECTORS = [
    "clean energy",
    "batteries",
    "new energy vehicles",
    "charging facilities",
    "soil remediation",
    "water pollution treatment",
    "industrial air pollution control",
    "green building",
    "environmental nanomaterials",
    "clean fuels",
]
# City, day, and counterparts: "nearly 200", "over 270", "over 180" and "over 100" as round numbers.
STOPS = [
    ("Shenzhen", date(2023, 11, 6), 200),
    ("Guangzhou", date(2023, 11, 7), 270),
    ("Shanghai", date(2023, 11, 8), 180),
    ("Nanjing", date(2023, 11, 10), 100),
]
# The events' organisers and, last in Nanjing, the supporter, in the source's order.
HOSTS = {
    "shenzhen": [
        "Shenzhen Municipal Bureau of Commerce",
        "Invest in Hong Kong",
        "U.S.-China Clean Tech Center",
    ],
    "guangzhou": ["Guangdong Department of Commerce", "U.S.-China Clean Tech Center"],
    "shanghai": [
        "Shanghai Municipal Commission of Commerce",
        "U.S.-China Clean Tech Center",
        "Lingang Group",
    ],
    "nanjing": [
        "Department of Commerce of Jiangsu",
        "U.S.-China Clean Tech Center",
        "Department of Ecology and Environment of Jiangsu",
    ],
}
EVENTS = {
    "shenzhen": "Shenzhen-Hong Kong-U.S. Clean Technology Industry Matchmaking Conference",
    "guangzhou": ("2023 Guangdong-North America Clean Technology Industry Matchmaking Conference"),
    "shanghai": (
        "Shanghai-North America Clean Technology and Carbon Neutrality Cooperation Summit"
    ),
    "nanjing": "Jiangsu-U.S. Cleantech Economic and Trade Conference",
}
VENUES = {
    "guangzhou": "Guangzhou Baiyun International Convention Center",
    "shanghai": "6th China International Import Expo (CIIE)",
}
COMPANIES_IN_SHANGHAI_EXCHANGE = 67
# Named participants, and what the source says they do.
NAMED = {
    "Shanghai Electric": "green equipment manufacturer",
    "Lingniu New Energy": "green low-carbon logistics technology",
    "Senergy Corporation": "green photovoltaic technology",
    "TELD": "new energy charging service provider",
    "Jiangsu Environmental Protection Industry Association": None,
    "Jiangsu Qingbei Zero Carbon Technology Research Institute": None,
}


def wanting(people: list[Record], stop: str, item: str) -> list[Record]:
    return [p for p in people if item in p["items"].get(stop, [])]


def test_the_mission_is_the_published_one(data: Record) -> None:
    mission = data["mission"]

    assert mission["title"]["en"] == "2023 US Cleantech Trade Mission to China"
    assert (mission["starts"], mission["ends"]) == (date(2023, 11, 6), date(2023, 11, 11))
    assert (mission["home_country"], mission["host_country"]) == ("US", "CN")
    assert [data["sectors"][code]["en"] for code in mission["sectors"]] == SECTORS
    assert len(data["sectors"]) == len(SECTORS)


def test_the_stops_are_the_published_ones(data: Record) -> None:
    stops = data["stops"]

    assert [(s["city"]["en"], s["date"]) for s in stops] == [(c, d) for c, d, _ in STOPS]
    assert {s["slug"]: s["title"]["en"] for s in stops} == EVENTS
    assert {s["slug"]: s["venue"]["en"] for s in stops if "venue" in s} == VENUES
    assert {ZoneInfo(s["timezone"]).key for s in stops} == {"Asia/Shanghai"}


def test_the_hosts_stand_in_the_order_of_protocol(data: Record) -> None:
    names = {p["ref"]: p["name"]["en"] for p in data["partners"]}

    assert {s["slug"]: [names[r["partner"]] for r in s["roles"]] for s in data["stops"]} == HOSTS
    assert names[data["mission"]["organizer"]] == "U.S.-China Clean Tech Center"
    supporters = [
        names[r["partner"]] for s in data["stops"] for r in s["roles"] if r["role"] == "supporter"
    ]
    assert supporters == ["Department of Ecology and Environment of Jiangsu"]


def test_the_crowd_has_the_published_size(
    data: Record, delegates: list[Record], locals_: list[Record]
) -> None:
    rush = Counter(p["stops"][0] for p in locals_ if p["arrives"] == "rush")

    assert [rush[s["slug"]] for s in data["stops"]] == [count for _, _, count in STOPS]
    assert len(delegates) == DELEGATION_COMPANIES


def test_sixty_seven_chinese_companies_meet_the_delegation_in_shanghai(
    locals_: list[Record],
) -> None:
    rush = [p for p in wanting(locals_, "shanghai", "matchmaking") if p["arrives"] == "rush"]

    assert len(rush) == COMPANIES_IN_SHANGHAI_EXCHANGE
    assert {p["organization"]["country"] for p in rush} == {"CN"}
    assert {p["organization"]["registration_number"][:2] for p in rush} == {"91"}  # enterprises


def test_named_bodies_do_what_the_source_says_and_no_more(locals_: list[Record]) -> None:
    named = [p for p in locals_ if "Sample" not in p["organization"]["name"]]

    said = {
        p["organization"]["name"]: [x["text"]["en"].rstrip(".").lower() for x in p["listings"]]
        for p in named
    }
    assert said == {name: [does] if does else [] for name, does in NAMED.items()}
    assert [p["organization"]["registration_number"] for p in named] == [None] * len(NAMED)
    assert {tuple(items) for p in named for items in p["items"].values()} == {("conference",)}
    assert Counter(p["stops"][0] for p in named) == {"shanghai": 4, "nanjing": 2}
