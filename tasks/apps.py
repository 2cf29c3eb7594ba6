"""The worker's side: Celery tasks and the commands that need a model."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """The tasks app; it has no models, and importing it loads no torch."""

    name = "tasks"
