"""Every way of finding the non-zero activations finds the same ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from featureviz.engine import activations
from featureviz.engine.activations import Actives, active_latents, joined, nonzeros, rows_at_once
from featureviz.engine.dictionaries.base import DenseCodes, SparseCodes
from featureviz.engine.dictionaries.load import load_dictionary
from featureviz.engine.subject import load_subject


def dense(values, places):
    return nonzeros(DenseCodes(values), places)


def on_device(values, places):
    return activations._nonzeros_on_device(values, places)


def sparse(values, places):
    """The same activations as (latent, value) pairs in no particular order, zeros among them."""
    order = torch.randperm(values.shape[1], generator=torch.Generator().manual_seed(0))
    latents = order.expand(len(values), -1)
    pairs = values.nan_to_num(0).clamp_min(0).gather(1, latents)
    return nonzeros(SparseCodes(pairs, latents, values.shape[1]), places)


WAYS = pytest.mark.parametrize("find", [dense, on_device, sparse])


def check(find, values, places):
    found = sorted_within_places(find(values, places))
    rows, latents = torch.nonzero(values[: len(places)] > 0, as_tuple=True)
    assert found.places.tolist() == places[rows.numpy()].tolist()
    assert found.latents.tolist() == latents.tolist()
    assert found.values.tolist() == values[rows, latents].tolist()
    assert (found.places.dtype, found.latents.dtype) == (np.uint32, np.int32)
    assert found.values.dtype == np.float32


def sorted_within_places(found):
    assert (np.diff(found.places.astype(int)) >= 0).all()
    order = np.lexsort((found.latents, found.places))
    return Actives(*(column[order] for column in found))


def every_other(n):
    return np.arange(n, dtype=np.uint32) * 2 + 1


@WAYS
@settings(deadline=None, max_examples=40)
@given(st.integers(1, 70), st.integers(0, 9), st.floats(0, 1), st.integers(0, 2**31))
def test_they_are_those_that_torch_finds(find, width, n_rows, share, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n_rows, width, generator=generator)
    values[torch.rand(n_rows, width, generator=generator) > share] = 0
    check(find, values, every_other(n_rows))


@WAYS
@pytest.mark.parametrize("width", [1, 15, 16, 17, 65, 200])
@pytest.mark.parametrize("value", [0.0, -0.0, -1.0, 1.0, 1e-45])
def test_they_are_found_where_all_entries_are_alike(find, width, value):
    check(find, torch.full((11, width), value), every_other(11))


@pytest.mark.parametrize("n_rows", [1, 3, 50])
def test_more_than_the_buffer_holds_are_all_found(n_rows):
    # The buffer has room for 64 a row; 1,000 a row make it overflow again and again.
    values = torch.rand(n_rows, 1000, generator=torch.Generator().manual_seed(1)) + 0.5
    check(dense, values, every_other(n_rows))


@pytest.mark.parametrize("find", [dense, on_device])
def test_what_is_not_a_number_is_never_active(find):
    nan, infinity = float("nan"), float("inf")
    values = torch.tensor([[nan, 1.0, -infinity], [0.0, nan, 2.0]])
    found = find(values, every_other(2))
    assert found.latents.tolist() == [1, 2]
    assert found.values.tolist() == [1, 2]


@WAYS
def test_rows_beyond_the_places_are_filling_and_not_looked_at(find):
    found = find(torch.ones(5, 3), np.array([7, 9], np.uint32))
    assert found.places.tolist() == [7, 7, 7, 9, 9, 9]


@WAYS
def test_no_place_gives_no_activation(find):
    assert all(len(column) == 0 for column in find(torch.ones(5, 3), np.empty(0, np.uint32)))


def test_nothing_joined_is_empty():
    assert all(len(column) == 0 for column in joined([]))


@pytest.fixture
def tiny(model_folder, dictionary_folder):
    return load_subject(str(model_folder)), load_dictionary(str(dictionary_folder))


def tokens_of(n_contexts, n_ctx=16):
    return np.random.default_rng(0).integers(1, 290, (n_contexts, n_ctx)).astype(np.int32)


def by_context(tiny, tokens, counted, batch_size):
    """The activations of every context, as (position, latent, value)."""
    parts = [part for _, part, _ in active_latents(tiny[0], tiny[1], tokens, counted, batch_size)]
    found = joined(parts)
    contexts = found.places // tokens.shape[1]
    positions = found.places % tokens.shape[1]
    rows = list(zip(positions, found.latents, found.values, strict=True))
    return [
        [row for row, at in zip(rows, contexts, strict=True) if at == context]
        for context in range(len(tokens))
    ]


def test_a_context_gives_the_same_numbers_whatever_contexts_share_its_batch(tiny):
    tokens = tokens_of(9)
    counted = np.ones(tokens.shape, bool)
    together = by_context(tiny, tokens, counted, 4)
    assert sum(map(len, together)) > 1000
    for context in range(9):
        alone = by_context(tiny, tokens[context : context + 1], counted[:1], 4)
        assert alone[0] == together[context]
    backwards = by_context(tiny, tokens[::-1].copy(), counted, 4)
    assert backwards[::-1] == together


def test_positions_that_do_not_count_are_left_out_and_change_no_other(tiny):
    tokens = tokens_of(5)
    everything = by_context(tiny, tokens, np.ones(tokens.shape, bool), 2)
    counted = np.random.default_rng(1).random(tokens.shape) < 0.4
    counted[3] = False
    masked = by_context(tiny, tokens, counted, 2)
    assert masked[3] == []
    for context in range(5):
        kept = [row for row in everything[context] if counted[context, row[0]]]
        assert masked[context] == kept


def test_they_equal_encoding_every_position_of_the_plain_forward_pass(tiny):
    subject, dictionary = tiny
    tokens = tokens_of(3)
    x = subject.activations(torch.from_numpy(tokens.astype(np.int64)), dictionary.facts.hook)
    plain = dictionary.codes(x.flatten(0, 1)).dense().reshape(3, 16, -1)
    found = by_context(tiny, tokens, np.ones(tokens.shape, bool), 2)
    dense_again = torch.zeros_like(plain)
    for context, rows in enumerate(found):
        for position, latent, value in rows:
            dense_again[context, position, latent] = float(value)
    torch.testing.assert_close(dense_again, plain, atol=1e-5, rtol=1e-5)


def test_batches_report_how_many_contexts_they_hold(tiny):
    tokens = tokens_of(7)
    batches = active_latents(tiny[0], tiny[1], tokens, np.ones(tokens.shape, bool), 3)
    assert [(size, len(x)) for size, _, x in batches] == [(3, 48), (3, 48), (1, 16)]


@pytest.mark.parametrize("d_sae", [1, 96, 4096, 24_576, 1 << 20])
def test_what_is_encoded_at_once_is_bounded_and_cuts_a_batch_evenly(d_sae):
    rows = rows_at_once(d_sae)
    assert rows == 64 or rows * d_sae * 4 < 32 << 20
    assert 4096 % rows == 0
