"""A worker looks for work by itself: when it starts, and every two seconds while it is idle.

It also says that it is there, so that pages can tell whether a question will be answered. Nothing
is lost with a message, a worker or a broker: what is to be done stands in the database.
"""

import logging
import threading
from contextlib import suppress
from itertools import count
from time import sleep

from celery.signals import worker_ready, worker_shutting_down
from celery.worker import state
from django.conf import settings
from django.db import connection

from featureviz.catalog import questions
from featureviz.celery import Queue, app, enqueue
from tasks import jobs

IDLE_SECONDS = 2.0
_TURNS_TO_TIDY = 900
_TURNS_TO_READ = 15  # explanations, for their meaning

logger = logging.getLogger(__name__)


@worker_ready.connect
def start_looking(**_: object) -> None:
    """Look beside the worker's own loop for as long as it lives."""
    threading.Thread(target=_look_on, name="look for work", daemon=True).start()


def stopping() -> bool:
    """Whether this worker was told to stop: the job at hand then waits for another."""
    # Celery keeps an exit code there, and 0 means yes.
    told = (state.should_stop, state.should_terminate)
    return any(code is not None and code is not False for code in told)


def served() -> frozenset[Queue]:
    """The queues this worker takes work from: all, but for what `-Q` left out."""
    return frozenset(queue for queue in Queue if queue in app.amqp.queues.consume_from)


@worker_shutting_down.connect
def stop_looking(**_: object) -> None:
    """Say that this worker goes; pages know at once."""
    with suppress(Exception):  # the database may be away; a worker unheard of counts as gone
        questions.i_leave()


def look() -> bool:
    """Send for a worker when there is work and this one is idle; says whether it did."""
    if jobs.at_work.locked():  # it answers questions between the steps of its job
        return False
    for queue in sorted(served()):
        if questions.waits({queue}):
            enqueue("questions.answer", queue=queue)
        if jobs.work_waits({queue}):
            enqueue("precompute.work", queue=queue)
            return True
    return False


def look_for_texts() -> None:
    """Send for a worker that reads explanations for their meaning, where that is wanted."""
    is_ours = settings.FEATUREVIZ_EMBEDDING_MODEL and Queue.CPU in served()
    if is_ours and not jobs.at_work.locked():
        enqueue("meaning.embed", queue=Queue.CPU)


def _look_on() -> None:
    for turn in count():
        try:
            if not stopping():
                questions.i_am_here(served())
            look()
            if turn % _TURNS_TO_READ == 0:
                look_for_texts()
            if turn % _TURNS_TO_TIDY == 0:
                questions.forget()
        except Exception:  # the database may be away for a moment
            logger.warning("could not look for work", exc_info=True)
        finally:
            connection.close()
        sleep(IDLE_SECONDS)
