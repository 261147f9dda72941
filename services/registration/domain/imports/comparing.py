"""The same list sent again: what is new, changed, gone, or changed on both sides."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

Who = Literal["theirs", "ours", "both"]

COMPARED = (
    "full_name",
    "native_name",
    "latin_name",
    "email",
    "position",
    "language",
    "languages",
    "organization",
    "native_organization",
    "country",
    "registration_number",
    "sectors",
    "size",
)
IN_ANY_ORDER = ("sectors", "languages")


class Kind(StrEnum):
    """What a row is beside the list as it was applied last, and beside what is on file here."""

    INVALID = "invalid"
    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    CONFLICTING = "conflicting"
    GONE = "gone"
    KNOWN = "known"
    """Somebody else brought this person: nothing here is this partner's to change."""


APPLICABLE = (Kind.NEW, Kind.CHANGED, Kind.CONFLICTING, Kind.GONE)


def compared(
    theirs: Mapping[str, Any], before: Mapping[str, Any] | None, ours: Mapping[str, Any]
) -> dict[str, Who]:
    """Say field by field who changed it since the list was applied last: they, we, or both.

    A field that the list does not have is nobody's. Where no list came before, both did.
    """
    found: dict[str, Who] = {}
    for name in COMPARED:
        if name not in theirs:
            continue
        their, our = _plain(name, theirs.get(name)), _plain(name, ours.get(name))
        if their == our:
            continue
        was = _plain(name, before.get(name)) if before is not None else None
        if before is not None and their == was:
            found[name] = "ours"
        elif before is not None and our == was:
            found[name] = "theirs"
        else:
            found[name] = "both"
    return found


def kind_of(differences: Mapping[str, Who]) -> Kind:
    """Give the kind of a row that is on file here already."""
    if "both" in differences.values():
        return Kind.CONFLICTING
    return Kind.CHANGED if "theirs" in differences.values() else Kind.SAME


def _plain(name: str, value: Any) -> Any:  # a text, a list, or nothing
    if name in IN_ANY_ORDER:
        return sorted(value or ())
    if name == "email":
        return str(value or "").casefold()
    return value or ""
