"""Texts as vectors, against a plain computation."""

import json

import numpy as np
import pytest
import torch
from transformers import BertModel, PreTrainedTokenizerFast

from featureviz.engine.embedding import load_encoder
from featureviz.engine.errors import EmbeddingError
from tests.encoders import write_encoder

TEXTS = ["quotation marks", "a cat and the stripes of a zebra", "dog", "", "unheard of"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder"))


def plainly(folder, text, longest=16):
    """One text alone, without padding; averages and lengths in float64."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    ids = tokenizer(text)["input_ids"][: longest - 1]
    ids = ids if ids[-1] == tokenizer.sep_token_id else [*ids, tokenizer.sep_token_id]
    with torch.no_grad():
        states = BertModel.from_pretrained(folder).eval()(torch.tensor([ids]))[0][0]
    mean = states.numpy().astype(np.float64).mean(0)
    return mean / np.sqrt((mean**2).sum())


def test_a_vector_is_the_average_over_the_texts_own_tokens_of_length_one(folder):
    vectors = load_encoder(folder).embed(TEXTS)
    assert vectors.dtype == np.float32
    for vector, text in zip(vectors, TEXTS, strict=True):
        assert np.allclose(vector, plainly(folder, text), atol=1e-5)
        assert np.isclose(np.linalg.norm(vector), 1, atol=1e-6)
    assert abs(vectors[0] @ vectors[1]) < 0.99, "the texts can be told apart"


def test_company_changes_no_vector_and_many_texts_keep_their_order(folder):
    encoder = load_encoder(folder)
    alone = np.stack([encoder.embed([text])[0] for text in TEXTS])
    assert np.allclose(encoder.embed(TEXTS * 9), np.tile(alone, (9, 1)), atol=1e-5)
    assert encoder.embed([]).shape == (0, 16)


def test_what_is_longer_than_the_model_reads_is_cut_off(folder):
    encoder = load_encoder(folder)
    assert encoder.longest == 16
    (vector,) = encoder.embed(["cat dog " * 40])
    assert np.allclose(vector, plainly(folder, "cat dog " * 40), atol=1e-5)


def test_the_length_that_sentence_transformers_wrote_down_is_kept_to(tmp_path):
    folder = write_encoder(tmp_path)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 6}))
    encoder = load_encoder(folder)
    assert encoder.longest == 6
    (vector,) = encoder.embed(["cat dog " * 40])
    assert np.allclose(vector, plainly(folder, "cat dog " * 40, longest=6), atol=1e-5)


def test_the_digest_is_that_of_the_model_not_of_its_place(folder, tmp_path):
    one = load_encoder(folder)
    same = load_encoder(write_encoder(tmp_path / "same"))
    other = load_encoder(write_encoder(tmp_path / "other", seed=1))
    assert one.digest == same.digest != other.digest


def test_a_model_put_in_its_place_is_noticed(tmp_path):
    before = load_encoder(write_encoder(tmp_path))
    assert load_encoder(tmp_path) is before
    assert load_encoder(write_encoder(tmp_path, seed=1)).digest != before.digest


def test_pickled_weights_are_not_opened(tmp_path):
    folder = write_encoder(tmp_path)
    torch.save(BertModel.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EmbeddingError, match="weights in safetensors"):
        load_encoder(folder)


def test_code_beside_the_weights_is_not_run(tmp_path):
    folder = write_encoder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoModel": "own.Own", "AutoConfig": "own.Config"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(EmbeddingError, match="cannot be loaded"):
        load_encoder(folder)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_pools_in_another_way_is_refused(tmp_path):
    folder = write_encoder(tmp_path)
    (folder / "1_Pooling").mkdir()
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    assert load_encoder(folder)
    load_encoder(write_encoder(tmp_path / "other"))  # it takes the place of the one that is kept
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": False}))
    with pytest.raises(EmbeddingError, match="average over tokens"):
        load_encoder(folder)


def test_a_folder_without_a_model_is_refused_by_name(tmp_path):
    with pytest.raises(EmbeddingError, match=str(tmp_path)):
        load_encoder(tmp_path)
