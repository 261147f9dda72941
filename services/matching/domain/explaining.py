"""Explaining: a misfit as a sentence in both languages, with companies, tables and times."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.matching.domain.ground import Misfit
from services.matching.domain.versions import Entry
from shared.events.base import Bilingual

_REASONS: Mapping[str, tuple[str, str]] = {
    "fixed": ("it was moved or begun since", "该洽谈已被改期或已开始"),
    "cancelled": ("it was cancelled since", "该洽谈已被取消"),
    "refused": ("one of the two does not want this meeting", "其中一方不希望安排此洽谈"),
    "excluded": ("the organiser keeps these two apart", "主办方已排除双方洽谈"),
    "vetoed": ("a host of this stop vetoed this meeting", "本站合作方否决了此洽谈"),
    "left_out": ("staff took this meeting out by hand", "工作人员已手动移除此洽谈"),
    "met_elsewhere": ("these two meet at another stop", "双方已在其他站点洽谈"),
    "company_met": (
        "{what} meets this company already: {other}",
        "{what}已与该企业洽谈：{other}",
    ),
    "no_place": ("{what} has no place at this session", "{what}在本场没有名额"),
    "closed": ("{what} is closed then", "{what}届时停用"),
    "taken": ("{what} is taken then by {other}", "{what}届时已被占用：{other}"),
    "not_free": ("{what} is not free then", "{what}届时没有空"),
    "too_far": (
        "{what} has no time for the way from or to {other}",
        "{what}来不及往返于此洽谈与：{other}",
    ),
    "not_owner": ("{what} is another company's booth", "{what}是其他企业的展位"),
    "out_of_order": ("it is in the wrong order with {other}", "与以下洽谈的先后顺序不符：{other}"),
    "no_rest": ("{what} would speak too long without a rest", "{what}连续工作时间过长，没有休息"),
    "too_many": (
        "{what} would have more meetings than allowed",
        "{what}的洽谈场次将超过上限",
    ),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What people, points and times are called; companies stand for their people."""

    companies: Mapping[UUID, Bilingual]
    points: Mapping[UUID, str]
    zone: ZoneInfo

    def of(self, resource_id: UUID) -> Bilingual:
        """Name a person by company, a point by its label; who is left is an interpreter."""
        label = self.points.get(resource_id)
        if label is not None:
            return Bilingual(en=label, zh=label)
        return self.companies.get(resource_id) or Bilingual(en="The interpreter", zh="翻译")

    def meeting(self, entry: Entry) -> Bilingual:
        """Name a meeting: its two companies, when and where."""
        delegate, local = (self.of(person) for person in entry.people)
        where = f"{self.time(entry.starts_at)}, {self.points.get(entry.point_id, '?')}"
        return Bilingual(
            en=f"{delegate.en} – {local.en} ({where})",
            zh=f"{delegate.in_('zh')}与{local.in_('zh')}（{where}）",
        )

    def time(self, moment: datetime) -> str:
        """Write a time by the stop's clock."""
        return moment.astimezone(self.zone).strftime("%H:%M")


def reason(misfit: Misfit, names: Names) -> Bilingual:
    """Say why a meeting is not possible, without naming it."""
    what = names.of(misfit.resource_id) if misfit.resource_id else Bilingual(en="", zh="")
    other = names.meeting(misfit.other) if misfit.other else Bilingual(en="", zh="")
    en, zh = _REASONS[misfit.code]
    return Bilingual(
        en=en.format(what=what.en, other=other.en),
        zh=zh.format(what=what.in_("zh"), other=other.in_("zh")),
    )


def sentence(misfit: Misfit, names: Names) -> Bilingual:
    """Say which meeting is not possible, and why."""
    meeting, why = names.meeting(misfit.entry), reason(misfit, names)
    return Bilingual(en=f"{meeting.en}: {why.en}.", zh=f"{meeting.zh}：{why.zh}。")
