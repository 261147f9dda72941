"""The rules of forms in Python and, word for word, in the browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, Route, sync_playwright

from services.registration.domain import patterns
from services.registration.domain.conditions import cycle, shape_fault
from services.registration.domain.forms import checked, judged
from services.registration.domain.questions import Facts, Kind, Question, StoredFile
from shared.errors import Invalid

HERE = Path(__file__).parent
MODULE = HERE.parents[2] / "services" / "registration" / "pages" / "static" / "form.js"
SAMPLES: dict[str, Any] = json.loads((HERE / "form_cases.json").read_text(encoding="utf-8"))
ID = "00000000-0000-4000-8000-00000000000"
FILES = {
    f"{ID}1": {"type": "png", "bytes": 900},
    f"{ID}2": {"type": "pdf", "bytes": 900},
    f"{ID}3": {"type": "jpeg", "bytes": 1001},
}
FACTS: dict[str, Any] = {
    "side": "local",
    "country": "CN",
    "items": ["talks"],
    "kinds": ["matchmaking"],
    "files": FILES,
    "is_complete": True,
}
JUDGE = """async (sheets) => {
    const { judged } = await import("http://form.test/form.js");
    return JSON.stringify(sheets.map(([questions, answers, facts]) => judged(questions, answers, facts)));
}"""  # noqa: E501
Sheet = tuple[list[Question], dict[str, Any], dict[str, Any]]


def question(data: dict[str, Any]) -> Question:
    choices = [{"code": code, "label": {}} for code in data.get("choices", [])]
    return Question(**{"label": {"en": data["code"], "zh": ""}, **data, "choices": choices})


def facts(data: dict[str, Any]) -> Facts:
    files = {name: StoredFile(**file) for name, file in data["files"].items()}
    return Facts(**{**data, "files": files})


QUESTIONS = [question(data) for data in SAMPLES["questions"]]
SHEETS: list[Sheet] = [
    (QUESTIONS, case["answers"], FACTS | case.get("facts", {})) for case in SAMPLES["cases"]
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of a browser that can import the module."""

    def answer(route: Route) -> None:
        if route.request.url.endswith("/form.js"):
            route.fulfill(path=MODULE, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page()
        page.route("http://form.test/**", answer)
        page.goto("http://form.test/")
        yield page
        browser.close()


def in_python(sheet: Sheet) -> dict[str, Any]:
    questions, answers, given = sheet
    verdict = judged(questions, answers, facts(given))
    wrong = {c: {"reason": w.reason, "limit": w.limit} for c, w in verdict.wrong.items()}
    return {"shown": list(verdict.shown), "answers": dict(verdict.answers), "wrong": wrong}


def in_the_browser(page: Page, sheets: list[Sheet]) -> list[dict[str, Any]]:
    sent = [[[q.rules() for q in qs], answers, given] for qs, answers, given in sheets]
    # As text: the browser is to read what a page holds, not what the driver makes of it.
    found = page.evaluate(f"(text) => ({JUDGE})(JSON.parse(text))", json.dumps(sent))
    verdicts: list[dict[str, Any]] = json.loads(found)
    return verdicts


@pytest.mark.parametrize("case", SAMPLES["cases"], ids=lambda case: case["says"])
def test_a_case_comes_to_what_it_says(case: dict[str, Any]) -> None:
    verdict = judged(QUESTIONS, case["answers"], facts(FACTS | case.get("facts", {})))

    assert {code: wrong.reason for code, wrong in verdict.wrong.items()} == case.get("wrong", {})
    if "kept" in case:
        assert verdict.answers == case["kept"]


def test_the_browser_judges_every_case_as_we_do(page: Page) -> None:
    assert in_the_browser(page, SHEETS) == [in_python(sheet) for sheet in SHEETS]


TEXTS = st.text(
    st.one_of(
        st.sampled_from(" \t\n\r\u3000\ufeff\x00\x1c\x85AZ09az-_.１２😀\ud800"),
        st.characters(codec="utf-8"),
    ),
    max_size=12,
)
NUMBERS = st.one_of(
    st.integers(-(10**17), 10**17),
    st.integers(-3, 12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.from_regex(r"[ +-]?[0-9]{0,4}(\.[0-9]{0,3})?", fullmatch=True),
)
DATES = st.one_of(
    st.dates().map(str), st.from_regex(r"(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]", fullmatch=True)
)
CODES = st.sampled_from(["a", "b", "c", "d"])
ANSWERS = st.one_of(
    st.none(),
    st.booleans(),
    TEXTS,
    NUMBERS,
    DATES,
    CODES,
    st.lists(CODES),
    st.sampled_from([*FILES]),
)
PATTERNS = st.lists(
    st.tuples(
        st.sampled_from(["[A-Z]", "[a-z0-9_-]", r"\d", r"\w", ".", "-", r"\.", "中", "[一-龥😀]"]),
        st.sampled_from(["", "?", "*", "+", "{2}", "{1,3}", "{2,}"]),
    ).map("".join),
    min_size=1,
    max_size=4,
).map("".join)


@st.composite
def questions_(draw: st.DrawFn) -> list[Question]:
    names = ["one", "two", "three", "four", "five"]
    made: list[Question] = []
    for code in names[: draw(st.integers(1, 5))]:
        kind = draw(st.sampled_from(get_args(Kind)))
        made.append(
            Question(
                code=code,
                kind=kind,
                label={},
                choices=[{"code": c, "label": {}} for c in ("a", "b", "c")],
                is_required=draw(st.booleans()),
                limits=draw(limits(kind)),
                when=draw(st.none() | conditions([q.code for q in made])),
                item=draw(st.sampled_from([None, None, "talks", "dinner"])),
            )
        )
    # The order on the page need not be that in which they hang on one another.
    return draw(st.permutations(made))


def limits(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    small = st.integers(0, 6)
    optional: dict[str, st.SearchStrategy[Any]]
    match kind:
        case "text" | "long_text":
            optional = {"length_min": small, "length_max": small, "pattern": PATTERNS}
        case "number":
            optional = {
                "min": st.integers(-3, 5) | st.floats(-3, 5),
                "max": small,
                "is_whole": st.booleans(),
            }
        case "several":
            optional = {"min": small, "max": small}
        case "date":
            optional = {"min": st.just("1950-06-01"), "max": st.just("2020-06-30")}
        case "file":
            optional = {"types": st.just(["png", "jpeg"]), "bytes_max": st.just(1000)}
        case _:
            optional = {}
    return st.fixed_dictionaries({}, optional=optional)


def conditions(codes: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    value = st.one_of(CODES, st.integers(-3, 5), st.sampled_from(["1999-01-01", "A"]))
    facts_ = st.sampled_from(
        [("side", "local"), ("country", "CN"), ("items", "talks"), ("kinds", "reception")]
    )
    leaf: st.SearchStrategy[dict[str, Any]] = facts_.map(lambda f: {"fact": f[0], "is": f[1]})
    leaf |= facts_.map(lambda f: {"fact": f[0], "in": ["x", f[1]]})
    if codes:
        code = st.sampled_from(codes)
        leaf |= st.builds(lambda c, v: {"question": c, "is": v}, code, value)
        leaf |= st.builds(lambda c, v: {"question": c, "in": v}, code, st.lists(value, min_size=1))
        leaf |= st.builds(lambda c, v: {"question": c, "answered": v}, code, st.booleans())
        leaf |= st.builds(
            lambda c, t, v: {"question": c, t: v},
            code,
            st.sampled_from(["at_least", "at_most"]),
            st.integers(-3, 5),
        )
    return st.recursive(
        leaf,
        lambda part: st.one_of(
            st.builds(lambda p: {"all": p}, st.lists(part, min_size=1, max_size=3)),
            st.builds(lambda p: {"any": p}, st.lists(part, min_size=1, max_size=3)),
            st.builds(lambda p: {"not": p}, part),
        ),
        max_leaves=4,
    )


def fitting(question: Question) -> st.SearchStrategy[Any]:
    """Answers that are right more often than any text would be."""
    if "pattern" in question.limits:
        return st.from_regex(re.compile(question.limits["pattern"], re.ASCII), fullmatch=True)
    kinds = {"number": NUMBERS, "date": DATES, "choice": CODES, "several": st.lists(CODES)}
    return kinds.get(question.kind, TEXTS)


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    questions = draw(questions_())
    answers = {q.code: draw(fitting(q) | ANSWERS) for q in questions if draw(st.booleans())}
    given = FACTS | {
        "side": draw(st.sampled_from(["local", "delegation"])),
        "country": draw(st.sampled_from(["CN", "US"])),
        "items": draw(st.sampled_from([[], ["talks"], ["talks", "dinner"]])),
        "is_complete": draw(st.booleans()),
    }
    return questions, answers, given


@settings(max_examples=50, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True)
@given(drawn=st.lists(sheets(), min_size=1, max_size=6))
def test_the_browser_judges_any_form_as_we_do(page: Page, drawn: list[Sheet]) -> None:
    assert in_the_browser(page, drawn) == [in_python(sheet) for sheet in drawn]


def test_a_fault_names_each_answer_and_what_nobody_asked() -> None:
    with pytest.raises(Invalid) as caught:
        checked(QUESTIONS, {"diet": "fish", "shoe_size": 44}, facts(FACTS))

    assert [(f.pointer, f.detail) for f in caught.value.faults] == [
        ("/answers/shoe_size", "There is no such question here."),
        ("/answers/diet", "This is not among the choices."),
        ("/answers/photos", "Without this consent there is no registration."),
    ]


def test_answers_are_given_back_as_they_are_kept() -> None:
    given = {"diet": "none", "staff": " 12 ", "photos": True, "diet_other": "hidden"}
    kept = {"diet": "none", "staff": 12, "photos": True}
    assert checked(QUESTIONS, given, facts(FACTS)) == kept


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("[A-Z]{2}\\d+", ["AB1", "ZZ0099"], ["A1", "ab1", "AB", "AB1x"]),
        ("a?b*c+", ["c", "abbc", "bccc"], ["", "ab", "aabc"]),
        ("\\w{2,4}\\.\\d{1,}", ["ab.1", "_9Zz.12"], ["a.1", "abcde.1", "ab1", "你好.1"]),
        ("[\\d.-]+", ["1-2.3"], ["", "1,2"]),
        (".中", ["x中", "😀中"], ["中", "\n中"]),
    ],
)
def test_a_pattern_fits_the_whole_text_or_none(
    pattern: str, fits: list[str], fits_not: list[str]
) -> None:
    elements = patterns.parsed(pattern)
    assert [patterns.matches(elements, text) for text in fits] == [True] * len(fits)
    assert [patterns.matches(elements, text) for text in fits_not] == [False] * len(fits_not)


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "a|b", "[^a]", "[z-a]", "a{3,2}", "a{900}", "^a", "["]
)
def test_a_pattern_that_could_be_slow_or_mean_two_things_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|range"):
        patterns.parsed(pattern)


def test_a_pattern_is_never_slow() -> None:
    elements = patterns.parsed("a*" * (patterns.ELEMENTS_MAX - 1) + "b")
    assert not patterns.matches(elements, "a" * 199 + "c")


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"all": []},
        {"all": {"question": "a", "is": 1}},
        {"not": {}},
        {"question": "a"},
        {"question": "a", "is": "x", "in": ["y"]},
        {"question": "a", "like": "x"},
        {"question": "a", "is": True},
        {"question": "a", "in": []},
        {"question": "a", "answered": "yes"},
        {"fact": "country", "at_least": "CN"},
        {"all": [{"question": "a", "is": "x"}], "any": []},
        "always",
        {"not": {"not": {"not": {"not": {"not": {"question": "a", "is": 1}}}}}},
    ],
)
def test_a_condition_of_no_known_form_is_refused(condition: object) -> None:
    assert shape_fault(condition) is not None


def test_a_circle_is_found_and_a_long_chain_is_none() -> None:
    assert cycle({"a": ["b"], "b": ["c"], "c": []}) is None
    assert cycle({"a": ["b", "c"], "b": ["c"], "c": []}) is None
    assert cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == "b"
    assert cycle({"a": ["a"]}) == "a"
