"""Where the tokens stood that an attention layer brought a latent from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example

_EXAMPLES = 5
_SOURCES = 3


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A token that contributed to the latent at another, or at itself."""

    token: int
    text: str
    position: int
    back: int  # how many tokens before the selecting one; 0 is itself
    contribution: float


@dataclass(frozen=True, slots=True)
class Sourced:
    """An example and its strongest sources."""

    anchor: str  # of its row
    text: str  # of its selecting token
    rows: tuple[SourceRow, ...]


def sourced(
    dashboard: Dashboard, corpus: StoredCorpus, text_of: Callable[[int], str]
) -> list[Sourced]:
    """The strongest examples with their sources; none where these were not computed."""

    def rows(example: Example) -> Iterator[SourceRow]:
        for source in (example.sources or ())[:_SOURCES]:
            token = int(corpus.tokens[example.context, source.position])
            back = example.position - source.position
            yield SourceRow(token, text_of(token), source.position, back, source.contribution)

    return [
        Sourced(
            f"top-{rank}",
            text_of(int(corpus.tokens[example.context, example.position])),
            tuple(rows(example)),
        )
        for rank, example in enumerate(dashboard.top[:_EXAMPLES], 1)
        if example.sources is not None
    ]
