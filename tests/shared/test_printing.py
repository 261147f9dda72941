"""PDFs as they are set, bound into one and read by programs that are strict about them."""

import asyncio
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest

from shared import printing
from shared.errors import Busy
from shared.pdfs import Binder
from shared.printing import Press, qr, typeset_apart

TEMPLATE = """
#let content = json(bytes(sys.inputs.at("content")))
#set text(font: "Noto Sans CJK SC")
#for page-text in content.pages { page(page-text) }
#image(bytes(content.code), format: "svg", width: 2cm)
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "some.typ"
    file.write_text(TEMPLATE)
    return file


def bound(parts: list[bytes], title: str = "样例 (1 0 R)") -> bytes:
    binder = Binder(title)
    return b"".join([binder.begin(), *map(binder.add, parts), binder.end()])


def pages_of(pdf: bytes) -> list[str]:
    done = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True)
    assert done.stderr == b""
    return [re.sub(r"\s+", " ", page).strip() for page in done.stdout.decode().split("\f")[:-1]]


def test_parts_are_bound_in_their_order_with_their_own_fonts(
    template: Path, tmp_path: Path
) -> None:
    texts = [["one stream 7 0 R", "二"], ["three endobj"], ["四", "five", "六"]]
    code = qr("https://mission.example.org/day")
    parts = [typeset_apart(template, {"pages": pages, "code": code}) for pages in texts]
    whole = tmp_path / "whole.pdf"
    whole.write_bytes(bound(parts))

    # After each part its last page with the code, which has no text.
    expected = [text for pages in texts for text in (*pages, "")]
    assert pages_of(whole.read_bytes()) == expected
    told = subprocess.run(["pdfinfo", whole], capture_output=True, text=True, check=True).stdout
    assert "样例 (1 0 R)" in told
    drawn = subprocess.run(
        ["pdftoppm", "-r", "20", whole, tmp_path / "p"], capture_output=True, check=True
    )
    assert drawn.stderr == b""


@pytest.mark.parametrize("part", [b"", b"%PDF-1.7\n", b"startxref\n9\n%%EOF\n"])
def test_what_is_no_pdf_is_not_bound(part: bytes) -> None:
    with pytest.raises(ValueError, match="PDF"):
        Binder("any").add(part)


def test_a_template_that_fails_says_so_without_the_content(tmp_path: Path) -> None:
    template = tmp_path / "broken.typ"
    template.write_text('#panic("of its own accord")')

    with pytest.raises(RuntimeError, match="of its own accord") as failed:
        typeset_apart(template, {"name": "Sample Person"})

    assert "Sample Person" not in str(failed.value)


async def test_one_thing_is_printed_at_a_time_and_a_long_line_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(printing, "WAITING_MAX", 2)
    press, running, most = Press(), 0, 0
    loop = asyncio.get_running_loop()
    release = asyncio.Event()

    def work(number: int) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        running -= 1
        return b"%d" % number

    tasks = [asyncio.create_task(press.printed(partial(work, n))) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await press.printed(partial(work, 2))
    tasks.append(asyncio.create_task(press.printed(partial(work, 3), is_begun=True)))
    await asyncio.sleep(0)
    release.set()

    assert await asyncio.gather(*tasks) == [b"0", b"1", b"3"]
    assert most == 1
