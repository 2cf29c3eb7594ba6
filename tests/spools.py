"""The activations behind a run of tests/factories.py: spooled, and as a full array."""

import numpy as np

from featureviz.dashboards.corpora import StoredCorpus
from featureviz.dashboards.slices import LatentSlices
from featureviz.engine.spool import write_shard
from tests import factories


def write_spool(run, texts=factories.TEXTS):
    """Write the run's only shard."""
    series = fired(run, texts)
    places = [np.array([place for place, _ in one], np.uint32) for one in series]
    starts = np.cumsum([0, *map(len, places)], dtype=np.int64)
    values = np.array([value for one in series for _, value in one], np.float32)
    slices = LatentSlices(starts, np.concatenate(places), values)
    write_shard(run.folder / "shards" / "00000.safetensors", slices)


def dense(run, texts=factories.TEXTS):
    """Activations at every counted position [n_counted, n_latents], as float32 has them."""
    found = np.zeros((len(texts) * factories.CONTEXT_SIZE, run.dictionary.d_sae))
    for latent, one in enumerate(fired(run, texts)):
        for place, value in one:
            found[place, latent] = np.float32(value)
    corpus: StoredCorpus = run.corpus.stored
    return found[np.asarray(corpus.counted).ravel()]


def fired(run, texts=factories.TEXTS):
    """(place, activation) of every latent, in corpus order."""
    text, n = factories.tokenised(texts), run.dictionary.d_sae
    return [
        [
            (context * factories.CONTEXT_SIZE + position, value)
            for context, position, value in factories._activations(index, text, n)
        ]
        for index in range(n)
    ]
