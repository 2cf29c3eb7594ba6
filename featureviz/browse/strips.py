"""An example's text as HTML. Text from a corpus is escaped here and nowhere else.

Silent text is plain text; only active and underlined marks are elements. The first row of a context
also carries, for the script that reads it out, where its marks end (`data-n`, in UTF-16 units as
displayed), their token ids, and what taking the latent out does to them.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import pairwise

from featureviz.browse.effects import PageEffects
from featureviz.browse.formats import decimals_for
from featureviz.browse.rows import CLOSE, NEAR, Row, is_joined
from featureviz.dashboards.text import visible

_VOCABULARY = 1 << 16  # what is worked out once for each token


@dataclass(frozen=True, slots=True)
class Strip:
    """Draws one row; `spaces` says whether blanks are drawn as dots."""

    row: Row
    spaces: bool = False
    effects: PageEffects | None = None  # none where the run computed none

    def html(self) -> str:
        """A paragraph in two parts, cut before the peak so that peaks can share a column."""
        marks, peak = self._marks(), self.row.peak
        near, close = self.row.within(NEAR), self.row.within(CLOSE)
        before = _far(marks[: near.start]) + _far(marks[near.start : close.start], "n")
        before += "".join(marks[close.start : peak])
        after = "".join(marks[peak : close.stop]) + _far(marks[close.stop : near.stop], "n")
        after += _far(marks[near.stop :])
        return (
            f"<p{self._reading()}{self._data()}>"
            f'<span class="a"><span>{before}</span></span><span class="c">{after}</span></p>'
        )

    def _marks(self) -> list[str]:
        row, at = self.row, self.row.peak
        marks = [_escaped(text, self.spaces) for text in row.texts]
        lines = self._lines()
        for mark, classes in lines.items():
            if classes and mark not in row.lit:
                marks[mark] = f'<u class="{classes}">{marks[mark]}</u>'
        for mark, lit in row.lit.items():
            peak = " k" if mark == at else ""
            joined = " j" if is_joined(row.texts[mark]) else ""
            line = f" {lines[mark]}" if lines.get(mark) else ""
            number = self._number(lit.activation)
            marks[mark] = (
                f'<b class="l{lit.level}{peak}{joined}{line}" data-a="{number}">{marks[mark]}</b>'
            )
        if marks and at not in row.lit:  # a silent row
            joined = " j" if is_joined(row.texts[at]) else ""
            marks[at] = f'<b class="k{joined}">{marks[at]}</b>'
        if row.pointed is not None:
            marks[row.pointed] = f'<mark id="token">{marks[row.pointed]}</mark>'
        return marks

    def _reading(self) -> str:
        script = self.row.script
        lang = f' lang="{script.lang}"' if script.lang else ""
        names = [*"j" * self.row.cuts_a_word, *"o" * self.row.turns]
        classes = f' class="{" ".join(names)}"' if names else ""
        return f' dir="{script.direction}"{lang}{classes}'

    def _data(self) -> str:
        tokens = self._told() if self.row.tells else ""
        return f"{tokens}{self._effects()}{self._sources()}"

    def _told(self) -> str:
        lengths = " ".join(map(_width, self.row.texts))
        return (
            f' data-n="{lengths}" data-t="{self._tokens()}" data-o="{self.row.starts[0]}"'
            f"{self._parts()}"
        )

    def _lines(self) -> dict[int, str]:
        if self.effects is None:
            return {}
        return {mark: self.effects.classes(effect) for mark, effect in self.row.effects.items()}

    def _effects(self) -> str:
        example = self.row.example
        if self.effects is None or example.effects is None:
            return ""
        return f' data-e="{self.effects.numbers(example, self.row.effects)}"'

    def _tokens(self) -> str:
        """Ids of the marks' tokens; those of one mark are joined by a plus."""
        ids, starts = list(map(str, self.row.tokens)), self.row.starts
        if not self.row.parts:
            return " ".join(ids)
        groups = ((start - starts[0], end - starts[0]) for start, end in pairwise(starts))
        return " ".join("+".join(ids[start:end]) for start, end in groups)

    def _parts(self) -> str:
        """The tokens of marks made of several, by the mark's number."""
        if not self.row.parts:
            return ""
        parts = {
            mark: [[part.text, self._number(part.activation)] for part in several]
            for mark, several in self.row.parts.items()
        }
        return f' data-g="{escape(json.dumps(parts, ensure_ascii=False))}"'

    def _sources(self) -> str:
        """Where attention brought the peak from: text, how many tokens before it, contribution."""
        if not self.row.sources:
            return ""
        told = [[visible(one.text), one.back, one.contribution] for one in self.row.sources]
        return f' data-s="{escape(json.dumps(told, ensure_ascii=False))}"'

    def _number(self, activation: float) -> str:
        return f"{activation:.{decimals_for(self.row.top)}f}"


def _far(marks: list[str], kind: str = "") -> str:
    """Marks that narrower views leave out; of kind `n` only the narrowest does."""
    classes = f' class="{kind}"' if kind else ""
    return f"<s{classes}>{''.join(marks)}</s>" if marks else ""


@lru_cache(maxsize=_VOCABULARY)
def _escaped(text: str, spaces: bool) -> str:
    shown = text.replace(" ", "·") if spaces else text
    return escape(shown).replace("↵", "↵<br>")


@lru_cache(maxsize=_VOCABULARY)
def _width(text: str) -> str:
    return str(len(text.encode("utf-16-le", "surrogatepass")) // 2)
