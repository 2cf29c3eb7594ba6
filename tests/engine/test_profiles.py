"""Profiles of latents against numpy over dense activations."""

import msgspec
import numpy as np
import pytest

from featureviz.dashboards.class_store import CorpusClasses
from featureviz.dashboards.classes import ALPHABETS
from featureviz.engine.plan import SIZES
from featureviz.engine.profiles import with_profiles
from tests.dashboards.corpus import write_corpus
from tests.engine.dense import Case, spooled

VOCABULARY = [b"<s>", "م".encode(), "ж".encode(), b"7", b"x", b" "]
N_CONTEXTS, N_CTX, D_SAE = 40, 16, 7


@pytest.fixture(scope="module")
def case():
    random = np.random.default_rng(3)
    tokens = random.integers(1, len(VOCABULARY), (N_CONTEXTS, N_CTX)).astype(np.int32)
    tokens[:, 0] = 0
    activations = random.gamma(0.5, 2, (N_CONTEXTS, N_CTX, D_SAE)).astype(np.float32)
    activations *= random.random(activations.shape) < 0.3
    activations[:, :, 0] *= tokens == 1  # Arabic and nothing else
    activations[:, :, 1] *= np.where(tokens == 2, 5, 0.2)  # Cyrillic, and others weakly
    activations[:, :, 2] = 0  # dead
    activations[:, :, 3] *= tokens == 5  # only what is in no class
    activations[:, :, 4] = tokens == 3  # always and only on digits
    return Case(activations.astype(np.float32), tokens != 0, tokens)


@pytest.fixture(scope="module")
def corpus(case, tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "c", case.tokens, VOCABULARY)


def profiled(case, corpus, shard_size=None):
    with spooled(case, shard_size) as shards:
        found = shards.dashboards(SIZES, 0)
        return with_profiles(found, corpus, shards.paths, shards.shard_size)


def test_every_number_equals_numpys(case, corpus):
    names = [one.name for one in CorpusClasses.of(corpus).facts]
    assert {"arabic", "cyrillic", "digits", "latin"} <= set(names)
    marks = CorpusClasses.of(corpus).marks(range(N_CONTEXTS))
    counted = case.counted.reshape(-1)
    checked = 0
    for dashboard in profiled(case, corpus):
        values = case.activations[:, :, dashboard.index].reshape(-1)[counted].astype(np.float64)
        for profile in dashboard.profiles:
            column = names.index(profile.name)
            member = marks.members[counted, column]
            score = marks.scores[counted, column].astype(np.float64)
            active = values > 0
            assert profile.n_tokens == member.sum()
            assert profile.n_active == (member & active).sum()
            assert profile.total == pytest.approx(values[member].sum())
            assert profile.pearson == pytest.approx(np.corrcoef(values, score)[0, 1], abs=1e-9)
            for interval, count in zip(dashboard.intervals, profile.in_intervals, strict=True):
                inside = (values > interval.lower) & (values <= interval.upper)
                assert count == (inside & member).sum()
                assert interval.n_active == inside.sum()
            checked += 1
    assert checked >= 14


def test_a_latent_of_one_class_names_it_first(case, corpus):
    found = profiled(case, corpus)
    arabic = found[0].profiles[0]
    assert (arabic.name, arabic.n_active) == ("arabic", found[0].n_active)
    assert [one.name for one in found[0].profiles] == ["arabic"]
    assert found[1].profiles[0].name == "cyrillic"
    assert found[4].profiles[0].pearson == pytest.approx(1)


def test_a_dead_latent_and_one_outside_all_classes_have_no_profile(case, corpus):
    found = profiled(case, corpus)
    assert found[2].n_active == 0
    assert found[2].profiles == ()
    assert found[3].n_active > 0
    assert [one for one in found[3].profiles if one.name not in ALPHABETS] == []


@pytest.mark.parametrize("shard_size", [1, 7, 40])
def test_any_cut_into_shards_gives_the_same_bytes(case, corpus, shard_size):
    whole = [one.profiles for one in profiled(case, corpus)]
    parts = [one.profiles for one in profiled(case, corpus, shard_size)]
    assert msgspec.msgpack.encode(parts) == msgspec.msgpack.encode(whole)


def test_specificity_of_the_methods_case(tmp_path):
    """Activations [1, 2, 6, 8] on [x, digit, digit, digit]: .75, weighted .941176."""
    tokens = np.tile(np.array([[0, 4, 3, 3, 3]], np.int32), (40, 1))
    values = np.array([9, 1, 2, 6, 8], np.float32)  # the start token counts nowhere
    case = Case(np.tile(values, (40, 1))[:, :, None], tokens != 0, tokens)
    corpus = write_corpus(tmp_path / "c", tokens, VOCABULARY)
    dashboard = profiled(case, corpus)[0]
    digits = next(one for one in dashboard.profiles if one.name == "digits")
    assert digits.n_active / dashboard.n_active == 0.75
    assert digits.total / dashboard.sum_activation == pytest.approx(0.941176, abs=1e-6)
