"""`manage.py precompute`: from a model, a dictionary and a text to a published run."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from featureviz.catalog import relations
from featureviz.catalog.models import Corpus, LanguageModel, Latent, Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def arguments(shared_data, store, tmp_path):
    corpus = tmp_path / "story.txt"
    corpus.write_text("Once upon a time, there was a little girl named Lily. " * 20)
    return {
        "model": str(shared_data / "lm-stories260k"),
        "dictionary": str(shared_data / "sae-topk-l2"),
        "corpus": corpus,
        "context_size": 32,
    }


def test_a_run_is_computed_published_and_its_page_named(arguments):
    said = StringIO()
    call_command("precompute", **arguments, max_contexts=4, stdout=said)
    run = Run.objects.readable().get()
    assert re.fullmatch(r"cpu, \d+ threads?", *run.provenance["devices"])
    assert (str(run.dictionary), run.latents.count()) == ("lm-stories260k/sae-topk-l2", 2048)
    assert said.getvalue().endswith("Read it at /lm-stories260k/sae-topk-l2/\n")
    assert "Reading contexts: 0 of 4 contexts" in said.getvalue()
    assert "Relating latents: " in said.getvalue()
    [own] = relations.of(run)
    assert own.is_whole
    assert any(run.relations(run, index).related for index in range(2048))
    said = StringIO()
    call_command("precompute", **arguments, max_contexts=4, stdout=said)
    assert said.getvalue().startswith("Nothing to do")
    listed = StringIO()
    call_command("runs", stdout=listed)
    assert listed.getvalue() == f"{run.key[:8]}  done       {run.dictionary} on story.txt\n"

    before = sorted((store := run.folder.parents[1]).rglob("*"))
    with pytest.raises(CommandError, match=r"already taken .* --name") as refused:
        call_command("precompute", **arguments, max_contexts=3, hook="blocks.1.hook_resid_post")
    assert refused.value.returncode == 2
    assert sorted(store.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"corpus": "nowhere.txt"}, "nowhere.txt: no such file"),
        ({"dictionary": None}, "--dictionary missing"),
        ({"hook": "blocks.9.hook_resid_post"}, "no hook point"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_leaves_nothing(arguments, store, change, words):
    with pytest.raises(CommandError, match=words) as refused:
        call_command("precompute", **arguments | change)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    assert not list(store.rglob("*"))
    assert [m.objects.count() for m in (LanguageModel, Corpus, Run, Latent)] == [0, 0, 0, 0]


def test_a_corpus_shorter_than_a_context_says_so_and_still_works(arguments, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("Lily")
    warned = StringIO()
    call_command("precompute", **arguments | {"corpus": short}, stdout=StringIO(), stderr=warned)
    assert "short.txt is shorter than one context" in warned.getvalue()
    assert Run.objects.readable().get().corpus.n_contexts == 1


def test_the_neurons_of_a_hook_are_a_dictionary_with_two_ends(arguments, store):
    neurons = arguments | {"dictionary": "neurons", "hook": "blocks.2.mlp.hook_post"}
    said = StringIO()
    call_command("precompute", **neurons, max_contexts=2, stdout=said)
    run = Run.objects.readable().get()
    assert said.getvalue().endswith("Read it at /lm-stories260k/neurons-2.mlp.post/\n")
    assert (run.dictionary.d_sae, run.latents.count(), run.ends) == (172, 172, 2)
    assert sum(run.jobs.filter(kind="block").values_list("size", flat=True)) == 172
    assert run.latents.filter(min_activation__lt=0).count() > 150
    assert run.dashboard(171).negative.index == 171
    said = StringIO()
    call_command("precompute", **neurons, max_contexts=2, stdout=said)
    assert said.getvalue().startswith("Nothing to do")

    before = sorted(store.rglob("*"))
    other = neurons | {"dictionary": "pca", "name": run.dictionary.name}
    with pytest.raises(CommandError, match="already taken"):
        call_command("precompute", **other, max_contexts=3)
    assert sorted(store.rglob("*")) == before


def test_a_basis_without_a_hook_is_refused(arguments, store):
    with pytest.raises(CommandError, match="neurons needs --hook") as refused:
        call_command("precompute", **arguments | {"dictionary": "neurons"})
    assert refused.value.returncode == 2
    assert not list(store.rglob("*"))


@pytest.mark.parametrize(("asked", "done"), [({}, "all"), ({"ablate": "none"}, "none")])
def test_a_small_model_s_examples_are_all_ablated_unless_told_otherwise(arguments, asked, done):
    call_command("precompute", **arguments, **asked, max_contexts=2, stdout=StringIO())
    run = Run.objects.readable().get()
    assert run.plan["ablate"] == done
    board = run.dashboard(run.latents.filter(n_active__gt=0).first().index)
    assert (board.random[0].effects is not None) == (done == "all")


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_stored(arguments, settings, store):
    settings.FEATUREVIZ_DEVICE = "cuda:7"
    with pytest.raises(CommandError, match=r"cuda:7: .*Set FEATUREVIZ_DEVICE to cpu"):
        call_command("precompute", **arguments, max_contexts=4)
    assert not Run.objects.exists()
    assert not any(store.rglob("*"))
