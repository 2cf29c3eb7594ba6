"""The pages of runs: every state in words, cancel and resume, and who may."""

import re
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from featureviz.browse import run_pages
from featureviz.browse.templatetags.reading import told
from featureviz.catalog import claims, runs
from featureviz.catalog.models import Job, Run
from featureviz.engine.plan import SIZES
from tasks import jobs
from tests.catalog import toy

pytestmark = pytest.mark.django_db
KEY = "ab" * 32
PAGE = "/runs/abababab/"
SCRIPT = "<script>alert('no')</script>"


@pytest.fixture
def run(store):
    """A run of 8 contexts and 10 latents, not begun."""
    return register(store, KEY)


@pytest.fixture
def here():
    """A reader who sits at the machine."""
    return Client(headers={"host": "localhost"})


@pytest.fixture
def sent(monkeypatch):
    """The tasks that were sent."""
    names = []
    monkeypatch.setattr(run_pages, "enqueue", names.append)
    return names


def register(store, key, **plan):
    return toy.register(store, work=replace(toy.WORK, key=key), **plan)


def text(client, path, status=200):
    reply = client.get(path)
    assert reply.status_code == status, reply
    return plain(reply.content.decode())


def plain(html: str) -> str:
    """What a page says, without markup, its blanks made alike."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def finish(run):
    jobs.work(toy.open_bench, run)
    run.refresh_from_db()
    return run


def fail(run, problem):
    job = claims.claim("host:boot:1:412", run)
    claims.fail(job, problem)
    return job


def test_without_runs_the_list_says_how_to_begin(client, store):
    said = text(client, "/runs/")
    assert "No runs yet" in said
    assert "manage.py precompute" in said


def test_the_list_has_every_run_newest_first(client, store, run):
    register(store, "cd" * 32)
    html = client.get("/runs/").content.decode()
    assert re.findall(r'href="/runs/(\w{8})', html) == ["cdcdcdcd", "abababab"]


def test_the_list_says_how_each_run_stands(client, run):
    claims.beat(claims.claim("w", run), 2)
    assert re.search(
        r"abababab A/0 Running Reading contexts: 2 of 8 24 1 s", text(client, "/runs/")
    )


def test_the_list_shows_no_progress_of_what_is_done(client, run):
    finish(run)
    assert "of 10" not in text(client, "/runs/")


def test_a_planned_run_names_the_command_that_starts_a_worker(client, run):
    html = client.get(PAGE).content.decode()
    said = plain(html)
    assert 'aria-current="step"' not in html
    assert "Waiting to start planned" in said
    assert "No worker has been heard of lately." in said
    assert "celery -A featureviz worker" in said


def test_a_running_run_says_stage_share_rate_and_who_is_at_it(client, run):
    job = claims.claim("gpu-3:boot:1:412", run)
    claims.beat(job, 2)
    moved = Run.objects.get(pk=run.pk)
    moved.provenance["stage"]["since"] = (timezone.now() - timedelta(seconds=4)).isoformat()
    moved.save()
    html = client.get(PAGE).content.decode()
    said = plain(html)
    assert re.search(r'aria-current="step">\s*Reading contexts', html)
    assert re.search(r'<progress max="8"\s+value="2"', html)
    assert "Contexts done 2 of 8" in said
    assert re.search(r"Rate 0\.(49|50) a second", said)
    assert "about 12 s" in said
    assert "process 412 on gpu-3 shard 0, 2 of 3 heard of 1 s ago" in said
    assert "No worker" not in said


def test_the_second_stage_counts_latents(client, run):
    Run.objects.update(state=Run.State.RUNNING)
    run.jobs.filter(kind=Job.Kind.SHARD).update(state=Job.State.DONE, done=3)
    html = client.get(PAGE).content.decode()
    assert re.search(r'aria-current="step">\s*Writing dashboards', html)
    assert "Latents done 0 of 10" in plain(html)


def test_when_all_is_written_it_is_being_published(client, run):
    Run.objects.update(state=Run.State.RUNNING)
    run.jobs.update(state=Job.State.DONE, done=F("size"))
    assert re.search(r'aria-current="step">\s*Publishing', client.get(PAGE).content.decode())


def test_a_worker_not_heard_of_is_called_silent(client, run):
    claims.beat(claims.claim("gpu-3:boot:1:412", run), 2)
    Job.objects.filter(state="running").update(heartbeat=timezone.now() - timedelta(minutes=3))
    said = text(client, PAGE)
    assert "silent for 3 min" in said
    assert "Rate it waits Left in this stage it waits" in said
    assert "No worker has been heard of lately." in said


def test_a_run_waits_its_turn_while_the_workers_are_at_another(client, store, run):
    claims.claim("w", register(store, "cd" * 32))
    said = text(client, PAGE)
    assert "Every worker is at another run" in said
    assert "No worker has been heard of" not in said


def test_a_worker_between_two_jobs_is_not_missed(client, run):
    claims.finish(claims.claim("w", run))
    said = text(client, PAGE)
    assert "No worker" not in said
    assert "Every worker" not in said


def test_a_failed_run_says_what_when_and_how_to_mend_it(client, run):
    job = fail(run, "The disk is full. Free some space; `manage.py precompute` goes on.")
    html = client.get(PAGE).content.decode()
    said = plain(html)
    assert "Failed started" in said
    assert "The disk is full. Free some space; manage.py precompute goes on." in said
    assert "<code>manage.py precompute</code>" in html
    assert f"What went wrong {job.heartbeat.strftime('%-d %b %Y, %H:%M')} UTC" in said
    assert "Left in this stage" not in said


def test_a_done_run_leads_to_its_dictionary_and_says_what_it_took(client, run):
    finish(run)
    Run.objects.update(provenance={"seconds": 125.0, "peak_memory_mb": 1421, "devices": ["cpu"]})
    html = client.get(PAGE).content.decode()
    assert 'href="/A/0/"' in html
    said = plain(html)
    assert "Done published" in said
    assert "Ran for 2 min Peak memory, one worker 1 421 MB Device cpu" in said


def test_two_kinds_of_devices_are_both_named_once(client, run):
    for device in ("cpu, 2 threads", "cuda: NVIDIA H200", "cpu, 2 threads"):
        runs.note_device(run, device)
    assert "Device cpu, 2 threads · cuda: NVIDIA H200" in text(client, PAGE)


def test_settings_and_provenance_are_told(client, store):
    register(store, KEY, seed=7, sizes=msgspec.to_builtins(SIZES))  # as a plan writes them
    Run.objects.update(provenance={"versions": {"torch": "2.8.0"}})
    said = text(client, PAGE)
    assert "Latents in a block 4" in said
    assert "Seed of the sampled examples 7" in said
    assert "Top examples 20" in said
    assert "torch 2.8.0" in said
    for digest in (KEY, toy.MODEL.digest, toy.DICTIONARY.digest, toy.CORPUS.digest):
        assert digest in said
    assert "8 contexts of 4 positions, 24 tokens" in said


def test_folders_of_this_machine_are_shown_only_to_who_sits_at_it(client, here, store):
    register(store, KEY, sources={"model": "/secret/A", "dictionary": "/secret/A-0"})
    assert "/secret/A-0" in text(here, PAGE)
    assert "/secret" not in text(client, PAGE)


def test_latents_of_a_run_under_way_are_shown_nowhere(client, here, run):
    finish(run)
    Run.objects.update(state=Run.State.RUNNING, published_at=None)
    for path in (PAGE, f"{PAGE}live", "/runs/", "/"):
        html = here.get(path).content.decode()
        assert 'href="/A/' not in html, path
        assert "Read the" not in html, path
    text(client, "/A/0/", 404)
    text(client, "/A/0/3", 404)


@pytest.mark.parametrize("key", ["12345678", "ab", "ABABABAB", "abababa%", KEY + "0", "../../x"])
def test_a_key_nobody_has_is_a_404(client, run, key):
    text(client, f"/runs/{key}/", 404)
    assert client.post(f"/runs/{key}/cancel").status_code == 404


def test_a_key_that_several_runs_begin_with_is_a_404(client, store, run):
    register(store, "ab" * 4 + "cd" * 28)
    text(client, PAGE, 404)
    text(client, "/runs/abababab" + "cdcd/")


@pytest.mark.parametrize("path", ["/runs/", PAGE, f"{PAGE}live", "/"])
def test_markup_in_names_and_problems_is_text(here, run, path):
    fail(run, f"{SCRIPT} `{SCRIPT}`")
    run.dictionary.model.__class__.objects.update(name=SCRIPT)
    run.dictionary.__class__.objects.update(hook=SCRIPT)
    run.corpus.__class__.objects.update(name=SCRIPT)
    Run.objects.update(
        provenance={"machine": SCRIPT, "devices": [SCRIPT], "versions": {"x": SCRIPT}}
    )
    Run.objects.update(plan={"block_size": 4, "seed": SCRIPT, "sources": {"model": SCRIPT}})
    html = here.get(path).content.decode()
    assert "alert(" in html
    assert "<script>" not in html


@pytest.mark.parametrize("path", ["/runs/", PAGE, f"{PAGE}live"])
def test_pages_of_runs_are_strict_never_kept_and_only_read(client, run, path):
    reply = client.get(path)
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert "no-store" in reply.headers["Cache-Control"]
    html = reply.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
    assert client.post(path).status_code == 405


def test_a_page_of_a_run_asks_the_database_little(client, run, django_assert_max_num_queries):
    claims.claim("w", run)
    with django_assert_max_num_queries(12):
        client.get(f"{PAGE}live")


def test_cancelling_stops_the_run_and_says_so(here, run):
    claims.claim("w", run)
    said = plain(here.post(f"{PAGE}cancel", follow=True).content.decode())
    assert "Cancelled. What is done is kept" in said
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED
    assert claims.claim("w2", run) is None


def test_a_message_is_said_once(here, run):
    assert "What is done is kept; its" in plain(
        here.post(f"{PAGE}cancel", follow=True).content.decode()
    )
    assert "What is done is kept; its" not in text(here, PAGE)


def test_cancelling_twice_changes_nothing_more(here, run):
    here.post(f"{PAGE}cancel")
    before = list(Run.objects.values()), list(Job.objects.values())
    assert here.post(f"{PAGE}cancel", follow=True).status_code == 200
    assert (list(Run.objects.values()), list(Job.objects.values())) == before


def test_cancelling_what_is_done_leaves_it_published(here, run):
    finish(run)
    said = plain(here.post(f"{PAGE}cancel", follow=True).content.decode())
    assert "there is nothing to cancel" in said
    assert Run.objects.readable().get() == run


def test_resuming_goes_on_and_wakes_a_worker_up(here, run, sent):
    fail(run, "The disk is full.")
    said = plain(here.post(f"{PAGE}resume", follow=True).content.decode())
    assert "Resumed. It goes on from what is done." in said
    assert sent == ["precompute.work"]
    run.refresh_from_db()
    assert (run.state, run.problem) == (Run.State.RUNNING, "")
    assert claims.claim("w", run).number == 0


def test_a_worker_is_woken_once_the_resumed_run_is_committed(
    here, run, monkeypatch, django_capture_on_commit_callbacks
):
    names = []
    monkeypatch.setattr("featureviz.celery._send", lambda name, arguments: names.append(name))
    runs.cancel(run)
    with django_capture_on_commit_callbacks(execute=True):
        here.post(f"{PAGE}resume")
        assert names == []
    assert names == ["precompute.work"]


def test_resuming_twice_takes_no_work_from_whoever_is_at_it(here, run, sent):
    runs.cancel(run)
    here.post(f"{PAGE}resume")
    job = claims.claim("w", run)
    claims.beat(job, 1)
    before = list(Run.objects.values()), list(Job.objects.values())
    said = plain(here.post(f"{PAGE}resume", follow=True).content.decode())
    assert "This run goes on already." in said
    assert (list(Run.objects.values()), list(Job.objects.values())) == before


def test_resuming_what_is_done_leaves_it_published(here, run, sent):
    finish(run)
    said = plain(here.post(f"{PAGE}resume", follow=True).content.decode())
    assert "there is nothing left to do" in said
    assert Run.objects.readable().get() == run


def test_resuming_a_done_run_whose_files_are_gone_makes_them_anew(here, run, sent):
    finish(run)
    (run.folder / "blocks" / "00001.pack").unlink()
    here.post(f"{PAGE}resume")
    assert not Run.objects.readable().exists()
    assert finish(run).state == Run.State.DONE


def test_the_page_offers_what_can_be_done(here, run):
    def offered():
        return re.findall(r'action="/runs/\w+/(\w+)"', here.get(PAGE).content.decode())

    assert offered() == ["cancel"]
    claims.claim("w", run)
    assert offered() == ["cancel"]
    runs.cancel(run)
    assert offered() == ["resume"]
    runs.resume(run)
    Job.objects.update(state=Job.State.WAITING)
    fail(run, "No.")
    assert offered() == ["resume"]
    runs.resume(run)
    finish(run)
    assert offered() == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": "::ffff:192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"HTTP_X_FORWARDED_FOR": "192.0.2.7"},
        {"HTTP_FORWARDED": "for=192.0.2.7"},
        {"HTTP_HOST": "testserver"},
    ],
)
@pytest.mark.parametrize("act", ["cancel", "resume"])
def test_from_elsewhere_a_run_is_seen_but_not_touched(here, run, sent, elsewhere, act):
    if act == "resume":
        fail(run, "No.")
    before = list(Run.objects.values())
    page = here.get(PAGE, **elsewhere)
    assert 'method="post"' not in page.content.decode()
    reply = here.post(f"{PAGE}{act}", **elsewhere)
    assert reply.status_code == 403
    assert "Nothing was changed." in reply.content.decode()
    assert list(Run.objects.values()) == before
    assert sent == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_from_this_machine_a_run_is_controlled(here, run, address):
    assert here.post(f"{PAGE}cancel", REMOTE_ADDR=address).status_code == 302


def test_a_setting_opens_the_controls_to_everybody(client, run, settings):
    settings.FEATUREVIZ_OPEN_CONTROLS = True
    assert client.post(f"{PAGE}cancel", REMOTE_ADDR="192.0.2.7").status_code == 302


@pytest.mark.parametrize("act", ["cancel", "resume"])
def test_another_site_cannot_press_the_buttons(run, act):
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    assert strict.post(f"{PAGE}{act}").status_code == 403
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', strict.get(PAGE).content.decode())
    sent_back = {"csrfmiddlewaretoken": token.group(1)}
    assert strict.post(f"{PAGE}{act}", sent_back).status_code == 302


@pytest.mark.parametrize("act", ["cancel", "resume"])
def test_reading_an_address_never_acts(here, run, act):
    assert here.get(f"{PAGE}{act}").status_code == 405
    run.refresh_from_db()
    assert run.state == Run.State.PLANNED


def test_a_backtick_without_its_pair_is_kept_as_it_is():
    assert told("a `<b>` c ` d") == "a <code>&lt;b&gt;</code> c ` d"


def publish(run):
    """Do all of a run but its relations."""
    done = []
    while (job := claims.claim("host:boot:1:412", run)).kind != Job.Kind.RELATE:
        bench = toy.ToyBench(run)
        step = bench.shard if job.kind == Job.Kind.SHARD else bench.block
        step(job.number, done.append)
        claims.finish(job)
        runs.publish_if_done(run)
    return job


def test_a_published_run_shows_how_far_its_latents_are_related(client, run):
    claims.beat(publish(run), 2)
    html = client.get(PAGE).content.decode()
    said = plain(html)
    assert re.search(r'aria-current="step">\s*Relating latents', html)
    assert 'data-active="yes"' in html
    assert "Latents done 2 of 10" in said
    assert "relation 0, 2 of 4" in said
    assert "Read the 10 latents of A/0" in said
    assert "Relating latents: 2 of 10" in text(client, "/runs/")


def test_a_relation_that_failed_is_named_and_can_be_resumed_by_who_may(client, here, run, sent):
    claims.fail(publish(run), f"The activations were deleted. `resume it` {SCRIPT}")
    html = here.get(PAGE).content.decode()
    assert "Not related to A/0 . The activations were deleted. resume it" in plain(html)
    assert "<code>resume it</code>" in html
    assert SCRIPT not in html
    assert "Resume" in html
    assert "Resume" not in client.get(PAGE).content.decode()
    assert "Resumed. It goes on" in here.post(f"{PAGE}resume", follow=True).content.decode()
    assert set(run.jobs.filter(kind="relate").values_list("state", flat=True)) == {"waiting"}
    assert Run.objects.get().published_at
