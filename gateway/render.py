"""Fill in the gateway's template outside a container: `python gateway/render.py FILE`.

Takes the GATEWAY_ variables from the environment, as the nginx image does.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

TEMPLATE = Path(__file__).with_name("nginx.conf.template")
DEFAULTS = {"GATEWAY_RESOLVER": "127.0.0.1"}
"""Plain addresses are never asked for, but nginx wants a resolver."""


def render(variables: Mapping[str, str]) -> str:
    """Give the configuration; raises `KeyError` for a variable that is missing."""
    values = {**DEFAULTS, **variables}
    return re.sub(r"\$\{(GATEWAY_\w+)\}", lambda name: values[name[1]], TEMPLATE.read_text())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(os.environ))
