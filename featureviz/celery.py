"""The Celery app: how work reaches the workers. Knows no task, only names; loads no torch.

A worker: `celery -A featureviz worker`. The broker is a folder until FEATUREVIZ_BROKER_URL names a
Redis. Messages only wake workers up: what is to be done stands in the database (catalog/runs.py).
"""

import logging
import os
import time
import uuid
from enum import StrEnum
from pathlib import Path
from queue import Empty
from typing import Any

import kombu
from celery import Celery
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual
from kombu.utils.json import dumps, loads

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featureviz.settings")

POLLING_SECONDS = 0.1  # of the folder
LONGEST_TASK = 7 * 24 * 3600  # seconds; after it Redis hands out again what nobody acknowledged
REDIS_OPTIONS = {
    "visibility_timeout": LONGEST_TASK,
    "socket_connect_timeout": 5,  # seconds; a page waits for it
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
}

logger = logging.getLogger(__name__)


class Queue(StrEnum):
    """Where work waits; which work that is: catalog/queues.py."""

    GPU = "gpu"  # runs the model: the faster the device, the better
    CPU = "cpu"  # arrays and small weights: any machine with memory


class FolderChannel(filesystem.Channel):
    """Messages as files that appear whole and go when taken.

    The original's may be read while still empty, and pass through the system's temporary folder.
    """

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        message = Path(self.data_folder_out) / f"{time.time_ns():020d}-{uuid.uuid4()}.{queue}.msg"
        part = message.with_suffix(".part")
        part.write_text(dumps(payload))
        part.replace(message)

    def _get(self, queue: str) -> Any:
        for message in sorted(Path(self.data_folder_in).glob(f"*.{queue}.msg")):
            taken = Path(self.processed_folder) / message.name
            try:
                message.rename(taken)
            except FileNotFoundError:  # another worker was faster
                continue
            content = taken.read_text()
            taken.unlink()
            return loads(content)
        raise Empty


class FolderTransport(filesystem.Transport):
    """The folder broker."""

    Channel = FolderChannel

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        # The original's is one for the process: a second folder would never learn its bindings.
        self.state = virtual.BrokerState()


TRANSPORT_ALIASES["folder"] = "featureviz.celery:FolderTransport"


def broker(url: str, folder: Path) -> dict[str, Any]:
    """Celery's settings for the Redis at `url`; without one, for `folder`."""
    if url:
        return {"broker_url": url, "broker_transport_options": REDIS_OPTIONS}
    folders = {name: str(folder / name) for name in ("messages", "taken", "control")}
    for path in folders.values():
        Path(path).mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": "folder://",
        "broker_transport_options": {
            "polling_interval": POLLING_SECONDS,
            "data_folder_in": folders["messages"],
            "data_folder_out": folders["messages"],
            "processed_folder": folders["taken"],
            "control_folder": folders["control"],
        },
        # its messages would stay in the folder of every worker that was killed
        "worker_enable_remote_control": False,
    }


app = Celery("featureviz")
app.conf.update(
    broker(settings.FEATUREVIZ_BROKER_URL, settings.FEATUREVIZ_DATA / "queue"),
    include=["tasks.meaning", "tasks.precompute", "tasks.questions", "tasks.upkeep"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_queues=[kombu.Queue(name, kombu.Exchange(name), name) for name in Queue],
    task_default_queue=Queue.GPU,
    task_create_missing_queues=False,  # `-Q` with another name is refused
    worker_prefetch_multiplier=1,
    worker_pool="solo",  # one process a device: it holds the model
    broker_connection_retry_on_startup=True,
)


def enqueue(name: str, queue: Queue = Queue.GPU) -> None:
    """Send a task by its name, once the transaction at hand is committed.

    A broker that is away is no error: workers look for work in the database too.
    """
    transaction.on_commit(lambda: _send(name, queue))


def _send(name: str, queue: Queue) -> None:
    try:
        app.send_task(name, queue=queue, retry=False)
    except OperationalError as error:
        logger.warning("%s was not sent, the broker does not answer: %s", name, error)
