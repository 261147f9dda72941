"""What is found in a row before anything is done with it, in words for both languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.events.base import Bilingual

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a row; `field` is what it is in, `value` what was written there."""

    code: str
    field: str = ""
    value: str = ""
    row: int | None = None
    """The other row, where it is about two."""

    @property
    def level(self) -> Level:
        """Whether the row cannot be registered, or somebody should look."""
        return "warning" if self.code in WARNINGS else "error"

    def content(self) -> dict[str, Any]:
        """Write it as JSON holds it."""
        parts: Mapping[str, Any] = {
            "code": self.code,
            "field": self.field,
            "value": self.value,
            "row": self.row,
        }
        return {name: part for name, part in parts.items() if part not in ("", None)}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Finding":
        """Read a stored one."""
        return cls(**content)

    def told(self, column: str) -> Bilingual:
        """Say it with the column that it is in, as the sheet calls it; without one by itself."""
        words = self.words
        if not column:
            return words
        return Bilingual(en=f"Column {column}: {words.en}", zh=f"{column} 列：{words.zh}")

    @property
    def words(self) -> Bilingual:
        """Say it in both languages."""
        text = WORDS.get(self.code, WORDS["wrong"])
        return Bilingual(
            en=text.en.format(value=self.value, row=self.row),
            zh=text.zh.format(value=self.value, row=self.row),
        )


WARNINGS = frozenset(
    {"similar_company", "same_number_other_name", "same_person", "number_of_other", "not_kept"}
)

WORDS: Mapping[str, Bilingual] = {
    "missing": Bilingual(en="This is missing.", zh="此项缺失。"),
    "wrong": Bilingual(en="This is not accepted: {value}", zh="此项无效：{value}"),
    "email_wrong": Bilingual(
        en="“{value}” is not an e-mail address.", zh="“{value}”不是有效的邮箱地址。"
    ),
    "credit_code_wrong": Bilingual(
        en="“{value}” is not a unified social credit code: 18 characters, the last a check.",
        zh="“{value}”不是有效的统一社会信用代码（18位，末位为校验码）。",
    ),
    "sector_unknown": Bilingual(
        en="The mission has no sector “{value}”: say which one is meant.",
        zh="活动没有行业“{value}”，请指定对应行业。",
    ),
    "country_unknown": Bilingual(
        en="“{value}” is not a country or region that is known.", zh="无法识别国家或地区“{value}”。"
    ),
    "language_unknown": Bilingual(en="“{value}” is not a language.", zh="无法识别语言“{value}”。"),
    "twice": Bilingual(
        en="Row {row} has the same e-mail address.", zh="与第{row}行的邮箱地址相同。"
    ),
    "ref_twice": Bilingual(
        en="Row {row} has the same reference “{value}”.", zh="与第{row}行的编号“{value}”相同。"
    ),
    "similar_company": Bilingual(
        en="This may be the company “{value}”, which is there already.",
        zh="可能与已有单位“{value}”相同。",
    ),
    "same_number_other_name": Bilingual(
        en="The company with this number is called “{value}” here; that name stays.",
        zh="该代码对应的单位在系统中名为“{value}”，将沿用该名称。",
    ),
    "number_of_other": Bilingual(
        en="Row {row} has a company that sounds the same and another number or name.",
        zh="第{row}行的单位读音相同，但代码或名称不同。",
    ),
    "same_person": Bilingual(
        en="Somebody of this name and company is registered with another address.",
        zh="该单位已有同名（同音）人员使用其他邮箱报名。",
    ),
    "broken_text": Bilingual(
        en="Some characters could not be read: save the file as UTF-8.",
        zh="部分字符无法读取，请将文件另存为 UTF-8。",
    ),
    "too_long": Bilingual(
        en="This is too long: {value} characters at most.", zh="内容过长，最多 {value} 个字符。"
    ),
    "number_cut": Bilingual(
        en="Excel has cut this number after 15 digits: format the column as text.",
        zh="Excel 已截断超过15位的数字，请将该列设为文本格式后重新填写。",
    ),
    "cell_error": Bilingual(en="The cell shows an error of Excel.", zh="单元格显示 Excel 错误。"),
    "formula_without_value": Bilingual(
        en="A formula whose value is not in the file: open it in Excel and save it.",
        zh="公式没有保存计算结果，请在 Excel 中打开并保存后再上传。",
    ),
    "answer_wrong": Bilingual(en="This answer is not accepted.", zh="该回答无效。"),
}
