"""Everything a latent's page shows, gathered before it is drawn."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property

from featureviz.annotate.traces import Traces
from featureviz.browse import related
from featureviz.browse.attention import Sourced, sourced
from featureviz.browse.comments import CommentsPanel
from featureviz.browse.effects import PageEffects
from featureviz.browse.ends import Ends
from featureviz.browse.explanations import ExplanationsPanel
from featureviz.browse.formats import duration
from featureviz.browse.lists import MarksPanel
from featureviz.browse.logits import LogitForm, logit_forms
from featureviz.browse.profile import ProfilePanel
from featureviz.browse.related import RelatedPanel
from featureviz.browse.rows import Group, Reader, Row
from featureviz.browse.scale import Scale
from featureviz.browse.switches import OWN, Switches
from featureviz.browse.typed_text import OwnText
from featureviz.catalog import relations
from featureviz.catalog.models import Latent, Run
from featureviz.catalog.relations import Relation
from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.density import rarity
from featureviz.dashboards.schema import Dashboard
from featureviz.dashboards.text import readable

_FIRES_ON_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Firing:
    """A token the latent fires on."""

    token: int
    text: str
    n_active: int
    n_tokens: int
    of_firing: float  # share of the active positions
    of_token: float  # share of the token's positions


@dataclass(frozen=True)
class LatentPage:
    """One latent, drawn as an address asks."""

    latent: Latent
    dashboard: Dashboard
    switches: Switches
    place: str  # of the example to show first, `<context>.<position>`; empty: none
    token: int | None = None  # a position of that example, pointed at
    ends: Ends | None = None  # of a signed latent; `dashboard` is then the end shown

    @classmethod
    def of(cls, latent: Latent, query: Mapping[str, str]) -> "LatentPage":
        """Read the latent's dashboard. Raises: StoreError when it is damaged or gone."""
        dashboard, switches = latent.run.dashboard(latent.index), Switches.of(query)
        ends = Ends.of(dashboard, switches, latent.index)
        shown = ends.shown.dashboard if ends else dashboard
        return cls(latent, shown, switches, query.get("ex", ""), _asked_token(query), ends)

    @cached_property
    def decided_by(self) -> Hashable | None:
        """What decides how its numbers and examples are drawn; none where what a reader typed does.

        Effects that were asked for are in a pack of their own, written once.
        """
        if self.switches.text or self.switches.kind.startswith(OWN):
            return None
        asked = self.run.asked_pack(self.latent.index).exists()
        return (self.run.folder, self.latent.index, asked, self.scale.full, self.switches)

    @cached_property
    def named_by(self) -> Hashable | None:
        """What decides how its address and where its numbers come from are drawn as well."""
        if self.decided_by is None:
            return None
        corpus, at = self.run.corpus.name, self.run.published_at
        return self.decided_by, str(self.latent), corpus, at, self.computed, self.versions

    @property
    def run(self) -> Run:
        """Where its numbers come from."""
        return self.latent.run

    @cached_property
    def corpus(self) -> StoredCorpus:
        """Where its text comes from."""
        return self.run.corpus.stored

    @cached_property
    def groups(self) -> list[Group]:
        """Its examples; none when it never fired."""
        return self._reader.groups() if self.dashboard.n_active else []

    @cached_property
    def scale(self) -> Scale:
        """How strongly activations are coloured."""
        return Scale.of(self.run, self.dashboard.max_activation, self.switches)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.corpus, self.dashboard, self.scale.full)

    @cached_property
    def related(self) -> RelatedPanel:
        """The latents that go with it."""
        return RelatedPanel.of(self.latent, self._relations)

    @cached_property
    def related_decided_by(self) -> Hashable:
        """What decides how they are drawn."""
        return related.decided_by(self.latent, self._relations), self.query

    @cached_property
    def traces(self) -> Traces:
        """Which of the three panels below have anything to ask for."""
        return Traces.on(self.latent)

    @cached_property
    def explanations(self) -> ExplanationsPanel:
        """What people and models say of it."""
        return ExplanationsPanel(self.latent, self.traces)

    @cached_property
    def marks(self) -> MarksPanel:
        """Its tags, and the lists it may be put into."""
        return MarksPanel(self.latent, self.traces)

    @cached_property
    def comments(self) -> CommentsPanel:
        """What people say on it, on its examples, on their tokens."""
        return CommentsPanel(self.latent, self.traces, self.place, self.token)

    @cached_property
    def linked(self) -> Row | None:
        """The example asked for."""
        return self._reader.linked(self.place, self.token) if self.place else None

    @cached_property
    def own_text(self) -> OwnText:
        """The latent on a text of the reader's own."""
        return OwnText.of(self.latent, self.dashboard, self.switches.text, self.scale.full)

    @property
    def linked_rows(self) -> tuple[Row, ...]:
        """That example as a group of one."""
        return (self.linked,) if self.linked else ()

    @cached_property
    def effects(self) -> PageEffects | None:
        """Its ablation effects; none where the run computed none."""
        computed = self.dashboard.effect_threshold is not None
        return PageEffects(self.dashboard, self.corpus) if computed else None

    @cached_property
    def profile(self) -> ProfilePanel:
        """What it fires on, class by class."""
        return ProfilePanel(self.run, self.dashboard, self.switches)

    @property
    def query(self) -> str:
        """The end of the address of a neighbour that is drawn alike."""
        return self.switches.query()

    @property
    def last_index(self) -> int:
        """The largest index of the dictionary."""
        return self.run.dictionary.d_sae - 1

    @property
    def rarity(self) -> str:
        """`dead`, `ultralow` or nothing."""
        return rarity(self.dashboard.n_active, self.dashboard.n_tokens)

    @property
    def digests(self) -> list[tuple[str, str]]:
        """What the numbers were computed from, by the hashes of its contents."""
        dictionary = self.run.dictionary
        return [
            (f"Model {dictionary.model.name}", dictionary.model.digest),
            (f"Dictionary {dictionary.name}", dictionary.digest),
            ("Tokens of the corpus", self.run.corpus.digest),
        ]

    @property
    def computed(self) -> str:
        """In which precision, from which seed, on what, how long."""
        made = self.run.provenance
        told = [made.get("dtype", ""), f"seed {self.run.plan.get('seed', 0)}"]
        told += made.get("devices", [])
        if "seconds" in made:
            told.append(duration(made["seconds"]))
        return ", ".join(filter(None, told))

    @property
    def versions(self) -> str:
        """The packages behind the numbers."""
        versions = self.run.provenance.get("versions", {})
        return ", ".join(f"{name} {version}" for name, version in versions.items())

    @property
    def views(self) -> tuple[tuple[str, str], ...]:
        """How much of a context rows may show, with the words on the switch."""
        return (("line", "Line"), ("4", "±4"), ("16", "±16"), ("whole", "Whole"))

    @property
    def axis(self) -> tuple[float, float, float]:
        """Numbers under the histogram: its first edge, its middle, its last."""
        edges = self.dashboard.histogram.edges
        return edges[0], (edges[0] + edges[-1]) / 2, edges[-1]

    @property
    def tallest(self) -> int:
        """The largest count of the histogram."""
        return max(self.dashboard.histogram.counts)

    @cached_property
    def logit_forms(self) -> list[LogitForm]:
        """Its logit weights; none where it writes nothing linearly."""
        return logit_forms(self.dashboard, self._text)

    @property
    def logit_form(self) -> str:
        """The form shown: the one asked for where it is there, else the first."""
        names = [form.name for form in self.logit_forms]
        return self.switches.logits if self.switches.logits in names else (names or [""])[0]

    @cached_property
    def sourced(self) -> list[Sourced]:
        """Where an attention layer brought its strongest examples from; none at other hooks."""
        return sourced(self.dashboard, self.corpus)

    @property
    def previous(self) -> int | None:
        """The index before this one."""
        return self.latent.index - 1 if self.latent.index else None

    @property
    def next(self) -> int | None:
        """The index after this one."""
        following = self.latent.index + 1
        return following if following <= self.last_index else None

    @cached_property
    def fires_on(self) -> list[Firing]:
        """The tokens it fires on, most frequent first."""
        return [
            Firing(
                token=row.token,
                text=self._text(row.token),
                n_active=row.n_active,
                n_tokens=row.n_tokens,
                of_firing=row.n_active / self.dashboard.n_active,
                of_token=row.n_active / row.n_tokens,
            )
            for row in self.dashboard.fires_on[:_FIRES_ON_SHOWN]
        ]

    @cached_property
    def _relations(self) -> list[Relation]:
        return relations.of(self.run)

    def _text(self, token: int) -> str:
        return readable(self.corpus.vocabulary[token])


def _asked_token(query: Mapping[str, str]) -> int | None:
    """The position an address points at; none when it names none."""
    asked = query.get("tok", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
