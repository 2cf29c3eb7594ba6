"""A few words of a context around its strongest token, for one line of a table."""

from collections.abc import Iterable
from dataclasses import dataclass

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.text import Glyph, glyphs, visible

_BEFORE, _AFTER = 12, 18  # tokens
_CHARACTER = 3  # tokens a character cut by the window may reach out of it


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Text before a token, the token, and after it; as drawn."""

    before: str
    peak: str
    after: str
    cut_before: bool  # whether the context has more
    cut_after: bool

    def __str__(self) -> str:
        return f"{self.before}⟦{self.peak}⟧{self.after}"


def excerpt(corpus: StoredCorpus, context: int, position: int) -> Excerpt:
    """The surroundings of a position of a context; a start token is left out.

    Raises: OSError when the corpus is gone; IndexError when it has no such context.
    """
    first = 1 if corpus.facts.has_bos else 0
    length = int(corpus.lengths[context])
    start = max(first, position - _BEFORE)
    read_from = max(first, start - _CHARACTER)
    stop = min(length, position + 1 + _AFTER)
    tokens = corpus.tokens[context, read_from : min(length, stop + _CHARACTER)].tolist()
    found = glyphs([corpus.vocabulary[token] for token in tokens])
    marks = [mark for mark in found if start <= read_from + mark.first < stop]
    at = position - read_from
    return Excerpt(
        before=_text(mark for mark in marks if mark.first + mark.size <= at),
        peak=_text(mark for mark in marks if mark.first <= at < mark.first + mark.size),
        after=_text(mark for mark in marks if mark.first > at),
        cut_before=start > first,
        cut_after=stop < length,
    )


def _text(marks: Iterable[Glyph]) -> str:
    return "".join(visible(mark.text) for mark in marks)
