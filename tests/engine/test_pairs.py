"""What two latents write, pair by pair: as brute force has it, and as relations keep it."""

import msgspec
import numpy as np
import pytest

from featureviz.engine.pairs import pair_weights
from featureviz.engine.precompute import Bench, Request, prepare
from tests.engine.conftest import write_gpt2, write_standard


@pytest.fixture(scope="module")
def benches(tmp_path_factory, model_folder, byte_tokenizer, text_file):
    """Two dictionaries of one model, and one of another model."""
    folder = tmp_path_factory.mktemp("pairs")
    twin = write_gpt2(folder / "twin", byte_tokenizer, seed=5)
    asked = {
        "small": (model_folder, write_standard(folder / "small", d_sae=24, seed=3)),
        "large": (model_folder, write_standard(folder / "large", seed=4)),
        "twin": (twin, write_standard(folder / "other", d_sae=96, seed=6)),
    }
    store = folder / "store"
    return {
        name: Bench(prepare(Request(str(model), str(coder), text_file), store).plan, store)
        for name, (model, coder) in asked.items()
    }


def logits(bench, latent):
    row = bench.dictionary.W_dec[latent]
    return (row.double() @ bench.subject.W_U.double()).detach().numpy()


@pytest.mark.parametrize("other", ["small", "large"])
def test_latents_of_one_place_have_both_figures(benches, other):
    one, two = benches["small"], benches[other]
    a, b = one.dictionary.W_dec[5].double().numpy(), two.dictionary.W_dec[7].double().numpy()
    cosine, correlation = pair_weights(one, 5, two, 7)
    assert cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-12)
    expected = np.corrcoef(logits(one, 5), logits(two, 7))[0, 1]
    assert correlation == pytest.approx(expected, abs=1e-12)


def test_directions_of_another_model_or_another_place_have_no_cosine(benches):
    cosine, correlation = pair_weights(benches["small"], 5, benches["twin"], 7)
    assert cosine is None
    expected = np.corrcoef(logits(benches["small"], 5), logits(benches["twin"], 7))[0, 1]
    assert correlation == pytest.approx(expected, abs=1e-12)
    large = benches["large"]
    moved = Bench(msgspec.structs.replace(large.plan, hook="blocks.0.hook_resid_pre"), large.store)
    assert pair_weights(large, 5, moved, 7)[0] is None


def test_a_latent_beside_itself_points_and_writes_alike(benches):
    assert pair_weights(benches["large"], 9, benches["large"], 9) == pytest.approx((1, 1))
