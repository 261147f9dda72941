"""What others wrote, as it may stand in a mail: where a link is in it, and what no reader sees.

One pattern finds links for mails and for the mailbox.
"""

import re
from collections.abc import Iterator

from shared.marks import without_marks

_UNSEEN = r"\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
"""Controls, and what turns a line round or takes no room: an address with such in it is none."""
_END = r"\s<>\"，。；：！？、（）【】" + _UNSEEN
_LINK = re.compile(rf"https?://[^{_END}]*[^{_END}.,;:!?)\]]")
"""Without the mark that ends a sentence behind it."""
_HOST = re.compile(r"://(?:[^/?#\\]*@)?([^/?#\\]+)")


def as_a_name(text: str) -> str:
    """Write a name that somebody chose: in one line, and no link of a mail of ours."""
    return " ".join(without_marks(text).split()).replace("://", ": //")


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """Split a text into what is a link (true) and what is not, in its order."""
    end = 0
    for found in _LINK.finditer(text):
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False


def host_of(link: str) -> str:
    """Say where a link leads, without a name put before it as if it led there."""
    found = _HOST.search(link)
    return found[1] if found else link
