"""The demo's TopK dictionaries: their formula, gradients by hand, and SAELens's folder."""

import pytest
import torch

from featureviz.demo import dictionary as dictionaries
from featureviz.demo.dictionary import DictionaryTraining, TopK, keep_top


def tiny(k: int = 1) -> TopK:
    W_dec = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    return TopK(W_dec.T.contiguous(), torch.zeros(3), W_dec, torch.zeros(2), k)


def test_topk_keeps_the_largest_pre_activation_and_decodes_it():
    f = tiny().encode(torch.tensor([[3.0, 4.0]]))
    assert f.tolist() == [[0.0, 0.0, 5.0]]
    assert tiny().decode(f)[0].tolist() == pytest.approx([3.0, 4.0])


def test_a_negative_pre_activation_is_never_kept():
    assert keep_top(torch.tensor([[-1.0, -2.0, 0.5]]), 2).tolist() == [[0.0, 0.0, 0.5]]


def test_gradients_by_hand_are_those_of_autograd():
    x = torch.rand(256, 512, generator=torch.Generator().manual_seed(0))
    sae = dictionaries._start(x, DictionaryTraining(64, 4))
    dictionaries._fit(sae, x)
    by_hand = {name: tensor.grad for name, tensor in sae.tensors.items()}
    for tensor in sae.tensors.values():
        tensor.grad = None
    (x - sae.decode(sae.encode(x))).square().sum().div(len(x)).backward()
    for name, tensor in sae.tensors.items():
        same = torch.cosine_similarity(by_hand[name].flatten(), tensor.grad.flatten(), dim=0)
        assert same > 0.98, name  # bfloat16 changes which latent comes k-th now and then
        assert by_hand[name].norm() == pytest.approx(tensor.grad.norm().item(), rel=0.1), name


def test_dead_latents_start_again_at_what_is_missed_and_others_stay():
    x = torch.rand(64, 512, generator=torch.Generator().manual_seed(0))
    sae = dictionaries._start(x, DictionaryTraining(8, 2))
    optimizer = torch.optim.Adam(list(sae.tensors.values()), 1e-3)
    dictionaries._step(sae, optimizer, x, torch.zeros(8, dtype=torch.int64))
    before = sae.W_dec.detach().clone()
    error = x - sae.decode(sae.encode(x))
    dictionaries._resample(sae, optimizer, x, torch.tensor([1, 5]))
    assert ((before - sae.W_dec).norm(dim=1) > 0.1).nonzero().flatten().tolist() == [1, 5]
    cosines = torch.nn.functional.normalize(error, dim=1) @ sae.W_dec[[1, 5]].T
    assert torch.allclose(cosines.max(0).values, torch.ones(2), atol=1e-4)
    assert torch.equal(sae.W_enc.T[5], sae.W_dec[5])


def test_silence_is_counted_in_tokens_since_a_latent_last_fired():
    x = torch.rand(64, 512, generator=torch.Generator().manual_seed(0))
    sae = dictionaries._start(x, DictionaryTraining(64, 1))
    fired = (sae.encode(x) > 0).any(0)
    silent = torch.full((64,), 100)
    dictionaries._step(sae, torch.optim.Adam(list(sae.tensors.values()), 1e-3), x, silent)
    assert 0 < fired.sum() < 64
    assert (silent == torch.where(fired, 0, 164)).float().mean() > 0.95  # bfloat16 near ties


def test_a_dictionary_for_scaled_inputs_gives_the_same_share_of_unscaled_ones():
    x = torch.rand(8, 2)
    scaled = dictionaries._in_units_of(torch.tensor(3.0), tiny(2))
    assert torch.allclose(scaled.encode(x * 3), 3 * tiny(2).encode(x))


def test_training_lowers_the_error_and_keeps_decoder_rows_at_norm_1(monkeypatch):
    batches = torch.rand(50, 256, 512, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(dictionaries, "activation_batches", lambda *_: iter(batches))
    settings = DictionaryTraining(32, 4, tokens=38 * 256, batch=256, lr=1e-2)
    sae = dictionaries.train_dictionary(None, None, settings, print)
    x = batches[-1]
    missed = (x - sae.decode(sae.encode(x))).square().sum()
    assert missed < (x - x.mean(0)).square().sum()
    assert torch.allclose(sae.W_dec.norm(dim=1), torch.ones(32), atol=1e-5)


def test_saved_folder_opens_in_saelens_and_encodes_alike(tmp_path):
    sae_lens = pytest.importorskip("sae_lens")
    generator = torch.Generator().manual_seed(0)
    start = dictionaries._start(torch.rand(9, 512, generator=generator), DictionaryTraining(64, 4))
    dictionaries.save_dictionary(start, tmp_path, "demo")
    x = torch.rand(16, 512, generator=generator)
    ours = dictionaries.load_dictionary(tmp_path)
    theirs = sae_lens.SAE.load_from_disk(tmp_path, dtype="float32")
    assert torch.allclose(ours.encode(x), theirs.encode(x), atol=1e-5)
    assert torch.allclose(ours.decode(ours.encode(x)), theirs(x), atol=1e-5)
    assert theirs.cfg.metadata.hook_name == dictionaries.HOOK
