r"""The language of the search box: words, "words in a row", and operators such as density:<0.1%.

A query is terms between blanks; all must hold. A term is a word, a quotation, or `name:value`; a
minus before it turns it round; a star after it lets it be a beginning: `beca*`, `fires:"in the"*`.
In a quotation `\"` is a quotation mark, `\n` a newline. What is not understood is searched as
words, and a Problem says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from featureviz.browse.ranges import Range

TEXTS = {
    "explanation": "words of an explanation",
    "comment": "words of a comment",
    "tag": "a tag, or words of one",
    "fires": "a token it fires on",
    "promotes": "a token it promotes",
    "suppresses": "a token it suppresses",
    "context": "words in a row, in its stored contexts",
}
NUMBERS = {
    "density": "share of tokens it fires on",
    "max": "largest activation",
    "mean": "mean activation, where it fires",
    "min": "least activation, of signed latents",
    "tokens": "how many tokens it fires on",
    "index": "its number",
}
CHOICES = {
    "has": {
        "explanation": "somebody explained it",
        "comment": "somebody commented on it",
        "tag": "somebody tagged it",
    },
    "is": {
        "alive": "it fires",
        "dead": "it never fired",
        "ultralow": "it hardly ever fires",
    },
}
NAMES = {"dict": "a dictionary or a model"}
OPERATORS = (*TEXTS, *NUMBERS, *CHOICES, *NAMES)
MOST_TERMS = 12
_EXAMPLES = {"density": "density:<0.1%", "index": "index:5..10", "tokens": "tokens:>100"}
_TERM = re.compile(
    r"(?P<minus>-?)(?:(?P<name>[A-Za-z]+):)?"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)(?P<closed>"?)(?P<star>\*?)|(?P<plain>\S+))',
    re.DOTALL,
)
_SPECIAL = {"n": "\n", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Term:
    """One demand on a latent."""

    name: str  # an operator; empty: words, wherever they stand
    text: str  # the value as it was meant, without quotation marks
    is_beginning: bool = False
    negated: bool = False
    range: Range | None = None  # of an operator on numbers
    start: int = field(default=0, compare=False)  # of its characters in the query
    end: int = field(default=0, compare=False)

    def __str__(self) -> str:
        minus = "-" if self.negated else ""
        name = f"{self.name}:" if self.name else ""
        if self.range:
            return f"{minus}{name}{self.range}"
        return f"{minus}{name}{_written(self.text)}{'*' * self.is_beginning}"

    @property
    def is_text(self) -> bool:
        """Whether it is about words, not numbers or properties."""
        return not self.name or self.name in TEXTS


@dataclass(frozen=True, slots=True)
class Problem:
    """What was not understood."""

    message: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Query:
    """What a reader asked for."""

    terms: tuple[Term, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def without(self, term: Term) -> Query:
        """The rest of the query; problems are not repeated."""
        return Query(tuple(each for each in self.terms if each is not term))


def parse(text: str) -> Query:
    """Read a query; every text is one."""
    terms: list[Term] = []
    problems: list[Problem] = []
    for match in _TERM.finditer(text):
        if len(terms) == MOST_TERMS:
            message = f"Only the first {MOST_TERMS} terms were read."
            problems.append(Problem(message, match.start(), len(text)))
            break
        term, problem = _Reader(match).read()
        if term:
            terms.append(term)
        if problem:
            problems.append(Problem(problem, match.start(), match.end()))
    return Query(tuple(terms), tuple(problems))


@dataclass(frozen=True, slots=True)
class _Reader:
    """One term as it is written."""

    match: re.Match[str]

    def read(self) -> tuple[Term | None, str]:
        """The term, if it holds anything, and what is wrong with it, if anything is."""
        name, problem = (self.match["name"] or "").lower(), ""
        if name in NUMBERS:
            return self._number(name)
        if name in CHOICES:
            return self._choice(name)
        if name and name not in OPERATORS:
            return self._term("", self.match.group().removeprefix("-"), False), _unknown(
                self.match["name"]
            )
        text, is_beginning = self._value()
        if not name and self.match["quoted"] is None and text[:-1].lower() in OPERATORS:
            name, text = (text[:-1].lower(), "") if text.endswith(":") else (name, text)
        if not text:
            return None, f"{name}: needs a value, as in {_example(name)}." if name else ""
        if self.match["quoted"] is not None and not self.match["closed"]:
            problem = "The quotation is not closed; it was read to the end."
        return self._term(name, text, is_beginning), problem

    def _term(self, name: str, text: str, is_beginning: bool) -> Term:
        return Term(
            name,
            text,
            is_beginning,
            negated=bool(self.match["minus"]),
            start=self.match.start(),
            end=self.match.end(),
        )

    def _value(self) -> tuple[str, bool]:
        if self.match["quoted"] is not None:
            text = re.sub(r"\\(.)", lambda found: _SPECIAL.get(found[1], found[1]),
                          self.match["quoted"], flags=re.DOTALL)  # fmt: skip
            return text, bool(self.match["star"])
        plain = self.match["plain"]
        is_beginning = plain.endswith("*") and plain != "*"
        return (plain[:-1] if is_beginning else plain), is_beginning

    def _number(self, name: str) -> tuple[Term | None, str]:
        text, _ = self._value()
        found = Range.parse(text)
        if found is None:
            return None, f"{name}:{text} is no number; write it as in {_example(name)}."
        term = self._term(name, "", False)
        return Term(name, "", negated=term.negated, range=found, start=term.start, end=term.end), ""

    def _choice(self, name: str) -> tuple[Term | None, str]:
        text = self._value()[0].lower()
        if text not in CHOICES[name]:
            known = " or ".join(f"{name}:{choice}" for choice in CHOICES[name])
            return None, f"{name}:{text} is not known; there is {known}."
        return self._term(name, text, False), ""


def quoted(text: str) -> str:
    """A text as a quotation."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.replace("\n", "\\n").replace("\t", "\\t")


def _written(text: str) -> str:
    plain = re.fullmatch(r'[^\s"\\:*-][^\s":*]*', text)
    return text if plain else quoted(text)


def _unknown(name: str) -> str:
    return (
        f"There is no operator {name}:, so it was read as words. "
        f"There are {', '.join(f'{each}:' for each in OPERATORS)}."
    )


def _example(name: str) -> str:
    if name in NUMBERS:
        return _EXAMPLES.get(name, f"{name}:>3")
    return {"dict": "dict:model/name"}.get(name, f'{name}:"word"')


def written_numbers(query: Query) -> Iterator[str]:
    """The digits of a query that is nothing but one number, as an index is typed."""
    if len(query.terms) == 1 and not query.terms[0].name and not query.terms[0].negated:
        text = query.terms[0].text.replace("\u202f", "")
        if text.isascii() and text.isdigit() and len(text) < 10:
            yield text
