"""Messages: sent after the commit, as whole files, and never a reason to fail."""

from contextlib import contextmanager

import pytest
from celery import Celery
from django.db import transaction
from kombu import Connection

from featureviz import celery


@contextmanager
def queue_in(path):
    conf = celery.broker("", path)
    with Connection(
        conf["broker_url"], transport_options=conf["broker_transport_options"]
    ) as connection:
        yield connection.SimpleQueue("featureviz")


@pytest.fixture
def folder(tmp_path):
    with queue_in(tmp_path) as queue:
        yield queue, tmp_path


def test_a_second_folder_in_the_same_process_gets_its_messages_too(tmp_path):
    for name in ("one", "two"):
        with queue_in(tmp_path / name) as queue:
            queue.put({"folder": name})
            assert queue.get(timeout=5).payload == {"folder": name}


def test_the_folder_hands_messages_out_once_in_their_order(folder):
    queue, path = folder
    for number in range(3):
        queue.put({"number": number})
    assert [queue.get(timeout=5).payload["number"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(queue.Empty):
        queue.get(block=False)
    assert not [file for file in path.rglob("*") if file.is_file() and file.suffix != ".exchange"]


def test_work_is_sent_only_once_the_transaction_is_committed(
    db, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(celery.app, "send_task", lambda name, **_: sent.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            celery.enqueue("precompute.work")
        assert sent == []
    assert sent == ["precompute.work"]


def test_a_redis_that_is_away_fails_nobody(
    db, monkeypatch, caplog, django_capture_on_commit_callbacks, tmp_path
):
    away = Celery("away")
    away.conf.update(celery.broker("redis://127.0.0.1:1/0", tmp_path))
    monkeypatch.setattr(celery, "app", away)
    with django_capture_on_commit_callbacks(execute=True):
        celery.enqueue("precompute.work")
    assert "the broker does not answer" in caplog.text
