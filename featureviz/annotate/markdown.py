"""What people write is Markdown: drawn as safe HTML, searched for latents and people it names.

`@A/1/3450` names a latent, `@alice` a person. Neither does in code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from featureviz.catalog.models import NAME_PATTERN

_TAGS = {"a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"}
_LATENT = re.compile(rf"@({NAME_PATTERN})/({NAME_PATTERN})/([0-9]{{1,9}})(?![\w/])")
_PERSON = re.compile(r"(?<![\w/@.])@([\w.+-]*\w)(?![\w/])")


@dataclass(frozen=True, slots=True)
class Named:
    """A latent that a text names."""

    model: str
    dictionary: str
    index: int


@lru_cache(maxsize=2048)
def drawn(text: str) -> SafeString:
    """A text as HTML: a few tags, links to the web and to latents, nothing that runs or loads."""
    clean = nh3.clean(
        _parser().render(text),
        tags=_TAGS,
        attributes={"a": {"href", "data-latent"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener nofollow",
    )
    return mark_safe(clean)  # noqa: S308 - cleaned right here


def plain(text: str) -> str:
    """The first paragraph without its marks, for a title."""
    for token in _parser().parse(text):
        if token.type == "inline":
            return " ".join("".join(_words(token.children or [])).split())
    return text.strip()


def latents_in(text: str) -> list[Named]:
    """The latents a text names, each once, in order."""
    found = [each.meta["named"] for each in _inline(text) if each.type == "latent_open"]
    return list(dict.fromkeys(found))


def people_in(text: str) -> set[str]:
    """The names of people a text calls; whether there are such is not asked."""
    written = [each.content for each in _inline(text) if each.type == "text"]
    return {name for words in written for name in _PERSON.findall(words)}


def _inline(text: str) -> Iterator[Token]:
    for token in _parser().parse(text):
        yield from token.children or []


def _words(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("text", "code_inline"):
            yield token.content
        elif token.type in ("softbreak", "hardbreak"):
            yield " "


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable("image")
    parser.inline.ruler.before("link", "latent", _latent)
    return parser


def _latent(state: StateInline, silent: bool) -> bool:
    """A rule of the parser: a link where a latent is named."""
    match = _LATENT.match(state.src, state.pos)
    if match is None or (state.pos and re.match(r"[\w/@]", state.src[state.pos - 1])):
        return False
    if not silent:
        _push(state, match)
    state.pos = match.end()
    return True


def _push(state: StateInline, match: re.Match[str]) -> None:
    model, dictionary, index = match.groups()
    address = f"{model}/{dictionary}/{int(index)}"
    opened = state.push("latent_open", "a", 1)
    opened.attrs = {"href": f"/{address}", "data-latent": address}
    opened.meta = {"named": Named(model, dictionary, int(index))}
    state.push("text", "", 0).content = address
    state.push("latent_close", "a", -1)
