"""How fast partners are served: feed, webhooks and lists, each beside a physical limit."""

import argparse
import json

import uvloop

from bench import partners_feed, partners_import, partners_webhooks
from bench.partners_house import partners_house

QUICK = 4


async def measure(*, quick: bool) -> dict[str, dict[str, float]]:
    """Measure each part in turn, and put their ratios and figures together."""
    share = QUICK if quick else 1
    async with partners_house() as house:
        parts = [
            await partners_feed.measure(house, events=partners_feed.EVENTS // share),
            await partners_webhooks.measure(
                house, deliveries=partners_webhooks.DELIVERIES // share
            ),
        ]
    parts.append(await partners_import.measure(count=partners_import.ROWS // share))
    return {
        name: {key: value for part in parts for key, value in part[name].items()}
        for name in ("ratios", "figures")
    }


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench.partners", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of it, for a short look")
    result = uvloop.run(measure(quick=parser.parse_args().quick))
    print(json.dumps({"bench": "partners"} | result))


if __name__ == "__main__":
    main()
