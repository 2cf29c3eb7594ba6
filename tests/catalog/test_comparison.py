"""Latents side by side: each figure as brute force has it, and why what is missing is."""

import shutil

import numpy as np
import pytest
from msgspec.structs import replace

from featureviz.catalog import questions
from featureviz.catalog.comparison import Comparison, comparison_record, find
from featureviz.catalog.models import Job, LanguageModel, Question
from featureviz.dashboards.relations import Related, Relations
from featureviz.dashboards.store import write_pack
from tests.factories import BLOCK_SIZE, TEXTS, make_run
from tests.oracles import relations as oracle
from tests.spools import dense, fired, write_spool

pytestmark = pytest.mark.django_db
OTHER_TEXTS = tuple(f"{text} And so on." for text in TEXTS)


@pytest.fixture
def run(store):
    run = make_run()
    write_spool(run)
    return run


@pytest.fixture
def twin(run):
    """A dictionary of another model over the same corpus; its first latents are other ones."""
    run = make_run(model="twin", dictionary="b", n_latents=12)
    LanguageModel.objects.filter(name="twin").update(digest="e" * 64)
    write_spool(run)
    return run


@pytest.fixture
def elsewhere(run):
    run = make_run(dictionary="elsewhere", texts=OTHER_TEXTS)
    write_spool(run, OTHER_TEXTS)
    return run


def comparison(*addresses):
    return Comparison(
        tuple(find(letter, one) for letter, one in zip("abcd", addresses, strict=False))
    )


def record(*addresses):
    return comparison_record(comparison(*addresses))


def test_every_pair_is_as_brute_force_has_it(run, twin):
    series = {"demo/sae": dense(run), "twin/b": dense(twin)}
    addresses = ("demo/sae/0", "demo/sae/3", "twin/b/9", "demo/sae/6")
    pairs = record(*addresses)["pairs"]
    assert len(pairs) == 6
    for pair in pairs:
        x, y = (
            series[address.rpartition("/")[0]][:, int(address.rpartition("/")[2])]
            for address in (pair["a"], pair["b"])
        )
        side = [oracle.Side(one[:, None], np.ones((1, 1)), np.ones((1, 2))) for one in (x, y)]
        expected = oracle.expected(*side)
        assert pair["n_both_active"] == expected.n_both[0, 0]
        assert pair["jaccard"] == expected.jaccard[0, 0]
        truth = expected.correlation[0, 0]
        assert pair["activation_correlation"] == pytest.approx(truth, abs=1e-9)


def test_firing_tokens_are_counted_for_each_those_several_share_first(run):
    tokens = run.corpus.stored.tokens.ravel()
    vocabulary = run.corpus.stored.vocabulary
    counted = []
    for one in (fired(run)[0], fired(run)[3]):
        texts = [vocabulary[tokens[place]].decode(errors="featureviz-hex") for place, _ in one]
        counted.append({text: texts.count(text) for text in texts})
    rows = record("demo/sae/0", "demo/sae/3")["firing_tokens"]
    found = {row["token"]: tuple(row["n_active"].values()) for row in rows}
    assert found == {
        text: tuple(one.get(text, 0) for one in counted) for text in counted[0] | counted[1]
    }
    shared = [all(row["n_active"].values()) for row in rows]
    assert shared == sorted(shared, reverse=True)


def test_the_overlap_of_firing_tokens_is_what_their_shares_have_in_common(run):
    tokens = run.corpus.stored.tokens.ravel()
    shares = []
    for one in (fired(run)[0], fired(run)[3]):
        ids = [int(tokens[place]) for place, _ in one]
        shares.append({token: ids.count(token) / len(ids) for token in ids})
    expected = sum(min(shares[0][token], shares[1].get(token, 0)) for token in shares[0])
    [pair] = record("demo/sae/0", "demo/sae/3")["pairs"]
    assert pair["firing_token_overlap"] == pytest.approx(expected)
    assert pair["n_shared_promoted_tokens"] == 10  # all latents of the fixture promote the same


def test_each_text_has_the_activations_of_every_latent_whoever_keeps_it(run, twin):
    found = record("demo/sae/0", "twin/b/9")["contexts"]
    assert found
    everywhere = {"demo/sae/0": dict(fired(run)[0]), "twin/b/9": dict(fired(twin)[9])}
    for context in found:
        for address, active in everywhere.items():
            expected = [
                active.get(context["context"] * 128 + position, 0.0)
                for position in range(len(context["tokens"]))
            ]
            assert context["activations"][address] == pytest.approx(expected, rel=1e-6)
    assert len({context["context"] for context in found}) == len(found)
    assert any(len(context["kept_by"]) == 2 for context in found)


def test_over_other_texts_nothing_is_shown_as_nought(run, elsewhere):
    found = record("demo/sae/0", "demo/elsewhere/0")
    [pair] = found["pairs"]
    for name in ("n_both_active", "jaccard", "activation_correlation"):
        assert pair[name] is None
        assert pair["why_not"][name] == "They were run over different texts."
    assert pair["firing_token_overlap"] > 0  # of tokens as they read
    for context in found["contexts"]:
        assert len(context["activations"]) == 1


def test_deleted_activations_are_said_with_the_command_that_brings_them_back(run):
    shutil.rmtree(run.folder / "shards")
    found = record("demo/sae/0", "demo/sae/3")
    [pair] = found["pairs"]
    assert f"precompute --resume {run.key[:8]}" in pair["why_not"]["jaccard"]
    assert pair["firing_token_overlap"] is None
    assert found["latents"][0]["n_active"] == len(fired(run)[0])


def test_what_relations_keep_of_a_pair_is_shown_from_either_side(run, twin):
    related = Related(3, 5, 0.5, 0.25, 0.125, -0.75)
    for one, other, index in ((run, run, 0), (twin, run, 9)):
        for block in range(one.dictionary.d_sae // BLOCK_SIZE):
            latents = range(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
            job = Job(run=one, other=other, kind=Job.Kind.RELATE, number=block, size=4)
            write_pack(
                job.product,
                [Relations(each, (related,) if each == index else ()) for each in latents],
            )
    [pair] = record("demo/sae/3", "demo/sae/0")["pairs"]
    assert (pair["decoder_cosine"], pair["logit_weight_correlation"]) == (0.125, -0.75)
    [pair] = record("demo/sae/3", "twin/b/9")["pairs"]
    assert pair["logit_weight_correlation"] == -0.75
    assert (pair["decoder_cosine"], pair["why_not"]["decoder_cosine"]) == (
        None,
        "They write into different models.",
    )


def test_other_pairs_are_asked_of_a_worker_once(run):
    [pair] = comparison("demo/sae/0", "demo/sae/3").pairs
    assert pair.lacks_weights
    asked = pair.ask()
    assert asked.asked == {"latent": 0, "other": run.key, "other_latent": 3}
    questions.answer(questions.claim(), {"cosine": 0.25, "logit_correlation": None})
    [pair] = comparison("demo/sae/0", "demo/sae/3").pairs
    assert (pair.cosine.value, pair.lacks_weights) == (0.25, False)
    assert pair.logit_correlation.why == "One of them writes no logits directly."
    assert Question.objects.get().kind == "weights"


def test_an_end_of_a_signed_latent_is_compared_by_itself(run):
    shutil.rmtree(run.folder)
    signed = run
    boards = [make_board(signed, index) for index in range(4)]
    write_pack(signed.folder / "blocks" / "00000.pack", boards)
    signed.plan |= {"block_size": 8, "ends": 2}
    signed.save()
    write_spool(signed)  # of eight ends
    found = record("demo/sae/1", "demo/sae/1?end=neg", "demo/sae/2")
    x = dense(signed)
    expected = [
        int(((x[:, one] > 0) & (x[:, two] > 0)).sum()) for one, two in ((2, 3), (2, 4), (3, 4))
    ]
    assert [pair["n_both_active"] for pair in found["pairs"]] == expected
    assert found["latents"][1]["address"] == "demo/sae/1?end=neg"
    negative = [context["activations"]["demo/sae/1?end=neg"] for context in found["contexts"]]
    assert min(map(min, negative)) < 0 == max(map(max, negative))


def make_board(run, index):
    """Latent `index` of a signed dictionary, from the fixture's latents 2i and 2i + 1."""
    from featureviz.engine.ends import with_both_ends
    from tests.factories import make_dashboard, tokenised

    text = tokenised(TEXTS)
    ends = [make_dashboard(end, text, 8) for end in (2 * index, 2 * index + 1)]
    [board] = with_both_ends([replace(one, index=end) for end, one in enumerate(ends)], 2)
    return replace(board, index=index, negative=replace(board.negative, index=index))


@pytest.mark.parametrize(
    "typed",
    [
        "demo/sae/3",
        " /demo/sae/3/ ",
        "http://a.example/demo/sae/3?view=16#top-1",
        "demo/sae/3.json",
    ],
)
def test_an_address_is_found_however_it_was_pasted(run, typed):
    assert find("a", typed).address == "demo/sae/3"


@pytest.mark.parametrize(
    "typed", ["", "demo/sae", "demo/sae/99", "demo/sae/x", "a/b/c/3", "http://["]
)
def test_what_is_no_latent_is_not_found(run, typed):
    assert find("a", typed) is None
