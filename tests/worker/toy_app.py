"""The project's Celery app, except that its workers need no engine: they start in a second."""

from featureviz.celery import app

app.conf.include = ["tests.worker.toy_tasks", "tasks.upkeep"]
