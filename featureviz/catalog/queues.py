"""The two queues that work waits in, and which work that is.

A worker serves both, or the one it is told: `celery -A featureviz worker -Q cpu`. What decides the
bytes of dashboards waits in `gpu`, so that one kind of device computes all of them.
"""

from collections.abc import Collection

from featureviz.catalog.models import Job, Question
from featureviz.celery import Queue

EVERY = frozenset(Queue)
OF_JOBS = {
    Job.Kind.SHARD: Queue.GPU,
    Job.Kind.BLOCK: Queue.GPU,
    Job.Kind.RELATE: Queue.CPU,
}
OF_QUESTIONS = {
    Question.Kind.EFFECTS: Queue.GPU,
    Question.Kind.TEXT: Queue.GPU,
    Question.Kind.LATENTS: Queue.GPU,
    Question.Kind.MAP: Queue.CPU,
    Question.Kind.WEIGHTS: Queue.CPU,
    Question.Kind.MEANING: Queue.CPU,
}


def jobs_in(queues: Collection[Queue]) -> list[Job.Kind]:
    """The kinds of jobs that wait in some queues."""
    return [kind for kind, queue in OF_JOBS.items() if queue in queues]


def questions_in(queues: Collection[Queue]) -> list[Question.Kind]:
    """The kinds of questions that wait in some queues."""
    return [kind for kind, queue in OF_QUESTIONS.items() if queue in queues]
