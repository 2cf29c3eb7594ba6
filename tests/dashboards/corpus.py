"""A stored corpus written by hand."""

from pathlib import Path

import msgspec
import numpy as np

from featureviz.dashboards.corpora import CorpusFacts, StoredCorpus


def write_corpus(folder: Path, tokens, vocabulary: list[bytes], counted=None) -> StoredCorpus:
    """Contexts [n, n_ctx] whose token 0 counts nowhere, unless `counted` says otherwise."""
    tokens = np.asarray(tokens, np.int32)
    counted = tokens != 0 if counted is None else np.asarray(counted)
    facts = CorpusFacts(
        name="hand.txt",
        digest="0" * 64,
        n_contexts=tokens.shape[0],
        context_size=tokens.shape[1],
        n_documents=1,
        n_tokens=int(counted.sum()),
        n_positions=int(tokens.size),
        has_bos=True,
        special_ids=(0,),
        text_digest="0" * 64,
    )
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "tokens": tokens,
        "counted": counted,
        "lengths": np.full(len(tokens), tokens.shape[1], np.int32),
        "documents": np.zeros(len(tokens), np.int32),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "vocabulary.msgpack").write_bytes(msgspec.msgpack.encode(vocabulary))
    (folder / "corpus.json").write_bytes(msgspec.json.encode(facts))
    return StoredCorpus(folder)
