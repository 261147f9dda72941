"""Printing: texts set as PDF by typst, and QR codes.

Setting takes a core for seconds: one at a time in a process leaves the others to those who wait for
an answer.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path

import segno
import typst

from shared.errors import Busy

CJK_FONT = "Noto Sans CJK SC"
WAITING_MAX = 20
RETRY_SECONDS = 5
APART_SECONDS_MAX = 120
REASON_LENGTH_MAX = 300

Content = Mapping[str, object]


class Press:
    """Prints one thing at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def printed(self, work: Callable[[], bytes], *, is_begun: bool = False) -> bytes:
        """Run what sets a PDF in a thread when its turn comes.

        Raises `Busy` where the line is long; what has begun to be answered waits all the same.
        """
        if self._waiting >= WAITING_MAX and not is_begun:
            raise Busy("Much is being printed just now.", retry_seconds=RETRY_SECONDS)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


PRESS = Press()
"""Of the process."""


@cache
def families() -> frozenset[str]:
    """List the families of fonts that are installed."""
    return frozenset(typst.Fonts(include_system_fonts=True).families())


def typeset(template: Path, content: Content) -> bytes:
    """Set a template as PDF; it reads `content`, so that no text has to be escaped.

    It takes up to seconds: call it in a thread.
    """
    pdf: bytes = typst.compile(str(template), sys_inputs={"content": json.dumps(content)})
    return pdf


def typeset_apart(template: Path, content: Content) -> bytes:
    """Set a template, without tags, in a process that ends with it.

    typst keeps what it set in memory: a megabyte and more a page, which many pages would add up to.
    Raises `RuntimeError` or `subprocess.TimeoutExpired` when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "shared.typesetting", str(template)],
        input=json.dumps(content).encode(),
        capture_output=True,
        timeout=APART_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-REASON_LENGTH_MAX:]
        raise RuntimeError(f"Typesetting ended with {done.returncode}: {said}")
    return done.stdout


def qr(text: str, *, error: str = "m", border: int = 0) -> str:
    """Draw a text as a QR code, in SVG without a size of its own."""
    drawn = BytesIO()
    symbol = segno.make(text, micro=False, error=error, boost_error=False)
    symbol.save(drawn, kind="svg", xmldecl=False, border=border, omitsize=True, light="#fff")
    return drawn.getvalue().decode()
