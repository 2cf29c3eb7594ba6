"""A worker looks for work by itself: when it starts, and every two seconds while it is idle.

So nothing is lost with a message, a worker or a broker: what is to be done stands in the database.
"""

import logging
import threading
from time import sleep

from celery.signals import worker_ready
from celery.worker import state
from django.db import connection

from featureviz.celery import enqueue
from tasks import jobs

IDLE_SECONDS = 2.0

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


def look() -> bool:
    """Send for a worker when there is work and this one is idle; says whether it did."""
    if jobs.at_work.locked() or not jobs.work_waits():
        return False
    enqueue("precompute.work")
    return True


def _look_on() -> None:
    while True:
        try:
            look()
        except Exception:  # the database may be away for a moment
            logger.warning("could not look for work", exc_info=True)
        finally:
            connection.close()
        sleep(IDLE_SECONDS)
