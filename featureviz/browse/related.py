"""The latents that go with a latent, as its page lists them: one group a dictionary."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path

from django.db.models import Q

from featureviz.catalog.models import Latent, Run
from featureviz.catalog.relations import Relation
from featureviz.dashboards.relations import Related, Relations
from featureviz.dashboards.store import StoreError

SHOWN = 5  # latents by each figure
CHILDREN_SHOWN = 12
_BRIEFLY = 2
_RANKING = ("correlation", "jaccard", "cosine")  # figures that bring a latent onto the page


@dataclass(frozen=True, slots=True)
class Companion:
    """A latent that goes with the page's."""

    latent: Latent
    related: Related
    leads_by: frozenset[str]  # figures by which it is one of the five strongest


@dataclass(frozen=True, slots=True)
class Group:
    """What goes with the latent in one dictionary."""

    relation: Relation
    state: str  # of the relation; `gone` when its files are
    rows: tuple[Companion, ...] = ()  # largest correlation first
    parent: Companion | None = None
    children: tuple[Companion, ...] = ()
    n_children: int = 0

    @property
    def dictionary(self) -> str:
        """Its address."""
        return str(self.relation.other.dictionary)

    @property
    def kinship(self) -> str:
        """What it is to the page's dictionary, in words."""
        own, other = self.relation.run.dictionary, self.relation.other.dictionary
        if own == other:
            return "this dictionary"
        if own.model_id != other.model_id:
            return "another model"
        return "same model" if own.hook == other.hook else f"same model, at {other.hook}"

    @property
    def problem(self) -> str:
        """Why it is not there."""
        return self.relation.problem

    @property
    def has_cosines(self) -> bool:
        """Whether its directions can be compared with the page's."""
        return any(row.related.cosine is not None for row in self.rows)

    @property
    def has_logits(self) -> bool:
        """Whether its logit weights can be compared with the page's."""
        return any(row.related.logit_correlation is not None for row in self.rows)

    @property
    def briefly(self) -> tuple[Companion, ...]:
        """Those that fire most alike."""
        return tuple(row for row in self.rows if row.related.correlation)[:_BRIEFLY]


@dataclass(frozen=True, slots=True)
class RelatedPanel:
    """All groups, the latent's own dictionary first."""

    run: Run
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, latent: Latent, relations: Iterable[Relation]) -> "RelatedPanel":
        """Read what is known; what is not yet, or no longer, is said in its group."""
        found = [(each, *_read(each, latent)) for each in relations]
        named = _named((each.other, record) for each, _, record in found)
        return cls(latent.run, tuple(_group(*entry, named) for entry in found))

    @property
    def is_alone(self) -> bool:
        """Whether no other dictionary was run over this corpus."""
        return all(group.relation.other == self.run for group in self.groups)

    @property
    def briefly(self) -> list[Group]:
        """The groups with something to say in short."""
        return [group for group in self.groups if group.briefly]


def decided_by(latent: Latent, relations: Iterable[Relation]) -> Hashable:
    """What decides how the panel is drawn: how far each relation is, and when it was written."""
    packs = [latent.run.relations_pack(each.other, latent.index) for each in relations]
    stand = tuple((each.other.key, each.state, each.problem) for each in relations)
    return latent.run.folder, latent.index, stand, tuple(map(_written_at, packs))


def _written_at(pack: Path) -> int:
    """In nanoseconds; 0 where there is none."""
    try:
        return pack.stat().st_mtime_ns
    except OSError:
        return 0


_Names = dict[tuple[int, int], Latent]  # by run and index


def _read(relation: Relation, latent: Latent) -> tuple[str, Relations]:
    nothing = Relations(latent.index, ())
    if relation.state != "done":
        return relation.state, nothing
    try:
        return "done", latent.run.relations(relation.other, latent.index)
    except StoreError:
        return "gone", nothing


def _named(found: Iterable[tuple[Run, Relations]]) -> _Names:
    """The latents that are spoken of, in one query."""
    runs, wanted = {}, []
    for run, record in found:
        runs[run.pk] = run
        wanted.append(Q(run=run, index__in=[each.index for each in _mentioned(record)]))
    rows = Latent.objects.readable().filter(reduce(or_, wanted)) if wanted else []
    named = {(row.run_id, row.index): row for row in rows}
    for (run_id, _), row in named.items():
        row.run = runs[run_id]
    return named


def _mentioned(record: Relations) -> list[Related]:
    parent = [record.parent] if record.parent else []
    return [*_listed(record.related), *record.children[:CHILDREN_SHOWN], *parent]


def _group(relation: Relation, state: str, record: Relations, named: _Names) -> Group:
    leading = {figure: _leading(record.related, figure) for figure in _RANKING}

    def companions(found: Iterable[Related]) -> tuple[Companion, ...]:
        return tuple(
            Companion(
                named[relation.other.pk, each.index],
                each,
                frozenset(figure for figure, led in leading.items() if each in led),
            )
            for each in found
            if (relation.other.pk, each.index) in named
        )

    return Group(
        relation=relation,
        state=state,
        rows=companions(sorted(_listed(record.related), key=_by("correlation"))),
        parent=next(iter(companions([record.parent] if record.parent else [])), None),
        children=companions(record.children[:CHILDREN_SHOWN]),
        n_children=record.n_children,
    )


def _listed(found: Sequence[Related]) -> list[Related]:
    """Those among the strongest by any figure."""
    led = [each for figure in _RANKING for each in _leading(found, figure)]
    return [each for each in found if each in led]


def _leading(found: Sequence[Related], figure: str) -> list[Related]:
    """The strongest by one figure; none that is not above 0."""
    above = [each for each in found if (getattr(each, figure) or 0) > 0]
    return sorted(above, key=_by(figure))[:SHOWN]


def _by(figure: str) -> Callable[[Related], tuple[float, float, int]]:
    """Largest first, where it is defined; then by cosine, then by index."""
    nowhere = -2.0

    def key(each: Related) -> tuple[float, float, int]:
        value, cosine = getattr(each, figure), each.cosine
        return (
            -(nowhere if value is None else value),
            -(nowhere if cosine is None else cosine),
            each.index,
        )

    return key
