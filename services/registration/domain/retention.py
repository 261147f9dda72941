"""Retention: how long each thing about people is kept, and when it is due to go."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from shared.errors import Fault, Invalid
from shared.events.base import Bilingual

Since = Literal["mission", "row"]
Holder = Literal["registration", "matching", "notify"]

EXPORTS_ALARM = 80_000
EXPORTS_LIMIT = 100_000
"""Above it, people's data leave China by other rules (CAC provisions of 22 March 2024)."""

DAYS_MIN, DAYS_MAX = 1, 3_660


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept for how long, counted from the mission's last day or from the row's own time."""

    code: str
    days: int
    since: Since
    title: Bilingual
    holder: Holder = "registration"
    is_for_a_mission: bool = True
    """Whether a mission may set another number of days."""

    def due(self, ends_on: date, days: int) -> datetime:
        """Give when what a mission left is due to go."""
        # The day after, wherever the mission was: its last day is over everywhere by then.
        over = datetime.combine(ends_on, time(), UTC) + timedelta(days=2)
        return over + timedelta(days=days)


RULES: tuple[Rule, ...] = (
    Rule(
        "answers",
        30,
        "mission",
        Bilingual(
            en="Answers to questions of the form, such as dietary needs",
            zh="报名表问题的回答，如饮食需求",
        ),
    ),
    Rule(
        "files",
        30,
        "mission",
        Bilingual(en="Files sent with a form", zh="随表单上传的文件"),
    ),
    Rule(
        "scans",
        90,
        "mission",
        Bilingual(en="Who was scanned at which door", zh="签到扫码记录"),
    ),
    Rule(
        "contact_details",
        730,
        "mission",
        Bilingual(
            en="Names, e-mail addresses and positions: the person is erased",
            zh="姓名、邮箱与职务（届时删除该人员资料）",
        ),
    ),
    Rule(
        "consents",
        1_095,
        "mission",
        Bilingual(
            en="What was agreed to, by id, as proof (PIPL: three years)",
            zh="同意记录（仅含编号，作为证明；《个人信息保护法》要求三年）",
        ),
    ),
    Rule(
        "drafts",
        30,
        "row",
        Bilingual(en="Forms begun and never sent", zh="未提交的表单草稿"),
    ),
    Rule(
        "imports",
        30,
        "row",
        Bilingual(
            en="What was written in lists of partners; what became of each row stays, by id",
            zh="合作方名单的原始内容（每行的处理结果仅按编号保留）",
        ),
        is_for_a_mission=False,
    ),
    Rule(
        "idempotency",
        3,
        "row",
        Bilingual(en="Answers to repeated requests", zh="重复请求的应答"),
        is_for_a_mission=False,
    ),
    Rule(
        "audit",
        2_190,
        "row",
        Bilingual(en="Who did what, by id", zh="操作记录（仅含编号）"),
        is_for_a_mission=False,
    ),
    Rule(
        "request_messages",
        90,
        "row",
        Bilingual(en="What was written with a request to meet", zh="洽谈申请附言"),
        holder="matching",
        is_for_a_mission=False,
    ),
    Rule(
        "mails",
        90,
        "row",
        Bilingual(en="Which mail went to whom, by id", zh="邮件发送记录（仅含编号）"),
        holder="notify",
        is_for_a_mission=False,
    ),
)
"""Every rule there is. `days` is what is usual."""

BY_CODE: Mapping[str, Rule] = {rule.code: rule for rule in RULES}


def days_of(rule: Rule, set_by_mission: Mapping[str, int]) -> int:
    """Give how many days a rule keeps things in a mission."""
    return set_by_mission.get(rule.code, rule.days)


def check_days(days: Mapping[str, int]) -> None:
    """Check what a mission sets; raises `Invalid` and names every field."""
    faults = []
    for code, number in days.items():
        rule = BY_CODE.get(code)
        if rule is None or not rule.is_for_a_mission:
            faults.append(Fault(f"/retention/{code}", "A mission cannot set this."))
        elif not DAYS_MIN <= number <= DAYS_MAX:
            faults.append(Fault(f"/retention/{code}", f"Between {DAYS_MIN} and {DAYS_MAX} days."))
    if faults:
        raise Invalid("Some fields are wrong.", faults=faults)


def is_alarming(people: int) -> bool:
    """Say whether so many people's data crossed the border in a year that somebody must look."""
    return people >= EXPORTS_ALARM
