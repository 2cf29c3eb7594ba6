"""How latents go together: every figure against brute force, and the same bytes however made."""

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.store import read_relations
from featureviz.engine.activations import Actives
from featureviz.engine.errors import RelationError
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench, Request, prepare, shard_path
from featureviz.engine.relations import (
    Meetings,
    Relating,
    Tally,
    by_place,
    jaccard,
    pearson,
    relation_path,
)
from featureviz.engine.spool import by_latent
from tests.engine.conftest import write_gpt2, write_standard
from tests.oracles import relations as oracle

KEPT, CHILDREN_KEPT = 8, 20
SMALL, LARGE, ELSEWHERE = "small", "large", "elsewhere"


def silent(done):
    """Report to nobody."""


# The formulas, on worked cases


def tally(*series):
    columns = np.array(series, float)
    return Tally((columns != 0).sum(axis=1), columns.sum(axis=1), (columns**2).sum(axis=1))


def meeting(x, y):
    x, y = np.array(x, float), np.array(y, float)
    return Meetings(np.array([[((x != 0) & (y != 0)).sum()]]), np.array([[x @ y]]))


def test_correlation_of_the_worked_case():
    f, n = [0, 0, 2, 4], [1, 0, 3, 4]
    assert pearson(meeting(f, n), tally(f), tally(n), 4)[0, 0] == pytest.approx(0.953463, abs=5e-7)


@pytest.mark.parametrize("flat", [[0, 0, 0, 0], [0.1, 0.1, 0.1, 0.1]], ids=["silent", "constant"])
def test_a_constant_series_has_no_correlation(flat):
    f = [0, 0, 2, 4]
    flat = np.float32(flat).astype(float)
    assert np.isnan(pearson(meeting(f, flat), tally(f), tally(flat), 4)[0, 0])


def test_a_rare_latent_has_its_whole_correlation():
    """Something added to the denominator would pull it to zero."""
    n = 10_000_000
    rare = Tally(np.array([1]), np.array([1e-3]), np.array([1e-6]))
    both = Meetings(np.array([[1]]), np.array([[1e-6]]))
    assert pearson(both, rare, rare, n)[0, 0] == pytest.approx(1, abs=1e-9)


def test_jaccard_of_the_worked_case():
    both = Meetings(np.array([[2]]), np.zeros((1, 1)))
    mine, theirs = (Tally(np.array([n]), np.zeros(1), np.zeros(1)) for n in (3, 4))
    assert jaccard(both, mine, theirs)[0, 0] == 0.4


def test_jaccard_of_two_silent_latents_is_zero():
    both = Meetings(np.array([[0]]), np.zeros((1, 1)))
    assert jaccard(both, tally([0.0]), tally([0.0]))[0, 0] == 0


@settings(deadline=None)
@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=30))
def test_activations_sorted_by_place_are_those_sorted_by_latent(found):
    entries = sorted(found)
    places, latents = zip(*entries, strict=True) if entries else ((), ())
    actives = Actives(
        np.array(places, np.uint32),
        np.array(latents, np.int32),
        np.arange(1, len(entries) + 1, dtype=np.float32),
    )
    placed = by_place(by_latent(actives, 5), 10)
    assert placed.starts.tolist() == [sum(p < place for p in places) for place in range(11)]
    assert placed.latents.tolist() == list(latents)
    assert placed.values.tolist() == actives.values.tolist()


# Whole runs


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs over one corpus, their activations spooled."""

    store: Path
    plans: dict[str, Plan]

    @cache  # noqa: B019 - as long as the module's runs
    def side(self, name):
        """What the oracle needs to know of a run, by running model and dictionary plainly."""
        bench = Bench(self.plans[name], self.store)
        corpus = StoredCorpus(self.store / "corpora" / bench.plan.corpus_digest)
        rows = corpus.tokens.astype(np.int64)
        codes = [
            bench.dictionary.codes(
                bench.subject.activations(torch.from_numpy(row[None]), bench.plan.hook)[0]
            ).dense()
            for row in rows
        ]
        W_dec = bench.dictionary.W_dec
        writes = bench.subject.to_residual(bench.plan.hook)(W_dec)
        return oracle.Side(
            activations=torch.stack(codes).double().numpy()[np.asarray(corpus.counted)],
            W_dec=W_dec.double().numpy(),
            logits=(writes.double() @ bench.subject.W_U.double()).numpy(),
        )

    def relating(self, one, other):
        return Relating(Bench(self.plans[one], self.store), self.plans[other])

    @cache  # noqa: B019
    def related(self, one, other):
        return self.relate(one, other)

    def relate(self, one, other):
        plan, relating = self.plans[one], self.relating(one, other)
        for number in range(plan.n_blocks):
            relating.block(number, silent)
        folder, key = self.store / "runs" / plan.key, self.plans[other].key
        return [
            read_relations(relation_path(folder, key, number), latent)
            for number in range(plan.n_blocks)
            for latent in plan.block_latents(number)
        ]

    def packs(self, one, other):
        folder = self.store / "runs" / self.plans[one].key / "relations" / self.plans[other].key
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, model_folder, byte_tokenizer, text_file):
    """Two dictionaries of one model, of 24 and 96 latents, and one of another model."""
    folder = tmp_path_factory.mktemp("relations")
    twin = write_gpt2(folder / "twin", byte_tokenizer, seed=5)
    asked = {
        SMALL: (model_folder, write_standard(folder / SMALL, d_sae=24, seed=3)),
        LARGE: (model_folder, write_standard(folder / LARGE, seed=4)),
        ELSEWHERE: (twin, write_standard(folder / ELSEWHERE, d_sae=96, seed=6)),
    }
    store = folder / "store"
    plans = {}
    for name, (model, dictionary) in asked.items():
        plan = prepare(Request(str(model), str(dictionary), text_file), store).plan
        plan = msgspec.structs.replace(plan, shard_size=8, block_size=40)  # several of each
        assert plan.n_shards > 1
        bench = Bench(plan, store)
        for number in range(plan.n_shards):
            bench.shard(number)
        plans[name] = plan
    return Runs(store, plans)


PAIRS = [
    (SMALL, SMALL), (SMALL, LARGE), (LARGE, SMALL), (LARGE, LARGE), (LARGE, ELSEWHERE),
    (ELSEWHERE, SMALL),
]  # fmt: skip


@pytest.fixture(scope="module", params=PAIRS, ids=" to ".join)
def pair(request, runs):
    """A pair of runs: what the engine found, what brute force finds, and the sides."""
    one, other = request.param
    mine, theirs = runs.side(one), runs.side(other)
    figures = oracle.expected(mine, theirs)
    if ELSEWHERE in request.param and one != other:
        figures.cosine[:] = np.nan  # another model's directions mean another thing
    if one == other:
        for column in (figures.correlation, figures.jaccard, figures.cosine):
            np.fill_diagonal(column, np.nan)
    return request.param, runs.related(one, other), figures, (mine, theirs)


def test_every_figure_is_that_of_brute_force(pair):
    _, found, figures, _ = pair
    compared = 0
    for relations in found:
        for related in (*relations.related, *relations.children, relations.parent):
            if related is None:
                continue
            at = relations.index, related.index
            assert related.n_both == figures.n_both[at]
            assert related.jaccard == figures.jaccard[at]
            for name in ("correlation", "cosine", "logit_correlation"):
                truth, ours = getattr(figures, name)[at], getattr(related, name)
                assert ours == (None if np.isnan(truth) else pytest.approx(truth, abs=1e-9))
            compared += 1
    assert compared > 5 * len(found)


def test_the_strongest_by_each_figure_are_listed_and_nothing_else(pair):
    _, found, figures, _ = pair
    for index, relations in enumerate(found):
        assert relations.index == index
        columns = (figures.correlation, figures.jaccard, figures.cosine)
        leading = {place for each in columns for place in oracle.strongest(each[index], KEPT)}
        assert [related.index for related in relations.related] == sorted(leading)


def test_a_latent_is_never_related_to_itself(runs):
    for relations in runs.related(LARGE, LARGE):
        assert relations.index not in [related.index for related in relations.related]


def test_both_ways_say_the_same_of_a_pair(runs):
    there = {
        (relations.index, related.index): related
        for relations in runs.related(LARGE, ELSEWHERE)
        for related in relations.related
    }
    back = {
        (related.index, relations.index): related
        for relations in runs.related(ELSEWHERE, LARGE)
        for related in relations.related
    }
    shared = there.keys() & back.keys()
    assert len(shared) > 50
    for key in shared:
        one, other = there[key], back[key]
        assert (one.n_both, one.jaccard, one.correlation) == (
            other.n_both,
            other.jaccard,
            other.correlation,
        )
        assert one.logit_correlation == pytest.approx(other.logit_correlation, abs=1e-12)


def test_a_dead_latent_is_related_by_its_direction_only(runs):
    dead = runs.related(LARGE, SMALL)[0]
    assert dead.related
    for related in dead.related:
        assert (related.n_both, related.jaccard, related.correlation) == (0, 0, None)
        assert related.cosine > 0


def test_the_children_of_a_latent_are_those_that_point_along_it_most(runs):
    mine, theirs = runs.side(SMALL), runs.side(LARGE)
    parents_alive, alive = ((side.activations > 0).any(axis=0) for side in (mine, theirs))
    assert not parents_alive.all()
    assert not alive.all()
    cosine = oracle.expected(mine, theirs).cosine
    parent = {
        child: max(np.flatnonzero(parents_alive).tolist(), key=lambda i: (cosine[i, child], -i))
        for child in np.flatnonzero(alive).tolist()
    }
    for index, relations in enumerate(runs.relate(SMALL, LARGE)):
        own = sorted(
            (child for child, of in parent.items() if of == index),
            key=lambda child: (-cosine[index, child], child),
        )
        assert relations.n_children == len(own)
        assert [child.index for child in relations.children] == own[:CHILDREN_KEPT]
        assert relations.parent is None
    for child, relations in enumerate(runs.relate(LARGE, SMALL)):
        assert relations.children == ()
        assert (relations.parent and relations.parent.index) == parent.get(child)


@pytest.mark.parametrize(("one", "other"), [(LARGE, LARGE), (LARGE, ELSEWHERE)])
def test_nothing_is_split_within_one_size_or_across_models(runs, one, other):
    for relations in runs.related(one, other):
        assert (relations.parent, relations.children, relations.n_children) == (None, (), 0)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_bytes_are_the_same_whoever_makes_which_block_on_how_many_threads(runs, threads):
    runs.relate(LARGE, SMALL)
    expected = runs.packs(LARGE, SMALL)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for number in reversed(range(runs.plans[LARGE].n_blocks)):
            runs.relating(LARGE, SMALL).block(number, silent)
    finally:
        torch.set_num_threads(before)
    assert runs.packs(LARGE, SMALL) == expected
    assert len(expected) == 3


def test_a_block_too_wide_to_count_at_once_is_counted_in_parts(runs, monkeypatch):
    whole = runs.related(LARGE, SMALL)
    monkeypatch.setattr("featureviz.engine.relations._CELLS", 24 * 7)
    for one, other in zip(whole, runs.relate(LARGE, SMALL), strict=True):
        assert len(one.related) == len(other.related)
        for ours, theirs in zip(one.related, other.related, strict=True):
            assert (ours.index, ours.n_both) == (theirs.index, theirs.n_both)
            assert (ours.correlation, ours.jaccard) == (theirs.correlation, theirs.jaccard)
            assert ours.cosine == pytest.approx(theirs.cosine, abs=1e-15)


def test_progress_is_told_in_latents(runs, monkeypatch):
    monkeypatch.setattr("featureviz.engine.relations._CELLS", 24 * 16)
    done = []
    runs.relating(LARGE, SMALL).block(1, done.append)
    assert done == sorted(done)
    assert done[-1] == 40
    assert len(set(done)) > runs.plans[LARGE].n_shards


def test_a_run_over_another_corpus_is_refused(runs):
    other = msgspec.structs.replace(runs.plans[SMALL], corpus_digest="0" * 64)
    with pytest.raises(RelationError, match="different corpora"):
        Relating(Bench(runs.plans[LARGE], runs.store), other)


def test_a_run_cut_into_other_shards_is_refused(runs):
    other = msgspec.structs.replace(runs.plans[SMALL], shard_size=4)
    with pytest.raises(RelationError, match="shards of 8 and 4 contexts"):
        Relating(Bench(runs.plans[LARGE], runs.store), other)


def test_activations_that_were_deleted_are_named_with_the_run(runs, tmp_path):
    shutil.copytree(runs.store, tmp_path / "store")
    plan = runs.plans[SMALL]
    shard_path(tmp_path / "store" / "runs" / plan.key, 1).unlink()
    relating = Relating(Bench(runs.plans[LARGE], tmp_path / "store"), plan)
    with pytest.raises(RelationError, match=f"activations of the run {plan.key[:8]} were deleted"):
        relating.block(0, silent)
