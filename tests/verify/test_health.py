"""Brute force agrees with the health a run wrote, and finds every figure that was changed."""

import pytest
from msgspec.structs import replace

from featureviz.dashboards.health import read_health
from featureviz.verify.health import health
from featureviz.verify.truth import brute_force


@pytest.fixture(scope="module")
def truth(verified):
    plan, store = verified
    return brute_force(plan, store, [0], lambda _done, _total: None)


@pytest.fixture(scope="module")
def written(verified):
    plan, store = verified
    return read_health(store / "runs" / plan.key)


def test_a_sound_run_agrees(written, truth):
    found = list(health(written, truth))
    assert [finding for finding in found if not finding.ok] == []
    assert len(found) > 15


@pytest.mark.parametrize(
    "name",
    ["l0", "l1", "fvu", "cosine", "norm_ratio", "reconstruction_bias", "n_dead", "median_norm"],
)
def test_a_changed_figure_is_found(written, truth, name):
    changed = replace(written, **{name: getattr(written, name) + 3})
    assert [f.what for f in health(changed, truth) if not f.ok] == [f"health {name}"]


@pytest.mark.parametrize("name", ["clean", "spliced", "zero", "mean"])
def test_a_changed_loss_is_found(written, truth, name):
    losses = replace(written.losses, **{name: getattr(written.losses, name) + 0.01})
    found = health(replace(written, losses=losses), truth)
    assert [f.what for f in found if not f.ok] == [f"health loss {name}"]
