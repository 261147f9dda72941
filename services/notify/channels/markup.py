"""Letters as HTML, for mail programs: the same words as the plain text, easier on the eye.

What staff may edit is the plain text, and this follows from its shape alone: an empty line parts
paragraphs, a line of its own with the reader's link is a button, and indented lines belong to the
line above them, as a meeting's do to its time. Styles stand in the tags and frames are tables:
Outlook lays out as Word does, and 163 drops style sheets.
"""

from html import escape

from services.notify.domain.links import host_of, parts
from services.notify.domain.templates import Template
from shared.events.base import Language

Link = tuple[str, str]
"""Where a letter leads its reader, empty for nowhere, and what that is called."""

_FONT = "-apple-system,'Segoe UI','PingFang SC','Microsoft YaHei',Arial,sans-serif"
_TABLE = '<table role="presentation" cellspacing="0" cellpadding="0" border="0"'

_BEGIN = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light">'
)
_FRAME = (
    '<body style="margin:0;background:#f3f6f7">'
    f'{_TABLE} width="100%" style="background:#f3f6f7"><tr>'
    '<td align="center" style="padding:16px 8px">'
    f'{_TABLE} width="100%" style="max-width:600px;background:#fff;border-top:4px solid #0b5563">'
    f'<tr><td style="padding:24px;font:16px/1.5 {_FONT};color:#14212b;'
    'overflow-wrap:anywhere;text-align:left">'
)
_END = "</td></tr></table></td></tr></table></body></html>\n"
_HEADING = '<h1 style="margin:0 0 16px;font-size:20px;line-height:1.3">'
_PARAGRAPH = '<p style="margin:0 0 16px">'
_ENTRY = '<p style="margin:0 0 16px;padding-left:12px;border-left:4px solid #0b5563">'
_BUTTON = (
    f'{_TABLE} style="margin:0 0 16px"><tr><td bgcolor="#0b5563" style="border-radius:8px">'
    '<a href="%s" style="display:inline-block;padding:12px 20px;color:#fff;font-weight:bold;'
    'text-decoration:none">%s</a></td></tr></table>'
)


def page_of(text: Template, language: Language, link: Link) -> str:
    """Write a letter as a page of HTML that loads nothing."""
    lang = "zh-Hans" if language == "zh" else language
    subject = escape(text.subject)
    blocks = (_block(block, link) for block in text.body.strip("\n").split("\n\n"))
    return "".join(
        (
            f'<!doctype html><html lang="{lang}"><head>{_BEGIN}<title>{subject}</title></head>',
            f"{_FRAME}{_HEADING}{subject}</h1>",
            *blocks,
            _END,
        )
    )


def _block(block: str, link: Link) -> str:
    lines = block.split("\n")
    address, words = link
    button = ""
    if address and address in lines:
        lines.remove(address)
        button = _BUTTON % (escape(address), escape(words))
    if not any(lines):
        return button
    if any(line.startswith("  ") for line in lines):
        first, *others = map(_line, lines)
        return _ENTRY + "<br>".join((f"<b>{first}</b>", *others)) + f"</p>{button}"
    return _PARAGRAPH + "<br>".join(map(_line, lines)) + f"</p>{button}"


def _line(line: str) -> str:
    return "".join(
        _anchor(part) if is_link else _text(part) for part, is_link in parts(line.strip())
    )


def _text(text: str) -> str:
    return escape(text).replace("  ", " \N{NO-BREAK SPACE}")


def _anchor(link: str) -> str:
    """Lead on; a long address with a secret in it is not for reading."""
    return f'<a href="{escape(link)}" style="color:#0b5563">{escape(host_of(link))}</a>'
