from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shared.access import Principal
    from tests.services.registration.applications.conftest import Company, Selection


@pytest.fixture
async def ana(selection: "Selection") -> "Company":
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review")
    return company


async def seen(selection: "Selection", company: "Company", who: "Principal") -> dict[str, Any]:
    answer = await selection.ask("GET", f"/applications/{company.id}/reviews", who=who)
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


async def test_a_reviewer_sees_the_others_only_after_his_own(
    selection: "Selection", ana: "Company"
) -> None:
    first, second = selection.staff, selection.staff
    await selection.review(ana, first, 5, 1, comment="A secret of the first.")
    listing = f"/missions/{selection.mission}/applications"
    page = f"/desk/applications/{ana.id}"

    before = await seen(selection, ana, second)
    assert (before["is_open"], before["number"], before["mine"]) == (False, 1, None)
    assert (before["items"], before["mean"], before["by_criterion"]) == ([], None, {})
    (entry,) = (await selection.ask("GET", listing, who=second)).json()["items"]
    assert (entry["reviews"], entry["mean"], entry["is_disputed"]) == (1, None, None)
    shown = await selection.house.page(page, second)
    assert "A secret of the first." not in shown
    assert "Weighted mean" not in shown
    lists = await selection.house.page(f"/desk/missions/{selection.mission}/applications", second)
    assert "Reviews: 1; give yours to see them" in lists
    assert "3.4" not in lists

    await selection.review(ana, second, 3, 3)

    after = await seen(selection, ana, second)
    assert after["is_open"]
    assert [item["mean"] for item in after["items"]] == pytest.approx([3.4, 3.0])
    assert "A secret of the first." in await selection.house.page(page, second)
    (entry,) = (await selection.ask("GET", listing, who=second)).json()["items"]
    assert entry["mean"] == pytest.approx(3.2)


async def test_when_all_is_decided_everybody_sees_the_scores(
    selection: "Selection", ana: "Company"
) -> None:
    await selection.review(ana, selection.staff, 4, 4)
    await selection.led(ana, "select")
    assert (await seen(selection, ana, selection.staff))["mean"] == pytest.approx(4)


async def test_disagreement_is_shown_by_criterion(selection: "Selection", ana: "Company") -> None:
    first, second = selection.staff, selection.staff
    await selection.review(ana, first, 5, 3)
    await selection.review(ana, second, 2, 3)

    found = await seen(selection, ana, first)

    fit, plan = await selection.criteria()
    assert found["by_criterion"][str(fit)] == {"lowest": 2, "highest": 5, "is_disputed": True}
    assert not found["by_criterion"][str(plan)]["is_disputed"]
    assert found["is_disputed"]
    page = await selection.house.page(f"/desk/applications/{ana.id}", first)
    # In the row of the criterion and in that of the means, which are 1.8 apart.
    assert page.count("Disagreement") == 2
    listing = await selection.house.page(f"/desk/missions/{selection.mission}/applications", first)
    assert listing.count("Disagreement") == 1


@pytest.mark.parametrize("scores", [(5,), (), (0, 5), (5, 6)])
async def test_a_review_scores_every_criterion_from_one_to_five(
    selection: "Selection", ana: "Company", scores: tuple[int, ...]
) -> None:
    assert (await selection.review(ana, selection.staff, *scores)).status_code == 422
    assert await selection.house.rows("SELECT FROM review") == []


async def test_a_revised_review_keeps_what_was_given_unseen(
    selection: "Selection", ana: "Company"
) -> None:
    who = selection.staff
    await selection.review(ana, who, 5, 5)
    await selection.review(ana, who, 2, 5)

    (mine,) = (await seen(selection, ana, who))["items"]

    assert [(one["score"], one["first_score"]) for one in mine["scores"]] == [(2, 5), (5, 5)]
    assert mine["revised_at"] is not None
    assert "first 5" in await selection.house.page(f"/desk/applications/{ana.id}", who)


async def test_who_abstains_sees_the_scores_and_gives_none(
    selection: "Selection", ana: "Company"
) -> None:
    await selection.review(ana, selection.staff, 4, 2)
    who = selection.staff
    path = f"/applications/{ana.id}/review"

    answer = await selection.ask("PUT", path, {"abstain": True}, who)

    assert (answer.status_code, answer.json()["mean"]) == (200, pytest.approx(3.2))
    assert (await selection.review(ana, who, 5, 5)).json()["code"] == "abstained"
    scored = selection.staff
    await selection.review(ana, scored, 4, 2)
    answer = await selection.ask("PUT", path, {"abstain": True}, scored)
    assert answer.json()["code"] == "reviewed"


async def test_only_what_is_in_review_is_scored(selection: "Selection") -> None:
    company = await selection.submitted("bo")
    assert (await selection.review(company, selection.staff, 4, 4)).status_code == 409


async def test_the_list_is_ranked_by_weighted_mean(selection: "Selection") -> None:
    who, others = selection.staff, []
    for name, scores in (("ana", (2, 5)), ("bo", (5, 2)), ("chen", (3, 3))):
        company = await selection.submitted(name)
        await selection.led(company, "begin_review")
        await selection.review(company, who, *scores)
        others.append(company)
    await selection.submitted("dai")

    found = await selection.ask("GET", f"/missions/{selection.mission}/applications", who=who)

    assert [(one["organization"], one["rank"]) for one in found.json()["items"]] == [
        ("Bo Inc.", 1),
        ("Ana Inc.", 2),
        ("Chen Inc.", 3),
        ("Dai Inc.", None),
    ]
    path = f"/missions/{selection.mission}/applications?status=submitted"
    only = (await selection.ask("GET", path, who=who)).json()["items"]
    assert [one["organization"] for one in only] == ["Dai Inc."]
