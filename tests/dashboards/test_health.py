"""What a dictionary's health says of its losses, and how it is stored."""

import msgspec
import pytest

from featureviz.dashboards.health import Losses, read_health
from featureviz.dashboards.store import StoreError


def losses(**changes):
    numbers = {
        "n_contexts": 1, "n_tokens": 1, "clean": 3.0, "spliced": 3.21, "zero": 4.0, "mean": 3.7,
        "kl_spliced": 0.2, "kl_zero": 0.8, "kl_mean": 0.5,
    }  # fmt: skip
    return Losses(**(numbers | changes))


def test_the_loss_recovered_is_that_of_the_methods_case():
    assert losses().recovered_from_zero == pytest.approx(0.79)


def test_the_mean_is_a_baseline_of_its_own_and_kl_another():
    assert losses().recovered_from_mean == pytest.approx(0.7)
    assert losses().kl_recovered == pytest.approx(0.75)


def test_where_the_baseline_costs_nothing_nothing_can_be_recovered():
    assert losses(zero=3.0).recovered_from_zero is None


@pytest.mark.parametrize("content", [None, b"", b'{"n_tokens": 3}'])
def test_a_health_that_is_missing_or_damaged_is_a_store_error(tmp_path, content):
    if content is not None:
        (tmp_path / "health.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"health\.json"):
        read_health(tmp_path)


def test_losses_survive_being_written_as_json():
    assert msgspec.json.decode(msgspec.json.encode(losses()), type=Losses) == losses()
