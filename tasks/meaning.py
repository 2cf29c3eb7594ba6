"""The task that reads explanations for their meaning."""

import logging

from celery import shared_task

from featureviz.celery import Queue, enqueue
from featureviz.engine.errors import EmbeddingError
from tasks.answers import BesideJobs
from tasks.embeddings import embed_unread
from tasks.upkeep import served, stopping

logger = logging.getLogger(__name__)


@shared_task(name="meaning.embed")
def embed() -> None:
    """Read what is new or changed; a message more or less changes nothing."""
    try:
        is_left = embed_unread(stopping, BesideJobs(served()))
    except EmbeddingError as error:
        logger.error("explanations are not read for their meaning: %s", error)  # noqa: TRY400
        return
    if is_left and not stopping():
        enqueue("meaning.embed", queue=Queue.CPU)
