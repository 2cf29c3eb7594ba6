"""What a worker answers: real models, the same numbers as a whole run."""

from io import StringIO

import msgspec
import pytest
from django.core.management import call_command

from featureviz.catalog import questions
from featureviz.catalog.models import Question, Run
from featureviz.dashboards.store import read_dashboard
from tasks import answers, jobs
from tests.catalog import toy

pytestmark = pytest.mark.django_db


@pytest.fixture
def precompute(shared_data, store, tmp_path):
    corpus = tmp_path / "story.txt"
    corpus.write_text("Once upon a time, there was a little girl named Lily. " * 20)

    def run(**options):
        call_command(
            "precompute",
            model=str(shared_data / "lm-stories260k"),
            dictionary=str(shared_data / "sae-topk-l2"),
            corpus=corpus,
            context_size=32,
            max_contexts=3,
            stdout=StringIO(),
            **options,
        )
        return Run.objects.readable().order_by("published_at").last()

    yield run
    answers._bench.cache_clear()


@pytest.mark.parametrize("groups", ["none", "top"])
def test_effects_asked_for_are_those_of_a_run_that_computed_them_all(precompute, groups):
    part, whole = precompute(ablate=groups), precompute(ablate="all", name="whole")
    latent = part.latents.order_by("-n_active").first().index
    before = part.dashboard(latent)
    asked = questions.ask(part, Question.Kind.EFFECTS, index=latent)
    answers.answer_waiting()
    asked.refresh_from_db()
    assert (asked.state, asked.problem, asked.done) == ("answered", "", asked.size)
    assert part.dashboard(latent) != before
    assert msgspec.json.encode(part.dashboard(latent)) == msgspec.json.encode(
        whole.dashboard(latent)
    )
    assert read_dashboard(part.folder / "blocks" / "00000.pack", latent) == before
    call_command("verify", f"{part.dictionary}/{latent}", stdout=StringIO())  # else it exits with 1


def test_a_text_is_answered_for_one_latent_and_for_all(precompute):
    run = precompute()
    text = "Once upon a time, there was a little girl."
    every = questions.ask(run, Question.Kind.LATENTS, text=text)
    answers.answer_waiting()
    every.refresh_from_db()
    found = every.answer
    assert len(found["tokens"]) == len(found["counted"]) > 5
    latent = found["latents"][0]
    one = questions.ask(run, Question.Kind.TEXT, index=latent, text=text)
    answers.answer_waiting()
    one.refresh_from_db()
    own = [0.0] * len(found["tokens"])
    for at, index, value in zip(found["positions"], found["latents"], found["values"], strict=True):
        if index == latent:
            own[at] = value
    assert one.answer["activations"] == own
    assert any(own)


def test_a_text_the_model_cannot_read_is_refused_in_words(precompute):
    asked = questions.ask(precompute(), Question.Kind.LATENTS, text="Lily " * 3000)
    answers.answer_waiting()
    asked.refresh_from_db()
    assert asked.state == "refused"
    assert "tokens; lm-stories260k reads" in asked.problem


def test_what_goes_wrong_is_said_and_the_next_question_is_answered(precompute, tmp_path):
    run = precompute()
    (run.folder / "blocks" / "00000.pack").unlink()
    broken = questions.ask(run, Question.Kind.EFFECTS, index=0)
    fine = questions.ask(run, Question.Kind.LATENTS, text="Lily")
    answers.answer_waiting()
    for each in (broken, fine):
        each.refresh_from_db()
    assert (broken.state, fine.state) == ("failed", "answered")
    assert "00000.pack" in broken.problem
    assert "ask again" in broken.problem


def test_questions_are_answered_between_the_steps_of_a_job(store, monkeypatch):
    run = toy.register(store)
    monkeypatch.setattr(answers, "BETWEEN_LOOKS", 0.0)
    monkeypatch.setitem(answers._ANSWERS, "text", lambda run, asked, report: asked["text"])
    asked = questions.ask(run, Question.Kind.TEXT, index=1, text="a")
    states = []

    class Watch(answers.BesideJobs):
        def __call__(self):
            super().__call__()
            asked.refresh_from_db()
            run.refresh_from_db()
            states.append((run.state, asked.state))

    jobs.work(toy.open_bench, run, watch=Watch())
    assert states[0] == (Run.State.PLANNED, "answered")
