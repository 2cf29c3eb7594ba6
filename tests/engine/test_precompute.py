"""From a model, a dictionary and a text to dashboards: right, repeatable, and clean on failure."""

import json
import shutil
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.slices import read_slices
from featureviz.dashboards.store import read_dashboard
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.errors import CorpusError, DictionaryError, EngineError, SubjectError
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench, Request, block_path, prepare, shard_path
from featureviz.engine.subject import load_subject
from tests.engine.conftest import write_folder, write_gpt2, write_standard
from tests.oracles.dense import expected


def run(request, store):
    """The whole precompute in one process; all dashboards, in order."""
    plan = prepare(request, store).plan
    work(plan, store)
    return dashboards(plan, store)


def work(plan, store):
    with Bench(plan, store) as bench:
        for number in range(plan.n_shards):
            bench.shard(number)
        for number in range(plan.n_blocks):
            bench.block(number)


def dashboards(plan, store):
    return [
        read_dashboard(block_path(store / "runs" / plan.key, number), latent)
        for number in range(plan.n_blocks)
        for latent in plan.block_latents(number)
    ]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# A real model


@pytest.fixture(scope="module")
def golden(shared_data, tmp_path_factory):
    """A run over the text the expected activations were taken from, and those."""
    store = tmp_path_factory.mktemp("golden")
    request = Request(
        model=str(shared_data / "lm-stories260k"),
        dictionary=str(shared_data / "sae-topk-l2"),
        corpus=shared_data / "corpora/children_books.txt",
        context_size=128,
        max_contexts=64,
    )
    plan = prepare(request, store).plan
    work(plan, store)
    activations = np.load(shared_data / "golden/topk_children_acts.npz")
    latents = json.loads((shared_data / "golden/topk_children_latents.json").read_text())
    return plan, store, activations, latents["latents"]


def test_the_real_text_is_cut_as_in_the_expected_run(golden):
    plan, store, activations, _ = golden
    corpus = StoredCorpus(store / "corpora" / plan.corpus_digest)
    assert np.array_equal(corpus.tokens, activations["tokens"])
    assert not corpus.counted[:, 0].any()
    assert corpus.counted[:, 1:].all()


def test_the_spooled_activations_are_the_expected_ones_but_for_the_start_token(golden):
    plan, store, activations, _ = golden
    slices = read_slices(shard_path(store / "runs" / plan.key, 0), 0, plan.d_sae)
    latents = np.repeat(np.arange(plan.d_sae), np.diff(slices.starts))
    ours = dict(
        zip(zip(slices.places.tolist(), latents.tolist(), strict=True), slices.values, strict=True)
    )
    inside = activations["pos"] > 0
    places = activations["seq"].astype(int) * 128 + activations["pos"]
    keys = zip(places[inside].tolist(), activations["latent"][inside].tolist(), strict=True)
    theirs = dict(zip(keys, activations["value"][inside], strict=True))
    assert plan.n_shards == 1
    assert len(theirs) > 90_000
    assert ours.keys() == theirs.keys()
    assert max(abs(float(ours[key]) - float(theirs[key])) for key in theirs) < 2e-5


def test_dashboards_of_a_real_dictionary_say_what_was_expected(golden):
    plan, store, activations, latents = golden
    inside = activations["pos"] > 0
    counts = Counter(activations["latent"][inside].tolist())
    found = dashboards(plan, store)
    assert [one.n_active for one in found] == [counts[latent] for latent in range(plan.d_sae)]
    maxima = np.zeros(plan.d_sae)
    np.maximum.at(maxima, activations["latent"][inside], activations["value"][inside])
    assert np.abs(np.array([one.max_activation for one in found]) - maxima).max() < 2e-5
    assert all(one.n_tokens == 64 * 127 for one in found)
    with_logits = [entry for entry in latents if "logits_raw" in entry]
    assert len(with_logits) == 256
    for entry in with_logits:
        logits = found[entry["latent"]].logits
        for ours, theirs in [
            (logits.top, entry["logits_raw"]["top"]),
            (logits.bottom, entry["logits_raw"]["bottom"]),
        ]:
            values = [value for _, _, value in theirs]
            assert [one.value for one in ours[:8]] == pytest.approx(values, abs=2e-5)
            of_token = {token: value for token, _, value in theirs}
            last = values[-1]
            for one in ours[:8]:  # equal ones may order differently, and share the last rank
                assert one.value == pytest.approx(of_token.get(one.token, last), abs=2e-5)


def test_the_strongest_contexts_of_a_real_dictionary_are_the_expected_ones(golden):
    plan, store, _, latents = golden
    checked = 0
    for entry, found in zip(latents, dashboards(plan, store), strict=True):
        best: dict[int, float] = {}
        for context, position, value in entry["top"]:
            if position == 0:
                break  # the start token counts for us nowhere
            best.setdefault(context, value)
        else:
            ours = [one.activation for one in found.top[: len(best)]]
            assert ours == pytest.approx(list(best.values()), abs=3e-5)
            checked += bool(best)
    assert checked > 1900


def test_latents_known_by_reading_fire_on_their_piece(golden):
    plan, store, _, _ = golden
    vocabulary = StoredCorpus(store / "corpora" / plan.corpus_digest).vocabulary
    found = dashboards(plan, store)
    for latent, piece in [(1260, b"ing"), (1006, b"id")]:
        assert vocabulary[found[latent].fires_on[0].token] == piece


# A tiny model


def test_dashboards_equal_the_oracle_on_all_activations(request_of, tmp_path):
    request = request_of(context_size=16)
    found = run(request, tmp_path)
    plan = prepare(request, tmp_path).plan
    corpus = StoredCorpus(tmp_path / "corpora" / plan.corpus_digest)
    subject, dictionary = load_subject(request.model), load_dictionary(request.dictionary)
    tokens = torch.from_numpy(np.array(corpus.tokens, np.int64))
    x = subject.activations(tokens, plan.hook)
    codes = dictionary.codes(x.flatten(0, 1)).dense().view(*tokens.shape, -1).numpy()
    assert sum(one.n_active == 0 for one in found) >= 4
    for one in found:
        truth = expected(
            codes[:, :, one.index],
            corpus.counted,
            corpus.tokens,
            n_bins=50,
            n_intervals=10,
            n_top=20,
        )
        assert abs(one.n_active - truth.n_active) <= 1  # at a pre-activation of 0 within rounding
        assert one.max_activation == pytest.approx(truth.maximum, abs=1e-5)
        assert one.sum_activation == pytest.approx(truth.total, rel=1e-4, abs=1e-4)
        assert [example.activation for example in one.top] == pytest.approx(
            [value for _, value in truth.top], abs=1e-5
        )
        assert one.n_tokens == corpus.counted.sum()


def test_two_runs_in_different_places_write_the_same_bytes(request_of, tmp_path):
    request = request_of(context_size=8)
    moved = tmp_path / "moved"
    copies = {
        "model": str(shutil.copytree(request.model, moved / "model")),
        "dictionary": str(shutil.copytree(request.dictionary, moved / "dictionary")),
        "corpus": Path(shutil.copy(request.corpus, moved / "page.txt")),
    }
    run(request, tmp_path / "a")
    run(request_of(context_size=8, **copies), tmp_path / "b")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert len(files_of(tmp_path / "a" / "runs")) == 3  # a shard, a block, the health


def test_a_shard_or_block_done_twice_writes_the_same_bytes(request_of, tmp_path):
    plan = prepare(request_of(), tmp_path).plan
    work(plan, tmp_path)
    before = files_of(tmp_path)
    work(plan, tmp_path)
    assert files_of(tmp_path) == before


def smaller(plan, **changes):
    return Plan.from_json(plan.as_json() | changes)


def test_another_cut_into_shards_and_blocks_gives_the_same_dashboards(request_of, tmp_path):
    plan = prepare(request_of(context_size=8), tmp_path).plan
    plan = smaller(plan, batch_size=4, shard_size=plan.n_contexts)
    other = smaller(plan, shard_size=12, block_size=17)
    assert (plan.n_shards, plan.n_blocks) == (1, 1)
    assert other.n_shards > 3
    assert other.n_blocks == 6
    for one in (plan, other):
        work(one, tmp_path)
    whole, cut = dashboards(plan, tmp_path), dashboards(other, tmp_path)
    assert [without_logits(board) for board in whole] == [without_logits(board) for board in cut]
    for board, same in zip(whole, cut, strict=True):  # a product's rounding depends on its shape
        for one, again in ((board.logits, same.logits), (board.shown_logits, same.shown_logits)):
            values = [row.value for row in (*one.top, *one.bottom)]
            assert values == pytest.approx([row.value for row in (*again.top, *again.bottom)])


def without_logits(board):
    return msgspec.structs.replace(board, logits=None, logits_normalised=None)


def test_shards_and_blocks_done_in_any_order_by_several_write_the_same_bytes(request_of, tmp_path):
    plan = prepare(request_of(context_size=8), tmp_path).plan
    plan = smaller(plan, batch_size=4, shard_size=12, block_size=17)
    shutil.copytree(tmp_path / "corpora", tmp_path / "other" / "corpora")
    work(plan, tmp_path)
    for number in reversed(range(plan.n_shards)):
        Bench(plan, tmp_path / "other").shard(number)
    for number in reversed(range(plan.n_blocks)):
        Bench(plan, tmp_path / "other").block(number)
    assert files_of(tmp_path / "runs") == files_of(tmp_path / "other" / "runs")


def test_a_shard_in_which_nothing_fires_is_no_hindrance(request_of, tmp_path):
    silent = write_standard(tmp_path / "silent")
    tensors = load_file(silent / "sae_weights.safetensors")
    tensors["b_enc"][:] = -1e3
    save_file(tensors, silent / "sae_weights.safetensors")
    found = run(request_of(dictionary=str(silent)), tmp_path / "store")
    assert len(found) == 96
    assert not any(one.n_active for one in found)
    assert all(one.logits is not None for one in found)


def test_another_seed_changes_samples_but_no_count_maximum_or_top(request_of, tmp_path):
    one, other = (run(request_of(seed=seed), tmp_path) for seed in (0, 1))
    assert one != other
    for left, right in zip(one, other, strict=True):
        for name in set(left.__struct_fields__) - {"intervals", "random", "silent"}:
            assert getattr(left, name) == getattr(right, name), name
        assert [interval.n_active for interval in left.intervals] == [
            interval.n_active for interval in right.intervals
        ]


def test_progress_is_reported_up_to_the_last_context_and_latent(request_of, tmp_path):
    plan = smaller(prepare(request_of(), tmp_path).plan, batch_size=3)
    bench = Bench(plan, tmp_path)
    done: list[int] = []
    bench.shard(0, done.append)
    assert done == [*range(3, plan.n_contexts, 3), plan.n_contexts]
    done.clear()
    bench.block(0, done.append)
    assert done == [48, 96]
    assert len(plan.block_latents(0)) == 96


# Plans


def test_the_key_depends_on_everything_but_where_inputs_were_found(request_of, tmp_path):
    plan = prepare(request_of(), tmp_path).plan
    changes = {
        "model_digest": "0",
        "dictionary_digest": "0",
        "corpus_digest": "0",
        "hook": "blocks.0.hook_resid_pre",
        "n_contexts": 1,
        "context_size": 2,
        "d_sae": 3,
        "d_vocab": 4,
        "seed": 5,
        "batch_size": 6,
        "shard_size": 7,
        "block_size": 8,
        "sizes": dict.fromkeys(msgspec.to_builtins(plan.sizes), 1),
        "version": "0",
        "ablate": "top",
        "ends": 9,
    }
    assert set(changes) == set(plan.as_json()) - {"sources"}
    keys = {smaller(plan, **{name: value}).key for name, value in changes.items()}
    assert len(keys | {plan.key}) == len(changes) + 1
    elsewhere = {"model": "a", "dictionary": "b", "corpus": "c"}
    assert smaller(plan, sources=elsewhere).key == plan.key


def test_a_plan_survives_being_written_as_json(request_of, tmp_path):
    plan = prepare(request_of(), tmp_path).plan
    assert Plan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_shards_and_blocks_cover_everything_once(request_of, tmp_path):
    plan = prepare(request_of(), tmp_path).plan
    plan = smaller(plan, n_contexts=100, shard_size=33, d_sae=50, block_size=7)
    contexts = [c for number in range(plan.n_shards) for c in plan.shard_contexts(number)]
    latents = [i for number in range(plan.n_blocks) for i in plan.block_latents(number)]
    assert contexts == list(range(100))
    assert latents == list(range(50))


def test_a_run_asked_for_with_relative_paths_can_be_worked_on_from_anywhere(
    request_of, tmp_path, monkeypatch
):
    request = request_of()
    monkeypatch.chdir(Path(request.model).parent)
    plan = prepare(request_of(model=Path(request.model).name), tmp_path).plan
    monkeypatch.chdir(tmp_path)
    work(plan, tmp_path)
    assert len(dashboards(plan, tmp_path)) == 96


@pytest.mark.parametrize(
    ("asked", "of_dictionary", "used"),
    [(None, 16, 16), (None, None, 64), (8, 16, 8), (None, 99, 64)],
)
def test_the_context_is_the_one_asked_for_else_the_dictionarys_within_the_models(
    request_of, tmp_path, asked, of_dictionary, used
):
    folder = write_standard(tmp_path / "dictionary")
    cfg = json.loads((folder / "cfg.json").read_text())
    cfg["metadata"]["context_size"] = of_dictionary
    (folder / "cfg.json").write_text(json.dumps(cfg))
    request = request_of(dictionary=str(folder), context_size=asked)
    assert prepare(request, tmp_path).plan.context_size == used


def test_a_text_shorter_than_a_context_is_said_to_be_and_works(request_of, tmp_path):
    (tmp_path / "short.txt").write_text("The cat")
    request = request_of(corpus=tmp_path / "short.txt")
    prepared = prepare(request, tmp_path / "store")
    assert any("shorter than one context" in notice for notice in prepared.notices)
    assert prepared.corpus.n_contexts == 1
    assert all(one.n_tokens == prepared.corpus.n_tokens for one in run(request, tmp_path / "store"))
    assert prepare(request_of(), tmp_path / "store").notices == ()


# Refusals


@pytest.fixture
def copies(request_of, tmp_path):
    """A request whose model and dictionary a test may change."""
    request = request_of()
    model = shutil.copytree(request.model, tmp_path / "model")
    dictionary = shutil.copytree(request.dictionary, tmp_path / "dictionary")
    return request_of(model=str(model), dictionary=str(dictionary))


def nudge(path, name):
    tensors = load_file(path)
    tensors[name].view(-1)[0] += 1
    save_file(tensors, path, {"format": "pt"})


def test_a_model_changed_since_the_run_was_planned_is_refused(copies, tmp_path):
    plan = prepare(copies, tmp_path).plan
    nudge(Path(copies.model) / "model.safetensors", "transformer.wte.weight")
    with pytest.raises(SubjectError, match="these weights changed since the run was planned"):
        Bench(plan, tmp_path).shard(0)


def test_a_dictionary_changed_since_the_run_was_planned_is_refused(copies, tmp_path):
    plan = prepare(copies, tmp_path).plan
    Bench(plan, tmp_path).shard(0)
    nudge(Path(copies.dictionary) / "sae_weights.safetensors", "W_dec")
    with pytest.raises(DictionaryError, match="these weights changed since the run was planned"):
        Bench(plan, tmp_path).block(0)


def nan_model(copies, tmp_path):
    path = Path(copies.model) / "model.safetensors"
    tensors = load_file(path)
    tensors["transformer.wte.weight"][0] = float("nan")
    save_file(tensors, path, {"format": "pt"})
    return {}


def nan_dictionary(copies, tmp_path):
    path = Path(copies.dictionary) / "sae_weights.safetensors"
    tensors = load_file(path)
    tensors["W_dec"][0] = float("nan")
    save_file(tensors, path)
    return {}


def written(name, content):
    def make(_, tmp_path):
        (tmp_path / name).write_bytes(content)
        return {"corpus": tmp_path / name}

    return make


def pickled(copies, _):
    folder = Path(copies.dictionary)
    (folder / "sae_weights.safetensors").rename(folder / "sae.pt")
    return {}


def narrow(_, tmp_path):
    return {"dictionary": str(write_standard(tmp_path / "narrow", d_in=31))}


REFUSALS = {
    "no model": (lambda *_: {"model": "/no/such/model"}, SubjectError, "no such folder"),
    "broken model": (nan_model, SubjectError, "NaN"),
    "no dictionary": (lambda *_: {"dictionary": "/no/such"}, DictionaryError, "no such folder"),
    "broken dictionary": (nan_dictionary, DictionaryError, "NaN"),
    "pickle": (pickled, DictionaryError, "never opened"),
    "wrong d_in": (narrow, DictionaryError, "W_enc reads 31 dimensions; .* of model has 32"),
    "unknown hook": (lambda *_: {"hook": "blocks.7.hook_x"}, SubjectError, "no hook point"),
    "hook of tokens": (lambda *_: {"hook": "embed.hook_in"}, SubjectError, "embed.hook_in"),
    "hook of another width": (
        lambda *_: {"hook": "blocks.0.mlp.hook_post"},
        DictionaryError,
        "has 128",
    ),
    "no text": (lambda _, tmp: {"corpus": tmp / "no.txt"}, CorpusError, r"no\.txt: no such file"),
    "empty text": (written("a.txt", b""), CorpusError, r"a\.txt: no text"),
    "not UTF-8": (written("a.txt", b"\xff"), CorpusError, "not UTF-8"),
    "a bad line late": (
        written("a.jsonl", b'{"text": "some"}\n' * 600 + b"{}"),
        CorpusError,
        "line 601",
    ),
    "too small a context": (lambda *_: {"context_size": 1}, CorpusError, "2 to 64"),
    "too large a context": (lambda *_: {"context_size": 65}, CorpusError, "2 to 64"),
    "no contexts": (lambda *_: {"max_contexts": 0}, CorpusError, "--max-contexts 0"),
    "fewer than none": (lambda *_: {"max_contexts": -3}, CorpusError, "--max-contexts -3"),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_bad_input_gets_one_line_and_leaves_the_store_empty(copies, request_of, tmp_path, case):
    change, kind, reason = case
    asked = {"model": copies.model, "dictionary": copies.dictionary}
    asked |= change(copies, tmp_path)
    store = tmp_path / "store"
    store.mkdir()
    with pytest.raises(kind, match=reason) as refusal:
        prepare(request_of(**asked), store)
    assert isinstance(refusal.value, EngineError)
    assert "\n" not in str(refusal.value)
    assert list(store.rglob("*")) == []


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(
    request_of, tmp_path, byte_tokenizer
):
    small = write_gpt2(tmp_path / "small", byte_tokenizer, vocab_size=280)
    with pytest.raises(SubjectError, match=r"gives token 28\d; the model knows 280"):
        prepare(request_of(model=str(small)), tmp_path / "store")


def test_every_token_that_a_dashboard_names_has_its_bytes(request_of, tmp_path):
    """The model knows 300 tokens, its tokenizer 290: the ten others can be among the logits."""
    found = run(request_of(), tmp_path)
    plan = prepare(request_of(), tmp_path).plan
    vocabulary = StoredCorpus(tmp_path / "corpora" / plan.corpus_digest).vocabulary
    named = {entry.token for one in found for entry in (*one.logits.top, *one.logits.bottom)}
    assert max(named) >= 290
    assert len(vocabulary) == 300
    assert vocabulary[290:] == [b""] * 10


def test_hooks_that_write_nothing_linearly_get_no_logits(request_of, tmp_path):
    folder = write_standard(tmp_path / "dictionary")
    found = run(
        request_of(dictionary=str(folder), hook="blocks.0.attn.hook_q", max_contexts=3), tmp_path
    )
    assert {one.logits for one in found} == {None}


def test_decoder_norms_are_reported(request_of, tmp_path):
    folder = write_standard(tmp_path / "dictionary")
    tensors = load_file(folder / "sae_weights.safetensors")
    tensors["W_dec"] *= torch.arange(96)[:, None]
    cfg = json.loads((folder / "cfg.json").read_text())
    write_folder(tmp_path / "scaled", tensors, **cfg)
    found = run(request_of(dictionary=str(tmp_path / "scaled"), max_contexts=2), tmp_path)
    assert [one.decoder_norm for one in found] == pytest.approx(list(range(96)), rel=1e-5)
