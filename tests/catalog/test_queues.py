"""Two queues: each worker takes the work of those it serves, and pages know which are served."""

import pytest

from featureviz.catalog import claims, questions
from featureviz.catalog.models import Job, Question
from featureviz.catalog.queues import EVERY, OF_JOBS, OF_QUESTIONS
from featureviz.celery import Queue, app
from tasks import answers, jobs
from tests.catalog import toy

pytestmark = pytest.mark.django_db
GPU, CPU = {Queue.GPU}, {Queue.CPU}


@pytest.fixture
def run(store):
    return toy.register(store)


def left(run):
    return {job.kind for job in run.jobs.exclude(state=Job.State.DONE)}


def test_all_work_waits_in_a_queue_that_workers_know():
    assert set(OF_JOBS) == set(Job.Kind)
    assert set(OF_QUESTIONS) == set(Question.Kind)
    assert {queue.name for queue in app.conf.task_queues} == EVERY


def test_what_decides_the_bytes_of_dashboards_is_left_to_one_kind_of_device(run):
    assert claims.claim("w", queues=CPU) is None
    jobs.work(toy.open_bench, queues=GPU)
    run.refresh_from_db()
    assert run.state == "done"
    assert left(run) == {"relate"}
    assert not jobs.work_waits(GPU)
    assert jobs.work_waits(CPU)
    jobs.work(toy.open_bench, queues=CPU)
    assert left(run) == set()


def test_a_question_waits_for_a_worker_that_is_for_it(run):
    text = questions.ask(run, Question.Kind.TEXT, index=1, text="a")
    assert questions.waits(GPU)
    assert not questions.waits(CPU)
    answers.answer_waiting(queues=CPU)
    text.refresh_from_db()
    assert text.state == "waiting"
    questions.ask(run, Question.Kind.MAP)
    assert questions.claim(CPU).kind == "map"
    assert questions.claim(GPU) == text


def test_pages_know_whether_somebody_is_there_for_what_they_ask(run):
    questions.i_am_here(CPU)
    assert questions.is_anyone_there(Question.Kind.MAP)
    assert not questions.is_anyone_there(Question.Kind.TEXT)
    questions.i_am_here(EVERY)
    assert questions.is_anyone_there(Question.Kind.TEXT)
