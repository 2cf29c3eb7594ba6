"""Where the tokens stood that an attention layer brought a latent from."""

from dataclasses import dataclass

from featureviz.browse.texts import Texts
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.schema import Dashboard, Example
from featureviz.dashboards.text import readable

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


def source_rows(example: Example, corpus: Texts) -> tuple[SourceRow, ...]:
    """An example's strongest sources; none where they were not computed."""
    return tuple(
        SourceRow(
            token,
            readable(corpus.vocabulary[token]),
            source.position,
            example.position - source.position,
            source.contribution,
        )
        for source in (example.sources or ())[:_SOURCES]
        for token in [int(corpus.tokens[example.context, source.position])]
    )


def sourced(dashboard: Dashboard, corpus: StoredCorpus) -> list[Sourced]:
    """The strongest examples with their sources; none where these were not computed."""
    return [
        Sourced(
            f"top-{rank}",
            readable(corpus.vocabulary[int(corpus.tokens[example.context, example.position])]),
            source_rows(example, corpus),
        )
        for rank, example in enumerate(dashboard.top[:_EXAMPLES], 1)
        if example.sources is not None
    ]
