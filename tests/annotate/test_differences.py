"""What changed between two texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureviz.annotate.differences import differences

TEXTS = st.text(alphabet="ab c.\n", max_size=40)


@given(TEXTS, TEXTS)
def test_both_texts_are_in_their_difference(before, after):
    pieces = differences(before, after)
    assert "".join(each.text for each in pieces if each.change != "ins") == before
    assert "".join(each.text for each in pieces if each.change != "del") == after


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        ("fires on digits", "fires on years", "fires on [-digits][+years]"),
        ("", "new", "[+new]"),
        ("same", "same", "same"),
    ],
)
def test_words_are_what_changes(before, after, marked):
    signs = {"": "{}", "ins": "[+{}]", "del": "[-{}]"}
    pieces = differences(before, after)
    assert "".join(signs[each.change].format(each.text) for each in pieces) == marked
