"""Runs: registered once, published by one switch, cancelled, resumed."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from featureviz.catalog import claims, runs
from featureviz.catalog.finding import opened
from featureviz.catalog.models import Corpus, Dictionary, Job, LanguageModel, Latent, Run
from tasks import jobs
from tests.catalog import toy

pytestmark = pytest.mark.django_db


def finished(store, **plan):
    run = toy.register(store, **plan)
    jobs.work(toy.open_bench, run)
    run.refresh_from_db()
    return run


def test_a_registered_run_waits_with_a_job_for_every_shard_and_block(store):
    run = toy.register(store)
    assert run.state == Run.State.PLANNED
    rows = run.jobs.order_by("-kind", "number").values_list("kind", "number", "size", "state")
    assert list(rows) == [
        *(("shard", number, size, "waiting") for number, size in enumerate((3, 3, 2))),
        *(("block", number, size, "waiting") for number, size in enumerate((4, 4, 2))),
    ]


def test_the_same_key_is_the_same_run(store):
    assert toy.register(store) == toy.register(store)
    assert (Run.objects.count(), Job.objects.count(), Dictionary.objects.count()) == (1, 6, 1)


def test_the_same_weights_under_another_name_are_the_same_run_and_leave_no_row(store):
    run = toy.register(store)
    renamed = replace(toy.DICTIONARY, name="1")
    assert toy.register(store, dictionary=renamed) == run
    assert str(Dictionary.objects.get()) == "A/0"


def test_a_plan_whose_sources_moved_is_the_same_run_with_the_new_ones(store):
    toy.register(store, sources="here")
    assert toy.register(store, sources="there").plan["sources"] == "there"


def test_registering_a_finished_run_recomputes_nothing(store):
    run = finished(store)
    again = toy.register(store)
    assert (again.state, again.published_at) == (Run.State.DONE, run.published_at)
    assert set(run.jobs.values_list("state", flat=True)) == {Job.State.DONE}


def test_publishing_keeps_what_latents_are_found_by_and_gathering_anew_the_same(store):
    run = finished(store)
    folder = run.folder / "finding"
    published = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [token for token, _ in opened(run).tokens["fires"].of(2)] == [2, 1]
    assert opened(run).fact("n_active").tolist() == [0, *[6] * 9]
    runs.reindex(run)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == published


def test_a_new_database_finds_what_the_store_has_and_only_the_rest_is_computed(store):
    run = finished(store)
    (run.folder / "blocks" / "00002.pack").unlink()
    run.delete()
    again = finished(store)
    assert (again.state, again.latents.count()) == (Run.State.DONE, 10)
    assert dict(again.jobs.filter(kind="block").values_list("number", "attempts")) == {
        0: 0,
        1: 0,
        2: 1,
    }


def test_a_new_database_publishes_a_run_the_store_has_whole(store):
    finished(store).delete()
    again = finished(store)
    assert (again.state, again.latents.count()) == (Run.State.DONE, 10)
    assert set(again.jobs.values_list("attempts", flat=True)) == {0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"dictionary": replace(toy.DICTIONARY, digest="e" * 64)},
            "A/0 is already taken .* --name",
        ),
        ({"dictionary": replace(toy.DICTIONARY, hook="blocks.0.hook_q")}, "A/0 is already taken"),
        ({"model": replace(toy.MODEL, digest="n" * 64)}, "A is already taken .* --model-name"),
        ({"dictionary": replace(toy.DICTIONARY, name="a b")}, "'a b' cannot be .* --name"),
        ({"model": replace(toy.MODEL, name="/A")}, "'/A' cannot be .* --model-name"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_and_leaves_no_row(store, change, words):
    toy.register(store)
    before = [model.objects.count() for model in (LanguageModel, Dictionary, Corpus, Run, Job)]
    with pytest.raises(runs.CatalogError, match=words):
        toy.register(store, work=replace(toy.WORK, key="l" * 64), **change)
    after = [model.objects.count() for model in (LanguageModel, Dictionary, Corpus, Run, Job)]
    assert after == before


def test_a_run_is_found_by_the_beginning_of_its_key(store):
    run = toy.register(store)
    assert runs.find("kkk") == run
    with pytest.raises(runs.CatalogError, match="no run's key"):
        runs.find("zzz")
    toy.register(store, work=replace(toy.WORK, key="kkkk" + "l" * 60))
    with pytest.raises(runs.CatalogError, match="several"):
        runs.find("kkk")


def test_a_reader_sees_a_run_and_its_latents_only_once_it_is_published(store):
    run = toy.register(store)
    while job := claims.claim("w", run):
        assert not Run.objects.readable().exists()
        bench = toy.ToyBench(run)
        (bench.shard if job.kind == "shard" else bench.block)(job.number, lambda done: None)
        claims.finish(job)
    assert not Latent.objects.readable().exists()
    assert runs.publish(run)
    assert Latent.objects.readable().count() == 10
    assert Run.objects.readable().get().state == Run.State.DONE


def test_latents_carry_the_statistics_of_their_dashboards(store):
    run = finished(store)
    dead, spread, nul, split, _, start = run.latents.all()[:6]
    assert (dead.density, dead.max_activation, dead.top_token) == (0, 0, "")
    assert (spread.n_active, spread.density, spread.top_token) == (6, 0.25, " the")
    assert (spread.top_share, spread.promoted_token, spread.promoted_weight) == (0.5, " the", 1.5)
    assert spread.mean_activation == run.dashboard(1).mean_activation
    assert (nul.top_token, start.top_token) == ("‹00›", "<s>")  # PostgreSQL stores no NUL
    assert (split.top_token, split.promoted_token) == ("‹D7›", "")  # no logit weights


def test_publishing_twice_changes_nothing(store):
    run = finished(store)
    latents, published_at = list(run.latents.values_list()), run.published_at
    assert runs.publish(run)
    run.refresh_from_db()
    assert (list(run.latents.values_list()), run.published_at) == (latents, published_at)


def test_a_cancelled_run_is_not_published_by_a_worker_that_was_late(store):
    run = toy.register(store)
    jobs.work(toy.open_bench, run)
    Run.objects.update(state=Run.State.CANCELLED, published_at=None)
    assert not runs.publish(run)
    assert not Run.objects.readable().exists()


def test_a_second_run_of_a_dictionary_stands_beside_the_first(store):
    first = finished(store)
    second = finished(store, work=replace(toy.WORK, key="l" * 64))
    assert list(Run.objects.readable()) == [second, first]
    assert first.latents.count() == second.latents.count() == 10


def test_a_pack_that_is_gone_is_made_again_with_the_same_rows(store):
    run = finished(store)
    pack = run.folder / "blocks" / "00001.pack"
    content, ids = pack.read_bytes(), list(run.latents.values_list("pk", flat=True))
    pack.unlink()
    again = finished(store)
    assert (again.state, pack.read_bytes()) == (Run.State.DONE, content)
    assert list(run.latents.values_list("pk", flat=True)) == ids
    attempts = dict(run.jobs.filter(kind="block").values_list("number", "attempts"))
    assert attempts[1] > attempts[0]
    assert not run.jobs.exclude(state="done").exists()


def test_a_store_that_keeps_no_packs_ends_the_run_with_the_reason(store):
    class Forgetful(toy.ToyBench):
        def block(self, number, report):
            super().block(number, report)
            (self.run.folder / "blocks" / f"{number:05d}.pack").unlink()

    @contextmanager
    def open_bench(run):
        yield Forgetful(run)

    run = toy.register(store)
    jobs.work(open_bench, run)
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "Do all workers share this folder" in run.problem


def test_cancelling_keeps_what_is_done_and_resuming_goes_on_with_the_rest(store):
    run = toy.register(store)
    job = claims.claim("w")
    claims.finish(job)
    path = run.folder / "shards" / "00000.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"shard 0")
    runs.cancel(run)
    assert claims.claim("w") is None
    runs.resume(run)
    assert claims.claim("w").number == 1


def test_a_finished_run_cannot_be_cancelled(store):
    with pytest.raises(runs.CatalogError, match="done"):
        runs.cancel(finished(store))


def test_progress_counts_the_units_of_the_stage_at_hand(store):
    run = toy.register(store)
    now = runs.progress(run)
    assert (now.stage, now.done, now.total, now.unit) == ("Reading contexts", 0, 8, "contexts")
    assert (now.n_workers, now.rate) == (0, None)
    job = claims.claim("w")
    claims.beat(job, 2)
    now = runs.progress(run)
    assert (now.done, now.n_workers) == (2, 1)
    assert now.seconds_left == pytest.approx(6 / now.rate)
    jobs.work(toy.open_bench, run)
    claims.release(job)
    jobs.work(toy.open_bench, run)
    now = runs.progress(run)
    assert (now.stage, now.done, now.total, now.unit) == ("Done", 10, 10, "latents")


def test_the_largest_memory_of_all_workers_is_kept(store):
    run = toy.register(store)
    for megabytes in (200, 300, 100):
        runs.note_memory(run, megabytes)
    run.refresh_from_db()
    assert run.provenance["peak_memory_mb"] == 300
