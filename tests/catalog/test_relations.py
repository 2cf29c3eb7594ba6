"""Relations: planned both ways when a run is published, done last, and never its undoing."""

from dataclasses import replace

import msgspec
import pytest

from featureviz.catalog import claims, relations, runs
from featureviz.catalog.models import Job, Run
from featureviz.engine.errors import EngineError
from tasks import jobs
from tests.catalog import toy
from tests.tasks.test_jobs import benches, raising

pytestmark = pytest.mark.django_db
OTHER_CORPUS = msgspec.structs.replace(toy.CORPUS, digest="e" * 64)


def register(store, key, model="A", name="0", corpus=toy.CORPUS):
    """A run of a dictionary of its own, over the toy corpus or another."""
    return toy.register(
        store,
        model=replace(toy.MODEL, name=model, digest=model * 64),
        dictionary=replace(toy.DICTIONARY, name=name, digest=f"{model}{name}" * 32),
        corpus=corpus,
        work=replace(toy.WORK, key=key * 64),
    )


@pytest.fixture
def first(store):
    return register(store, "a")


@pytest.fixture
def second(store, first):
    return register(store, "b", "B", "1")


def publish(run):
    """Do the shards and blocks of a run, and nothing of its relations."""
    bench = toy.ToyBench(run)
    while job := claims.claim("w", run):
        if job.kind == Job.Kind.RELATE:
            claims.release(job)
            break
        (bench.shard if job.kind == Job.Kind.SHARD else bench.block)(job.number, lambda done: None)
        claims.finish(job)
    assert runs.publish_if_done(run)
    run.refresh_from_db()


def planned():
    rows = Job.objects.filter(kind="relate").order_by("run__key", "other__key", "number")
    return list(rows.values_list("run__key", "other__key", "number"))


def pairs(*keys):
    return [(one * 64, other * 64, number) for one, other in keys for number in range(3)]


def test_a_run_is_related_to_itself_when_it_is_published(first):
    assert planned() == []
    publish(first)
    assert planned() == pairs("aa")


def test_runs_over_one_corpus_are_related_both_ways(first, second):
    publish(first)
    publish(second)
    assert planned() == pairs("aa", "ab", "ba", "bb")


def test_what_is_not_published_is_related_to_nothing(first, second):
    publish(first)
    assert planned() == pairs("aa")


def test_a_run_over_another_corpus_is_not_offered(store, first):
    other = register(store, "b", "B", "1", OTHER_CORPUS)
    publish(first)
    publish(other)
    assert planned() == pairs("aa", "bb")
    jobs.work(toy.open_bench)
    assert [relation.other for relation in relations.of(first)] == [first]


def test_a_newer_run_of_a_dictionary_takes_the_place_of_the_older(store, first, second):
    newer = register(store, "c", "B", "1")
    publish(first)
    publish(second)
    jobs.work(toy.open_bench, first)
    publish(newer)
    assert planned() == pairs("aa", "ab", "ac", "ba", "bb", "ca", "cc")
    assert relations.of(first)[1].other == second, "until the newer is whole"
    jobs.work(toy.open_bench)
    assert relations.of(first)[1].other == newer


def test_all_runs_are_published_before_any_is_related(first, second):
    jobs.work(toy.open_bench)
    order = Job.objects.order_by("heartbeat").values_list("kind", flat=True)
    assert list(order[:12]).count("relate") == 0
    assert set(order[12:]) == {"relate"}


def test_a_published_run_stays_so_while_it_is_related(first):
    publish(first)
    published_at = first.published_at
    job = claims.claim("w")
    assert (job.kind, job.other) == ("relate", first)
    assert claims.beat(job, 1)
    first.refresh_from_db()
    assert (first.state, first.published_at) == (Run.State.DONE, published_at)
    assert Run.objects.readable().get() == first


def test_progress_counts_relations_of_a_run_and_to_it(first, second):
    publish(first)
    publish(second)
    now = runs.progress(first)
    assert (now.stage, now.done, now.total, now.unit) == ("Relating latents", 0, 30, "latents")
    claims.beat(claims.claim("w"), 3)
    now = runs.progress(first)
    assert (now.done, now.n_workers) == (3, 1)
    assert now.seconds_left == pytest.approx(27 / now.rate)
    claims.release(Job.objects.get(state="running"))
    jobs.work(toy.open_bench)
    assert runs.progress(first).stage == "Done"


def test_a_relation_is_told_as_whole_once_every_block_is_there(first, second):
    publish(first)
    publish(second)
    own, other = relations.of(first)
    assert (own.other, other.other) == (first, second)
    assert not own.is_whole
    assert not other.is_whole
    for _ in range(3):
        job = claims.claim("w")
        toy.ToyBench(job.run).relate(job.other, job.number, lambda done: None)
        claims.finish(job)
    assert [relation.is_whole for relation in relations.of(first)] == [True, False]
    assert first.relations(first, 9).index == 9


def test_a_command_sees_its_run_related_before_it_ends(first, second):
    publish(first)
    ended = jobs.see_through(second, toy.open_bench)
    assert ended.state == Run.State.DONE
    states = Job.objects.filter(kind="relate").order_by("run__key", "other__key")
    assert {(j.run.key[0] + j.other.key[0], j.state) for j in states} == {
        ("aa", "waiting"),  # another's, for the workers
        ("ab", "done"),
        ("ba", "done"),
        ("bb", "done"),
    }


def test_a_failure_stops_the_relation_alone_and_says_why(first, second):
    publish(first)
    publish(second)

    def relate(other, number, report):
        raise EngineError("The activations were deleted.")

    open_bench, _ = benches(relate=relate)
    jobs.work(open_bench)
    first.refresh_from_db()
    assert (first.state, first.problem) == (Run.State.DONE, "")
    for relation in relations.of(first):
        assert relation.problem.startswith("The activations were deleted. `python manage.py")
    attempts = Job.objects.filter(kind="relate").values_list("number", "attempts")
    assert set(attempts) == {(0, 1), (1, 0), (2, 0)}, "the rest of a relation is not tried"
    assert not jobs.work_waits()


def test_resuming_does_what_failed_or_was_lost_and_unpublishes_nothing(first, second):
    publish(first)
    publish(second)
    open_bench, _ = benches(relate=lambda *_: raising(EngineError("No."))(0, None))
    jobs.work(open_bench)
    resumed = runs.resume(first)
    assert resumed.published_at == first.published_at
    jobs.work(toy.open_bench)
    assert [(each.is_whole, each.problem) for each in relations.of(first)] == [(True, "")] * 2
    lost = first.folder / "relations" / second.key / "00001.pack"
    lost.unlink()
    runs.resume(first)
    assert [each.is_whole for each in relations.of(first)] == [True, False]
    jobs.work(toy.open_bench)
    assert lost.exists()
    assert Run.objects.readable().count() == 2


def test_deleted_activations_are_read_again_only_where_a_relation_needs_them(first, second):
    publish(first)
    publish(second)
    jobs.work(toy.open_bench)
    shards = second.folder / "shards"
    (shards / "00001.safetensors").unlink()
    runs.resume(first)
    assert not jobs.work_waits()
    (first.folder / "relations" / second.key / "00000.pack").unlink()
    runs.resume(first)
    waiting = Job.objects.filter(state="waiting").order_by("kind")
    assert list(waiting.values_list("kind", "run__key", "number")) == [
        ("relate", first.key, 0),
        ("shard", second.key, 1),
    ]
    assert claims.waiting().get().kind == "shard", "the relation waits for it"
    jobs.see_through(first, toy.open_bench)
    assert (shards / "00001.safetensors").exists()
    assert not Job.objects.exclude(state="done").exists()
    assert Run.objects.readable().count() == 2


def test_a_shard_that_cannot_be_read_again_stops_the_relations_that_need_it(first, second):
    publish(first)
    publish(second)
    (second.folder / "shards" / "00001.safetensors").unlink()
    runs.resume(first)
    open_bench, _ = benches(shard=raising(EngineError("The weights moved.")))
    jobs.work(open_bench)
    assert [bool(each.problem) for each in relations.of(first)] == [False, True]
    second.refresh_from_db()
    assert second.state == Run.State.DONE


def test_a_run_that_is_computed_again_waits_for_no_relation(first):
    publish(first)
    (first.folder / "blocks" / "00001.pack").unlink()
    runs.resume(first)
    assert [job.kind for job in claims.waiting()] == ["block"]
    jobs.work(toy.open_bench)
    first.refresh_from_db()
    assert first.state == Run.State.DONE
    assert [relation.is_whole for relation in relations.of(first)] == [True]


def test_runs_published_before_there_were_relations_get_theirs_when_resumed(first):
    publish(first)
    Job.objects.filter(kind="relate").delete()
    assert relations.of(first) == []
    runs.resume(first)
    assert planned() == pairs("aa")


def test_a_new_database_finds_the_relations_the_store_has(store, first):
    publish(first)
    jobs.work(toy.open_bench)
    first.delete()
    again = register(store, "a")
    assert runs.publish(again)
    assert [relation.is_whole for relation in relations.of(again)] == [True]
    assert not jobs.work_waits()
