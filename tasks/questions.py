"""The task that answers readers' questions."""

from celery import shared_task

from tasks import answers
from tasks.upkeep import served, stopping


@shared_task(name="questions.answer")
def answer() -> None:
    """Answer every question this worker is for; a message more or less changes nothing."""
    answers.answer_waiting(stopping, served())
