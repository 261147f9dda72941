"""How well and how fast offers and needs are matched, beside n-grams without a taxonomy.

`python -m bench.matching FILE` takes a file of graded texts; without one it is
`tests/services/matching/graded.yaml`. All times are of the processor, not of the clock.
"""

import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import numpy as np
import yaml

from services.matching.domain.scoring import Profile, Recommendation, Scorer
from services.matching.domain.scoring.concepts import Floats, Space, space
from services.matching.domain.scoring.taxonomy import taxonomy
from shared.events.base import Bilingual, Side
from shared.events.registration import Listing

GRADED = Path(__file__).parents[1] / "tests" / "services" / "matching" / "graded.yaml"
REMOVALS = 8
"""How many times a quarter of the terms is removed at random."""
PLACES = 5
PEOPLE, CROWD, BEST = 1_000, 10_000, 20
"""All of a side against as many; one against a crowd; how many counterparts each is told of."""
RUNS = 7

Graded = dict[str, list[dict[str, Any]]]
Rankings = list[list[str]]


def main() -> None:
    """Measure, say it on the way, and end with one line of JSON."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else GRADED
    graded: Graded = yaml.safe_load(path.read_text())
    ndcg, mrr = quality(graded, ranked_by_scorer(graded))
    plain, plain_mrr = quality(graded, ranked_by(graded, _characters(graded)))
    thinned = [
        quality(graded, ranked_by(graded, without_a_quarter(seed)))[0] for seed in range(REMOVALS)
    ]
    print(f"nDCG@5 {ndcg:.3f}, MRR {mrr:.3f}; n-grams alone {plain:.3f}, {plain_mrr:.3f}")
    figures = {
        "ndcg_at_5": round(ndcg, 4),
        "mrr": round(mrr, 4),
        "ndcg_at_5_with_three_quarters": {
            "mean": round(float(np.mean(thinned)), 4),
            "worst": round(min(thinned), 4),
        },
        "ndcg_at_5_of_plain_ngrams": round(plain, 4),
        "given_a_reason": reasoned(graded),
        "needs": len(graded["needs"]),
        "concepts": len(taxonomy().concepts),
        "terms": len(taxonomy().terms()),
        **times(graded),
    }
    ratios = {"ndcg_at_5_to_plain_ngrams": round(ndcg / plain, 3)}
    print(json.dumps({"bench": "matching", "ratios": ratios, "figures": figures}))


def quality(graded: Graded, rankings: Rankings) -> tuple[float, float]:
    """Give the mean nDCG@5 (Järvelin and Kekäläinen, 2002) and the mean reciprocal rank.

    Reciprocal is the rank of the first offer of a need's best grade.
    """
    gains, ranks = [], []
    for need, ranking in zip(graded["needs"], rankings, strict=True):
        grades = [need["relevant"].get(offer, 0) for offer in ranking]
        gains.append(_gain(grades) / _gain(sorted(grades, reverse=True)))
        ranks.append(1 / (grades.index(max(grades)) + 1))
    return float(np.mean(gains)), float(np.mean(ranks))


def _gain(grades: Sequence[int]) -> float:
    return sum((2.0**g - 1) / math.log2(place + 2) for place, g in enumerate(grades[:PLACES]))


def ranked_by_scorer(graded: Graded) -> Rankings:
    """Rank the offers for each need as the product does, sectors unknown."""
    return [[offer for offer, _ in line] for line in _recommended(graded)]


def reasoned(graded: Graded) -> dict[str, float]:
    """Say which share is given a reason of what fits best, and of the best five that do not fit.

    The latter is too high by what fits though nobody graded it.
    """
    told: dict[str, list[bool]] = {"what_fits": [], "what_does_not": []}
    for need, line in zip(graded["needs"], _recommended(graded), strict=True):
        best = max(need["relevant"].values())
        for place, (offer, is_told) in enumerate(line):
            grade = need["relevant"].get(offer, 0)
            if grade == best:
                told["what_fits"].append(is_told)
            elif not grade and place < PLACES:
                told["what_does_not"].append(is_told)
    return {name: round(float(np.mean(found)), 4) for name, found in told.items()}


def _recommended(graded: Graded) -> list[list[tuple[str, bool]]]:
    """List for each need the offers, the best first, and whether a reason is given."""
    offers = [_someone(n, "delegation", one["text"]) for n, one in enumerate(graded["offers"])]
    names = {one.id: graded["offers"][n]["id"] for n, one in enumerate(offers)}
    scorer = Scorer(offers, {})
    rankings = []
    for number, need in enumerate(graded["needs"]):
        asking = _someone(10_000 + number, "local", need["text"])
        ranked = scorer.ranked(asking, offers)
        rankings.append([(names[r.counterpart_id], bool(r.reasons)) for r in ranked])
        scorer.drop(asking.id)
    return rankings


def ranked_by(graded: Graded, place: Callable[[Bilingual], Floats]) -> Rankings:
    """Rank the offers for each need by how near they are in some space."""
    offers = np.array([place(_bilingual(one["text"])) for one in graded["offers"]])
    needs = np.array([place(_bilingual(one["text"])) for one in graded["needs"]])
    order = np.argsort(-(needs @ offers.T), axis=1, kind="stable")
    return [[graded["offers"][n]["id"] for n in line] for line in order]


def without_a_quarter(seed: int) -> Callable[[Bilingual], Floats]:
    """Make the product's space with a quarter of its terms removed at random."""
    terms = taxonomy().terms()
    removed = random.Random(seed).sample(terms, len(terms) // 4)  # noqa: S311  # no secret
    return Space(taxonomy(), set(removed)).vector


def _characters(graded: Graded) -> Callable[[Bilingual], Floats]:
    """Make the peer: TF-IDF over runs of two to four characters of these texts."""
    texts = [one["text"].lower() for one in graded["offers"] + graded["needs"]]
    known = Counter(gram for text in texts for gram in set(_runs(text)))
    number = {gram: n for n, gram in enumerate(known)}

    def place(text: Bilingual) -> Floats:
        vector = np.zeros(len(number), np.float32)
        for gram, count in Counter(_runs((text.en or text.zh).lower())).items():
            vector[number[gram]] = count * (1 + math.log((1 + len(texts)) / (1 + known[gram])))
        scaled: Floats = vector / (np.linalg.norm(vector) or 1)
        return scaled

    return place


def _runs(text: str) -> list[str]:
    return [text[n : n + length] for length in (2, 3, 4) for n in range(len(text) - length + 1)]


def times(graded: Graded) -> dict[str, float]:
    """Measure a thousand against a thousand, and one who changed against ten thousand."""
    delegates = [
        _someone(number, "delegation", text)
        for number, text in enumerate(_many(graded["offers"], PEOPLE))
    ]
    locals_ = [
        _someone(CROWD + number, "local", text)
        for number, text in enumerate(_many(graded["needs"], CROWD))
    ]
    scorer = Scorer([*delegates, *locals_[:PEOPLE]], {})

    def everybody() -> list[list[Recommendation]]:
        best = scorer.everybody(BEST)
        return [best.of(one.id) for one in delegates]

    pairs = _cpu_ms(everybody)
    crowded = Scorer([delegates[0], *locals_], {})
    crowded.ranked(delegates[0], locals_, BEST)
    text = graded["offers"][0]["text"]
    changed = iter([_someone(0, "delegation", f"{text} anew {n}") for n in range(RUNS)])
    one = _cpu_ms(lambda: crowded.ranked(next(changed), locals_, BEST))
    fresh = [_bilingual(f"{text} once more") for text in _many(graded["offers"], 200)]
    placing = _cpu_ms(lambda: [space().vector(text) for text in fresh]) / len(fresh)
    return {
        "placing_a_text_cpu_ms": round(placing, 2),
        "all_pairs_with_reasons_cpu_ms": round(pairs, 1),
        "one_against_all_cpu_ms": round(one, 1),
        "people_a_side": PEOPLE,
        "others_of_the_one": len(locals_),
    }


def _many(listed: list[dict[str, Any]], count: int) -> list[str]:
    """Give so many texts that differ, the same ones over and over with a number."""
    return [f"{one['text']} {n}" for n, one in enumerate(islice(cycle(listed), count))]


def _cpu_ms(do: Callable[[], object]) -> float:
    """Give the median of some runs, in milliseconds of all processors together."""
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        do()
        taken.append(time.process_time() - start)
    return float(np.median(taken)) * 1000


def _someone(number: int, side: Side, text: str) -> Profile:
    kind: Literal["offer", "need"] = "offer" if side == "delegation" else "need"
    return Profile(
        id=UUID(int=number),
        side=side,
        organization=f"Sample {number:05}",
        native_organization=None,
        sectors=frozenset(),
        languages=frozenset({"en" if side == "delegation" else "zh"}),
        listings=(Listing(kind=kind, sector="", text=_bilingual(text)),),
    )


def _bilingual(text: str) -> Bilingual:
    is_chinese = any("\u4e00" <= character <= "\u9fff" for character in text)
    return Bilingual(en="" if is_chinese else text, zh=text if is_chinese else "")


if __name__ == "__main__":
    main()
