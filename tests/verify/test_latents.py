"""Brute force agrees with a sound run, and finds every number that was changed."""

import pytest
from msgspec.structs import replace

from featureviz.dashboards.store import read_dashboard
from featureviz.engine.precompute import block_path
from featureviz.verify.latents import compare
from featureviz.verify.truth import brute_force

N_LATENTS = 24


@pytest.fixture(scope="module")
def truth(verified):
    plan, store = verified
    return brute_force(plan, store, range(N_LATENTS), lambda _done, _total: None)


@pytest.fixture(scope="module")
def pages(verified):
    plan, store = verified
    path = block_path(store / "runs" / plan.key, 0)
    return [read_dashboard(path, index) for index in range(N_LATENTS)]


@pytest.fixture(scope="module")
def busiest(pages):
    """The latent that fires most of those shown."""
    return max(pages, key=lambda each: each.n_active)


def differing(page, truth):
    return [finding.what for finding in compare(page, truth) if not finding.ok]


def test_a_sound_run_agrees_in_every_number(pages, truth):
    assert sum(page.n_active > 0 for page in pages) > 5
    assert sum(page.n_active == 0 for page in pages) > 1
    for page in pages:
        found = compare(page, truth)
        assert [finding for finding in found if not finding.ok] == []
        assert len(found) > 50


def with_example(page, **changes):
    return replace(page, top=(replace(page.top[0], **changes), *page.top[1:]))


def with_effect(page, **changes):
    first, *rest = page.top[0].effects
    return with_example(page, effects=(replace(first, **changes), *rest))


TAMPERED = {
    "n_active": lambda page: replace(page, n_active=page.n_active + 3),
    "n_tokens": lambda page: replace(page, n_tokens=page.n_tokens + 1),
    "n_active_contexts": lambda page: replace(page, n_active_contexts=1),
    "sum_activation": lambda page: replace(page, sum_activation=page.sum_activation * 1.001),
    "sum_squared_activation": lambda page: replace(page, sum_squared_activation=1.0),
    "max_activation": lambda page: replace(page, max_activation=page.max_activation * 1.001),
    "decoder_norm": lambda page: replace(page, decoder_norm=page.decoder_norm + 0.01),
    "histogram.counts": lambda page: replace(
        page,
        histogram=replace(page.histogram, counts=(*page.histogram.counts[:-1], 7)),
    ),
    "interval.counts": lambda page: replace(
        page, intervals=(replace(page.intervals[0], n_active=99), *page.intervals[1:])
    ),
    "fires_on": lambda page: replace(page, fires_on=page.fires_on[1:]),
    "top": lambda page: replace(page, top=page.top[1:]),
    "top: distinct contexts": lambda page: replace(page, top=(page.top[0], *page.top[:-1])),
    "top, example 1": lambda page: with_example(
        page, activations=tuple(value * 1.01 for value in page.top[0].activations)
    ),
    "interval": lambda page: replace(
        page,
        intervals=tuple(replace(each, examples=page.top[:5]) for each in page.intervals),
    ),
    "random": lambda page: replace(page, random=page.top[:10]),
    "logits.top": lambda page: replace(page, logits=replace(page.logits, top=page.logits.bottom)),
    "logits.histogram": lambda page: replace(
        page,
        logits=replace(
            page.logits,
            histogram=replace(
                page.logits.histogram, counts=tuple(reversed(page.logits.histogram.counts))
            ),
        ),
    ),
    "top 1, effect at": lambda page: with_effect(page, total=page.top[0].effects[0].total + 0.01),
    "top 1, effect at …: KL": lambda page: with_effect(page, kl=page.top[0].effects[0].kl + 0.01),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_changed_number_is_found(busiest, truth, what):
    found = differing(TAMPERED[what](busiest), truth)
    assert any(name.startswith(what.split(" …")[0]) for name in found), found
