import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain.names import (
    company_text,
    displayed,
    folded,
    query_terms,
    search_text,
    sounds,
)

# Where names and what people type instead of them come from.
LETTERS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="张伟單曾仇欧阳吕乐 abcABCéüßøÅ'-·.Ⅷ１Ａﬁ", max_size=40),
)


def finds(text: str, typed: str) -> bool:
    """Say whether each term that was typed begins a word of the text."""
    words = text.split(" ")
    terms = query_terms(typed)
    return bool(terms) and all(any(w.startswith(term) for w in words) for term in terms)


@given(LETTERS)
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(LETTERS, LETTERS, LETTERS)
def test_a_person_is_found_by_any_form_of_the_name(full: str, native: str, latin: str) -> None:
    text = search_text(full, native, latin)

    for name in (full, native, latin):
        assert finds(text, name) or not query_terms(name)


@given(LETTERS, LETTERS)
def test_a_company_is_found_by_both_names(name: str, native: str) -> None:
    text = company_text(name, native)

    for one in (name, native):
        assert finds(text, one) or not query_terms(one)


@given(LETTERS)
def test_words_are_apart_by_one_space_and_never_empty(name: str) -> None:
    text = search_text(name, None, None, name)

    assert text == "" or all(text.split(" "))
    assert "" not in query_terms(name)


@pytest.mark.parametrize(
    "typed", ["张伟", "张", "伟", "zhangwei", "zhang wei", "Zhang W", "zw", "z", "weizhang", "ＺＷ"]
)
def test_zhang_wei_is_found_in_characters_pinyin_and_initials(typed: str) -> None:
    assert finds(search_text("张伟"), typed)


@pytest.mark.parametrize("typed", ["wz", "zw", "weizhang", "zhangwei", "zhang, wei", "WEI ZHANG"])
def test_a_latin_name_is_found_in_both_orders(typed: str) -> None:
    assert finds(search_text("Wei Zhang"), typed)


def test_a_name_is_not_found_by_another() -> None:
    text = search_text("张伟", None, "Zhang Wei")

    for typed in ("wang", "李", "伟张", "zhangw i", "zwx", "hang"):
        assert not finds(text, typed)


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("单雄信", "shanxiongxin"),
        ("曾国华", "zengguohua"),
        ("仇英", "qiuying"),
        ("解晓东", "xiexiaodong"),
        ("查良镛", "zhaliangyong"),
        ("区伟明", "ouweiming"),
        ("朴信惠", "piaoxinhui"),
        ("翟志刚", "zhaizhigang"),
        ("盖叫天", "gejiaotian"),
        ("任正明", "renzhengming"),
        ("欧阳修远", "ouyangxiuyuan"),
        ("尉迟恭", "yuchigong"),
        ("万俟洛", "moqiluo"),
        ("长孙无忌", "zhangsunwuji"),
        ("单于明", "chanyuming"),
        ("令狐冲", "linghuchong"),
    ],
)
def test_family_names_are_read_as_family_names(name: str, sound: str) -> None:
    text = search_text(name)
    words = text.split(" ")

    assert sound in words
    # The given name alone, and the initials.
    assert finds(text, name[-1])
    assert any(len(word) == len(name) and word[0] == sound[0] for word in words)


def test_who_reads_a_family_name_as_an_everyday_word_finds_the_person_too() -> None:
    assert finds(search_text("单雄信"), "danxiong")
    assert finds(search_text("曾国华"), "cengguohua")


def test_a_family_name_alone_is_read_as_one_only_where_something_follows() -> None:
    assert search_text("单").split(" ")[1] == "dan"


def test_a_given_name_with_two_readings_is_found_by_both() -> None:
    text = search_text("张乐")

    assert finds(text, "zhangle")
    assert finds(text, "zhangyue")


@pytest.mark.parametrize("typed", ["lv", "lu", "lü", "LYU", "lyubu", "lvbu"])
def test_lü_is_found_however_it_is_typed(typed: str) -> None:
    assert finds(search_text("吕布"), typed)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("José García-Márquez", "jose garcia marquez"),
        ("Seán O’Brien", "obrien"),
        ("Seán O'Brien", "o'brien"),
        ("Søren Łukasz", "soren lukasz"),
        ("Jürgen Groß", "GROSS"),
        ("İpek Işık", "ipek isik"),
        ("김민수", "김민"),
        ("Ｗｅｉ", "wei"),
        ("阿卜杜拉·买买提", "买买提"),
        ("阿卜杜拉·买买提", "阿卜杜拉买"),
        ("张 伟", "张伟"),
    ],
)
def test_accents_widths_and_marks_do_not_matter(name: str, typed: str) -> None:
    assert finds(search_text(name), typed)


@pytest.mark.parametrize(
    "typed",
    ["深圳市创新", "创新", "chuangxin", "cxkj", "shenzhen", "szs", "sci", "tech", "有限 创新"],
)
def test_a_company_is_found_by_parts_of_both_names(typed: str) -> None:
    text = company_text("Shenzhen Chuangxin Technology Ltd.", "深圳市创新科技有限公司")

    assert finds(text, typed) is (typed not in ("sci", "有限 创新"))


def test_a_person_is_found_by_name_and_company_together() -> None:
    text = search_text("张伟", None, "Wei Zhang", "BYD Co.", "比亚迪股份有限公司")

    assert finds(text, "zw 比亚迪")
    assert finds(text, "byd zhang")
    assert not finds(text, "byd wang")


def test_the_words_of_a_query_are_bounded() -> None:
    assert len(query_terms(" ".join(f"w{n}" for n in range(99)))) == 8
    assert query_terms("Ａ" * 99) == ["a" * 24]
    assert query_terms(" ?! ") == []


def test_both_scripts_of_one_word_are_two_terms() -> None:
    assert query_terms("BYD比亚迪2号") == ["byd", "比亚迪", "2", "号"]


def test_traditional_and_simplified_characters_sound_the_same() -> None:
    assert sounds(query_terms("張偉 byd")) == sounds(query_terms("张伟 byd")) == ["zhangwei", "byd"]


@pytest.mark.parametrize(
    ("names", "en", "zh"),
    [
        (("Wei Zhang", "张伟", "ZHANG Wei"), "ZHANG Wei", "张伟"),
        (("张伟", None, "Zhang Wei"), "Zhang Wei", "张伟"),
        (("Mary Smith", "史密斯", None), "Mary Smith", "史密斯"),
        (("Mary Smith", None, None), "Mary Smith", "Mary Smith"),
        (("张伟", "", ""), "张伟", "张伟"),
    ],
)
def test_a_name_is_shown_as_its_owner_wrote_it_for_that_reader(
    names: tuple[str, str | None, str | None], en: str, zh: str
) -> None:
    assert displayed(*names, "en") == en
    assert displayed(*names, "zh") == zh


def test_making_a_search_text_is_quick() -> None:
    """Ten times what was measured, so that only a blunder fails here."""
    people = [
        ("Wei Zhang", f"张{chr(0x4E00 + n)}", "Zhang Wei", "BYD", f"深圳{chr(0x5000 + n)}有限公司")
        for n in range(500)
    ]
    search_text(*people[0])
    started = time.thread_time()
    for person in people:
        search_text(*person)

    assert (time.thread_time() - started) / len(people) < 0.003
