"""A text becomes safe HTML, and what it names is found."""

from html.parser import HTMLParser

import pytest

from featureviz.annotate.markdown import Named, drawn, latents_in, people_in, plain

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](https://example.org/pixel.png)",
    "[x](data:text/html;base64,AAAA)",
    '<a href="https://example.org" onclick="x()" style="y">x</a>',
    "<style>*{display:none}</style>",
    "[x](https://example.org \"a' onmouseover='b\")",
]


class Elements(HTMLParser):
    """What a browser would make of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_text_runs_or_loads(text):
    for tag, attributes in Elements(drawn(text)).found:
        assert tag in {"p", "a"}
        assert set(attributes) <= {"href", "rel", "title"}
        assert attributes.get("href", "https:").startswith("https:")


def test_the_marks_people_use_are_drawn():
    html = drawn("A *b* **c** `d`\n- e\n- f\n\n[g](https://example.org)")
    for part in ("<em>b</em>", "<strong>c</strong>", "<code>d</code>", "<li>e</li>"):
        assert part in html
    assert '<a href="https://example.org" rel="noopener nofollow">g</a>' in html


def test_a_latent_that_is_named_becomes_a_link():
    html = drawn("Like @A/1/0345, but weaker.")
    assert '<a href="/A/1/345" data-latent="A/1/345" rel="noopener nofollow">A/1/345</a>,' in html


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@A/1/3 and @gpt2/res-jb/10, @A/1/3 again", [("A", "1", 3), ("gpt2", "res-jb", 10)]),
        ("`@A/1/3` in code", []),
        ("    @A/1/3 in a block of code", []),
        ("alice@A/1/3", []),
        ("@A/1/3/4 and @A/1/x and @A/1", []),
        ("**@A/1/3**.", [("A", "1", 3)]),
        ("[see](https://example.org/@A/1/3)", []),
    ],
)
def test_latents_are_found_where_they_are_named(text, found):
    assert latents_in(text) == [Named(*each) for each in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@alice and @bob.", {"alice", "bob"}),
        ("alice@example.org", set()),
        ("@A/1/3 is no person", set()),
        ("`@alice`", set()),
        ("(@b.c-d+e)", {"b.c-d+e"}),
    ],
)
def test_people_are_found_where_they_are_called(text, found):
    assert people_in(text) == found


def test_a_title_is_the_first_paragraph_without_marks():
    assert plain("The *ending* `ing`\nin @A/1/3\n\nMore.") == "The ending ing in A/1/3"
    assert plain("# Digits\n\nMore") == "Digits"
