"""A real worker with a real model answers what pages ask."""

import shutil

import pytest

from tests.worker.installation import Installation, kill

ASK = (
    "from featureviz.catalog import questions\n"
    "from featureviz.catalog.models import Question, Run\n"
    "asked = questions.ask(Run.objects.get(), Question.Kind.TEXT, index=3, text={text!r})\n"
    "print(questions.wait(asked, 60).state)\n"
)


@pytest.fixture(scope="session")
def precomputed(tmp_path_factory, migrated, shared_data):
    """A folder with one published run of a real model."""
    alone = Installation(tmp_path_factory.mktemp("precomputed"))
    shutil.copy(migrated, alone.data)
    story = alone.data / "story.txt"
    story.write_text("Once upon a time, there was a little girl named Lily. " * 9)
    model, dictionary = shared_data / "lm-stories260k", shared_data / "sae-topk-l2"
    done = alone.run(
        *("manage.py", "precompute", "--model", str(model), "--dictionary", str(dictionary)),
        *("--corpus", str(story), "--max-contexts", "2"),
    )
    assert done.returncode == 0, done.stderr
    return alone.data


@pytest.fixture
def published(installation, precomputed):
    shutil.copytree(precomputed, installation.data, dirs_exist_ok=True)
    return installation


def present(installation):
    return len(installation.rows("select * from catalog_worker"))


@pytest.fixture
def worker(published):
    started = published.start_worker("featureviz")
    yield started
    kill(started)


def test_a_question_is_answered_and_pages_know_who_is_there(published, worker):
    published.wait_until(lambda: present(published) == 1)
    for text in ("Once upon a time", "Lily"):
        assert published.python(ASK.format(text=text)).strip() == "answered"
    worker.terminate()
    worker.wait(timeout=30)
    assert present(published) == 0
    published.python("from featureviz.catalog import questions; assert not questions.waits()")


@pytest.mark.parametrize("installation", ["folder"], indirect=True)
def test_a_question_asked_while_no_worker_was_up_is_answered_once_one_is(published):
    waiting = ASK.format(text="Lily").replace("60", "0")
    assert published.python(waiting).strip() == "waiting"
    for message in published.data.glob("queue/messages/*.msg"):
        message.unlink()  # lost with its broker
    started = published.start_worker("featureviz")
    try:
        published.wait_until(
            lambda: published.rows("select state from catalog_question") == [("answered",)]
        )
    finally:
        kill(started)
