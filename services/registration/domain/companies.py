"""Companies: what is left of a name without legal form and place, and when two are likely one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import product
from typing import Any, Literal
from uuid import UUID

from services.registration.domain.names import folded, pinyin, split
from services.registration.domain.people import is_credit_code, plain_number

ReasonCode = Literal[
    "same_number",
    "same_name",
    "same_native_name",
    "same_sound",
    "similar_name",
    "other_place",
    "other_country",
]

SCORE_MIN = 0.6
RATIO_MIN = 0.82
_SCORES: dict[ReasonCode, float] = {
    "same_number": 1.0,
    "same_native_name": 0.95,
    "same_name": 0.9,
    "same_sound": 0.85,
}
_SAYS_MORE = 0.75
_OTHER_PLACE = 0.15
_OTHER_COUNTRY = 0.2

_LEGAL_WORDS = frozenset(
    re.findall(
        r"\w+",
        "co company corp corporation inc incorporated ltd limited llc llp lp plc pte pty pvt gmbh "
        "ag kg se sa sas sarl srl spa bv nv ab as oy aps kk group holding holdings the and of",
    )
)
_LEGAL_ENDING = re.compile(
    "(?:股份有限公司|有限责任公司|有限公司|股份公司|总公司|分公司|公司|集团|控股|股份|实业)$"
)

_ENTRY = re.compile(r"([^\W\d_]+):([a-z ]+)")
_PLACES = dict(
    _ENTRY.findall(
        "北京:beijing,上海:shanghai,天津:tianjin,重庆:chongqing,广东:guangdong,广州:guangzhou,"
        "深圳:shenzhen,东莞:dongguan,佛山:foshan,珠海:zhuhai,中山:zhongshan,惠州:huizhou,"
        "江苏:jiangsu,南京:nanjing,苏州:suzhou,无锡:wuxi,常州:changzhou,南通:nantong,"
        "浙江:zhejiang,杭州:hangzhou,宁波:ningbo,温州:wenzhou,嘉兴:jiaxing,绍兴:shaoxing,"
        "山东:shandong,济南:jinan,青岛:qingdao,烟台:yantai,潍坊:weifang,福建:fujian,福州:fuzhou,"
        "厦门:xiamen,泉州:quanzhou,安徽:anhui,合肥:hefei,江西:jiangxi,南昌:nanchang,"
        "湖北:hubei,武汉:wuhan,湖南:hunan,长沙:changsha,河南:henan,郑州:zhengzhou,"
        "河北:hebei,石家庄:shijiazhuang,唐山:tangshan,山西:shanxi,太原:taiyuan,陕西:shaanxi,"
        "西安:xian,四川:sichuan,成都:chengdu,云南:yunnan,昆明:kunming,贵州:guizhou,贵阳:guiyang,"
        "广西:guangxi,南宁:nanning,海南:hainan,海口:haikou,辽宁:liaoning,沈阳:shenyang,大连:dalian,"
        "吉林:jilin,长春:changchun,黑龙江:heilongjiang,哈尔滨:haerbin,内蒙古:neimenggu,"
        "甘肃:gansu,兰州:lanzhou,宁夏:ningxia,银川:yinchuan,新疆:xinjiang,青海:qinghai,"
        "香港:hongkong,澳门:macau,台湾:taiwan,台北:taipei,中国:china"
    )
)
_PLACE_WORDS = frozenset(_PLACES.values()) | {"hong", "kong", "prc", "harbin", "usa", "us"}
_PLACE_BEGINNING = re.compile(f"({'|'.join(_PLACES)})(?:特别行政区|自治区|省|市)?")

# What companies do, in both languages: it tells little about which of them one is.
_TRADES = dict(
    _ENTRY.findall(
        "新能源:new energy,能源:energy,科学技术:technology,科技:technology,技术:technology,"
        "环境:environment,环保:environment,电子:electronics,电气:electric,电力:power,电池:battery,"
        "汽车:automotive,材料:materials,新材料:new materials,化工:chemical,化学:chemical,"
        "机械:machinery,设备:equipment,装备:equipment,工程:engineering,工业:industry,"
        "智能:intelligent,信息:information,软件:software,网络:network,通信:communication,"
        "贸易:trade,进出口:import export,国际:international,投资:investment,咨询:consulting,"
        "生物:bio,医疗:medical,医药:pharmaceutical,制药:pharmaceutical,食品:food,农业:agriculture,"
        "建设:construction,建筑:construction,光伏:photovoltaic,太阳能:solar,储能:energy storage,"
        "发展:development,制造:manufacturing,服务:service,管理:management,物流:logistics"
    )
)
_TRADE = re.compile(f"({'|'.join(sorted(_TRADES, key=len, reverse=True))})")
_TRADE_WORDS = frozenset(word for words in _TRADES.values() for word in words.split())
_SYNONYMS = {
    "tech": "technology",
    "technologies": "technology",
    "technical": "technology",
    "environmental": "environment",
    "electronic": "electronics",
    "electrical": "electric",
    "batteries": "battery",
    "auto": "automotive",
    "automobile": "automotive",
    "material": "materials",
    "chemicals": "chemical",
    "equipments": "equipment",
    "industrial": "industry",
    "industries": "industry",
    "intl": "international",
    "trading": "trade",
    "pharma": "pharmaceutical",
    "biotech": "bio",
    "foods": "food",
    "services": "service",
    "communications": "communication",
    "pv": "photovoltaic",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """A company's name taken apart: `words` without legal form and places, by sound."""

    words: tuple[str, ...]
    places: frozenset[str]
    is_native: bool

    @property
    def key(self) -> str:
        """What is compared: people write spaces and translate trades as they like."""
        return "".join(self.words)

    @property
    def telling(self) -> str:
        """What is left when trades are taken away; that may be nothing."""
        return "".join(word for word in self.words if word not in _TRADE_WORDS)


@dataclass(frozen=True, slots=True)
class Company:
    """What duplicates are recognised by."""

    id: UUID
    name: str
    native_name: str | None
    country: str
    registration_number: str | None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How likely two companies are one, and why; 1 is certain."""

    score: float
    reasons: tuple[ReasonCode, ...]


def core(name: str, native_name: str | None = None) -> str:
    """Give what sets a company apart from others, by sound in plain letters."""
    words = [word for one in (name, native_name) if one for word in parts(one).words]
    telling = [word for word in words if word not in _TRADE_WORDS]
    return " ".join(dict.fromkeys(telling or words))


@lru_cache(maxsize=8_192)
def parts(name: str) -> Parts:
    """Take a company's name apart, in either language."""
    words: list[str] = []
    places: set[str] = set()
    is_native = False
    for run, is_han in split(folded(name)):
        is_native = is_native or is_han
        for word in _native_words(run) if is_han else (_SYNONYMS.get(run, run),):
            if word in _PLACE_WORDS:
                places.add(word)
            elif word not in _LEGAL_WORDS:
                words.append(word)
    # A name of nothing else is taken as it is: a company may be called The Group.
    plain = words or [pinyin(run) for run, _ in split(folded(name))]
    return Parts(tuple(plain), frozenset(places), is_native)


def _native_words(run: str) -> Iterator[str]:
    """Give the words of a Chinese name: places and trades in English, the rest by sound."""
    while (shorter := _LEGAL_ENDING.sub("", run)) != run:
        run = shorter
    while place := _PLACE_BEGINNING.match(run):
        yield _PLACES[place[1]]
        run = run[place.end() :]
    for piece in _TRADE.split(run):
        if piece in _TRADES:
            yield from _TRADES[piece].split()
        elif piece:
            yield pinyin(piece)


def likeness(one: Company, other: Company) -> Likeness | None:
    """Compare two companies; None when they are hardly the same."""
    numbers = [plain_number(company.registration_number or "") for company in (one, other)]
    if all(numbers):
        if numbers[0] == numbers[1]:
            return Likeness(_SCORES["same_number"], ("same_number",))
        if one.country == other.country and (
            one.country != "CN" or all(is_credit_code(number) for number in numbers)
        ):
            # Each has its own: whatever they are called, they are two.
            return None
    found = max(
        (
            _compared(mine, theirs)
            for mine, theirs in product(_names(one), _names(other))
            if mine.key and theirs.key
        ),
        default=(0.0, None),
        key=lambda pair: pair[0],
    )
    score, reason = found
    if reason is None:
        return None
    reasons: list[ReasonCode] = [reason]
    here, there = (
        {place for name in _names(company) for place in name.places} for company in (one, other)
    )
    if here and there and not here & there:
        score -= _OTHER_PLACE
        reasons.append("other_place")
    if one.country != other.country:
        score -= _OTHER_COUNTRY
        reasons.append("other_country")
    return Likeness(round(score, 3), tuple(reasons)) if score >= SCORE_MIN else None


def combined(kept: Mapping[str, Any], gone: Mapping[str, Any]) -> dict[str, Any]:
    """Give the facts of the company that stays: its own, and the other's where it has none."""
    facts = dict(kept)
    for name in ("native_name", "registration_number", "size"):
        facts[name] = kept[name] or gone[name]
    facts["sectors"] = list(dict.fromkeys((*kept["sectors"], *gone["sectors"])))
    return facts


def _names(company: Company) -> list[Parts]:
    return [parts(name) for name in (company.name, company.native_name) if name]


def _compared(mine: Parts, theirs: Parts) -> tuple[float, ReasonCode | None]:
    if mine.key == theirs.key:
        reason: ReasonCode = (
            "same_sound"
            if mine.is_native != theirs.is_native
            else "same_native_name"
            if mine.is_native
            else "same_name"
        )
        return _SCORES[reason], reason
    trades = [set(name.words) & _TRADE_WORDS for name in (mine, theirs)]
    if mine.telling == theirs.telling != "" and (trades[0] <= trades[1] or trades[1] <= trades[0]):
        # One of the two says more of what it does.
        return _SAYS_MORE, "similar_name"
    matcher = SequenceMatcher(None, mine.key, theirs.key, autojunk=False)
    if matcher.quick_ratio() < RATIO_MIN or (ratio := matcher.ratio()) < RATIO_MIN:
        return 0.0, None
    return ratio * _SCORES["same_sound"], "similar_name"
