"""What a worker does for search by meaning: a real encoder, the real rows."""

import numpy as np
import pytest

from featureviz.annotate.explanations import Signature, edit, take_back, withdraw
from featureviz.annotate.models import ExplanationVector
from featureviz.catalog import questions
from featureviz.catalog.models import Question
from featureviz.engine.embedding import load_encoder
from tasks import answers, embeddings, jobs, meaning, upkeep
from tests.browse.search.conftest import explain
from tests.encoders import write_encoder
from tests.factories import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return make_run()


@pytest.fixture
def encoder(tmp_path, settings):
    settings.FEATUREVIZ_EMBEDDING_MODEL = write_encoder(tmp_path / "encoder")
    return load_encoder(settings.FEATUREVIZ_EMBEDDING_MODEL)


def read(stop=lambda: False, watch=lambda: None):
    return embeddings.embed_unread(stop, watch)


def rows():
    return {row.explanation_id: row for row in ExplanationVector.objects.all()}


def test_each_explanation_is_read_once_and_kept_with_version_and_model(run, encoder):
    texts = ["quotation marks", "zebra stripes", "a cat and a dog"] * 15
    said = [explain(run, at % 8, text) for at, text in enumerate(texts)]
    assert read() is False
    kept = rows()
    for each, vector in zip(said, encoder.embed(texts), strict=True):
        row = kept[each.pk]
        assert (row.version, row.model) == (1, encoder.digest)
        assert np.allclose(np.frombuffer(row.vector, "<f4"), vector, atol=1e-5)
    read()
    assert {row.pk for row in rows().values()} == {row.pk for row in kept.values()}


def test_what_changed_is_read_again_as_a_new_row_and_what_was_withdrawn_is_not(run, encoder):
    one, two = explain(run, 1, "cat"), explain(run, 2, "dog")
    withdraw(two)
    read()
    before = rows()
    assert set(before) == {one.pk}
    edit(one, "zebra", Signature(author=one.author), version=1)
    take_back(two)
    read()
    after = rows()
    assert set(after) == {one.pk, two.pk}
    assert after[one.pk].version == 2
    assert after[one.pk].pk > before[one.pk].pk
    (vector,) = encoder.embed(["zebra"])
    assert np.allclose(np.frombuffer(after[one.pk].vector, "<f4"), vector, atol=1e-5)


def test_another_model_reads_everything_anew(run, encoder, settings):
    explain(run, 1, "cat")
    read()
    write_encoder(settings.FEATUREVIZ_EMBEDDING_MODEL, seed=1)
    read()
    (row,) = rows().values()
    assert row.model == embeddings.encoder().digest != encoder.digest


def test_reading_stops_when_told_and_says_that_some_is_left(run, encoder, monkeypatch):
    explain(run, 1, "cat")
    assert read(stop=lambda: True) is True
    monkeypatch.setattr(embeddings, "SLICE_SECONDS", 0.0)
    assert read() is True
    assert rows() == {}


def test_questions_are_answered_while_explanations_are_read(run, encoder):
    explain(run, 1, "cat")
    asked = questions.ask(run, Question.Kind.MEANING, text="quotation marks", model="x")
    read(watch=answers.answer_waiting)
    asked.refresh_from_db()
    assert asked.state == Question.State.ANSWERED
    assert asked.answer["model"] == encoder.digest
    (vector,) = encoder.embed(["quotation marks"])
    assert np.allclose(asked.answer["vector"], vector, atol=1e-6)
    assert len(rows()) == 1


def test_a_model_that_cannot_be_loaded_is_named_and_stops_nothing(run, tmp_path, settings, caplog):
    settings.FEATUREVIZ_EMBEDDING_MODEL = tmp_path
    asked = questions.ask(run, Question.Kind.MEANING, text="cat", model="x")
    meaning.embed()
    assert str(tmp_path) in caplog.text
    answers.answer_waiting()
    asked.refresh_from_db()
    assert asked.state == Question.State.FAILED
    assert "safetensors" in asked.problem
    assert not jobs.at_work.locked()


@pytest.mark.parametrize("is_configured", [True, False])
def test_a_worker_is_sent_for_where_a_model_is_named(
    run, tmp_path, settings, monkeypatch, django_capture_on_commit_callbacks, is_configured
):
    sent = []
    monkeypatch.setattr("featureviz.celery._send", lambda name, _: sent.append(name))
    settings.FEATUREVIZ_EMBEDDING_MODEL = tmp_path if is_configured else None
    with django_capture_on_commit_callbacks(execute=True):
        explain(run, 1, "cat")
        upkeep.look_for_texts()
    assert sent == ["meaning.embed"] * 2 * is_configured
    with jobs.at_work, django_capture_on_commit_callbacks(execute=True):
        upkeep.look_for_texts()
    assert sent == ["meaning.embed"] * 2 * is_configured
