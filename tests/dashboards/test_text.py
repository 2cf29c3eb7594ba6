"""How tokens read, in every script."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureviz.dashboards.text import drawn, glyphs, main_script, readable, script_of, visible


def read(text: str, size: int) -> list[str]:
    """The glyphs of a text cut into pieces of some bytes."""
    raw = text.encode()
    return [
        glyph.text for glyph in glyphs([raw[at : at + size] for at in range(0, len(raw), size)])
    ]


def test_the_bytes_of_a_split_character_make_one_glyph():
    assert read("a人🙂ب", 1) == ["a", "人", "🙂", "ب"]


def test_a_glyph_says_which_tokens_it_is_made_of():
    found = glyphs([b"x", "é".encode()[:1], "é".encode()[1:], b"y"])
    assert [(glyph.first, glyph.size) for glyph in found] == [(0, 1), (1, 2), (3, 1)]


def test_no_text_is_lost_however_it_is_cut():
    text = "قانون ספר 人間🙂 plain"
    for size in (1, 2, 3, 5):
        assert "".join(read(text, size)) == text


def test_bytes_that_never_decode_are_written_out_one_a_token():
    assert [glyph.text for glyph in glyphs([b"\xe2", b"a", b"\xff"])] == ["‹E2›", "a", "‹FF›"]


def test_a_character_cut_off_by_the_end_is_written_out():
    assert [glyph.text for glyph in glyphs([b"ok", "人".encode()[:2]])] == ["ok", "‹E4›‹BA›"]


def test_a_lone_token_keeps_what_decodes():
    assert readable(b"a\xffb") == "a‹FF›b"


@pytest.mark.parametrize(
    ("text", "name", "direction"),
    [
        ("plain words, 12", "latin", "ltr"),
        ("وقال الوزير (OK)", "arabic", "rtl"),
        ("שר האוצר אמר", "hebrew", "rtl"),
        ("全ての人間は自由", "hiragana", "ltr"),
        ("人权宣言", "cjk", "ltr"),
        ("12, 34", "latin", "ltr"),
        ("a word كتاب among others", "latin", "ltr"),
    ],
)
def test_a_text_runs_as_most_of_its_letters_do(text, name, direction):
    script = main_script(text)
    assert (script.name, script.direction) == (name, direction)


def test_only_scripts_that_connect_are_joined():
    joined = {text: main_script(text).joined for text in ("كتاب", "ספר", "word")}
    assert joined == {"كتاب": True, "ספר": False, "word": False}


def test_signs_that_all_scripts_share_have_none():
    assert [script_of(sign) for sign in " 1.🙂"] == [None] * 4


def test_blanks_and_controls_are_drawn():
    assert visible("a\nb\tc\x00d") == "a↵b→c␀d"


def test_marks_that_would_turn_the_page_are_named():
    assert visible("safe\u202eevil\u2069") == "safe‹U+202E›evil‹U+2069›"


def test_marks_that_scripts_need_stay():
    assert visible("می\u200cخواهم 👩\u200d🚀") == "می\u200cخواهم 👩\u200d🚀"


@given(st.lists(st.sampled_from(["ab ", "1.", "Z", "ب", "ש", "かな", "漢字", "ж", "é", " "])))
def test_the_script_is_the_one_most_letters_are_written_in_however_it_is_counted(words):
    text = "".join(words)
    counts = Counter(script.name for script in map(script_of, text) if script)
    most = counts.most_common(1)[0][0] if counts else "latin"
    kana = [name for name in counts if name in {"hiragana", "katakana"}]
    assert main_script(text).name == (kana[0] if most == "cjk" and kana else most)


@given(st.lists(st.sampled_from([b"a", b" b\n", "é".encode(), b"\xe3", b"\x81\x82", b"\xff"])))
def test_what_is_drawn_is_the_visible_text_of_the_glyphs(pieces):
    texts, firsts = drawn(pieces)
    assert texts == tuple(visible(glyph.text) for glyph in glyphs(pieces))
    assert list(firsts) == [glyph.first for glyph in glyphs(pieces)]
