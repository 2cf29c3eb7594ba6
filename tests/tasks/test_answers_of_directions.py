"""What a worker answers about directions, on the shipped dictionaries: a map, figures of a pair."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from featureviz import demo
from featureviz.catalog import questions
from featureviz.catalog.models import Question
from featureviz.dashboards.maps import read_map
from featureviz.engine.precompute import Request
from tasks import answers
from tasks.requests import place

pytestmark = pytest.mark.django_db
WEIGHTS = Path(demo.__file__).parent / "weights"


@pytest.fixture
def run(store, tmp_path):
    """A run of the demo's small dictionary that nothing was computed of."""
    text = tmp_path / "text.txt"
    text.write_text("Once upon a time there was a small bird who could not sing. " * 20)
    asked = Request(str(WEIGHTS / "A"), str(WEIGHTS / "A-0"), text, max_contexts=2)
    return place(asked, lambda _: None)


def rows():
    return load_file(WEIGHTS / "A-0" / "sae_weights.safetensors")["W_dec"].astype(np.float64)


def test_a_worker_makes_the_map_a_file_of_the_run(run):
    asked = questions.ask(run, Question.Kind.MAP)
    answers.answer_waiting()
    asked.refresh_from_db()
    assert (asked.state, asked.problem) == ("answered", "")
    found = read_map(run.folder)
    assert found.n_latents == len(rows()) == len(found.cluster_of)
    unit = rows() / np.linalg.norm(rows(), axis=1, keepdims=True)
    _, singular, axes = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    x, _ = found.layouts[0].points
    assert np.abs(x) == pytest.approx(np.abs((unit - unit.mean(axis=0)) @ axes[0]), abs=1e-5)
    assert found.layouts[0].shares[0] == pytest.approx(singular[0] ** 2 / (singular**2).sum())
    before = (run.folder / "map.msgpack").read_bytes()
    questions.again(asked)
    answers.answer_waiting()
    assert (run.folder / "map.msgpack").read_bytes() == before


def test_a_worker_answers_how_two_latents_write(run):
    asked = {"latent": 3, "other": run.key, "other_latent": 5}
    question = questions.ask(run, Question.Kind.WEIGHTS, **asked)
    answers.answer_waiting()
    question.refresh_from_db()
    one, other = rows()[3], rows()[5]
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert question.answer["cosine"] == pytest.approx(cosine, abs=1e-7)
    assert -1 <= question.answer["logit_correlation"] <= 1
