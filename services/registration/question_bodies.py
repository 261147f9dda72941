"""What callers send about questions of forms."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, JsonValue, StrictBool, StringConstraints

from services.registration.bodies import BothNames, BothTexts, Code
from services.registration.domain.questions import FILE_BYTES_MAX, FILE_TYPES, Kind
from shared.http import Body

CHOICES_MAX = 100
ORDER_MAX = 200

ChoiceCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Length = Annotated[int, Field(strict=True, ge=1, le=4_000)]
FileType = Literal["pdf", "png", "jpeg", "docx", "xlsx"]
assert FileType.__args__ == FILE_TYPES  # type: ignore[attr-defined]  # a Literal has it


class FormChoiceBody(Body):
    """One answer to choose."""

    code: ChoiceCode
    label: BothNames


class FormLimitsBody(Body):
    """What an answer keeps to; `min` and `max` are of a number, a date, or a count of choices."""

    length_min: Length | None = None
    length_max: Length | None = None
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    min: Annotated[int | float, Field(allow_inf_nan=False)] | str | None = None
    max: Annotated[int | float, Field(allow_inf_nan=False)] | str | None = None
    is_whole: Literal[True] | None = None
    types: list[FileType] | None = Field(default=None, min_length=1, max_length=len(FILE_TYPES))
    bytes_max: Annotated[int, Field(strict=True, ge=1, le=FILE_BYTES_MAX)] | None = None


class FormQuestionChangeBody(Body):
    """What is changed about a question; its code, kind and place in the mission stay."""

    label: BothNames | None = None
    help: BothTexts | None = None
    section: BothNames | None = None
    choices: list[FormChoiceBody] = Field(default_factory=list, max_length=CHOICES_MAX)
    is_required: StrictBool = False
    is_material: StrictBool = False
    limits: FormLimitsBody = FormLimitsBody()
    when: dict[str, JsonValue] | None = None

    def changes(self) -> dict[str, Any]:
        """Give what was sent, as it is kept."""
        sent = self._kept(self.model_fields_set)
        if sent.get("label", sent) is None:
            del sent["label"]
        return sent

    def _kept(self, names: set[str]) -> dict[str, Any]:
        kept = self.model_dump(include=names)
        if "limits" in kept:
            kept["limits"] = {k: v for k, v in kept["limits"].items() if v is not None}
        return kept


class FormQuestionBody(FormQuestionChangeBody):
    """A question: of the whole mission, of one stop, or of those who chose one item."""

    code: Code
    kind: Kind
    label: BothNames
    stop_id: UUID | None = None
    programme_item_id: UUID | None = None

    def definition(self) -> dict[str, Any]:
        """Give all of it, as it is kept."""
        return self._kept({"kind", *FormQuestionChangeBody.model_fields})


class FormOrderBody(Body):
    """Questions in the order in which they are to be asked."""

    ids: list[UUID] = Field(min_length=2, max_length=ORDER_MAX)
