"""What a worker does for search by meaning: it turns texts into vectors. Knows no Celery."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from django.conf import settings

from featureviz.annotate import meaning
from featureviz.engine.embedding import Encoder, load_encoder
from featureviz.engine.errors import EmbeddingError
from tasks import jobs

SLICE_SECONDS = 30.0  # then other work has its turn
_AT_ONCE = 32  # explanations between two looks at what readers ask


def encoder() -> Encoder:
    """The embedding model of this installation. Raises: EmbeddingError."""
    folder = settings.FEATUREVIZ_EMBEDDING_MODEL
    if folder is None:
        raise EmbeddingError("This worker was started without FEATUREVIZ_EMBEDDING_MODEL.")
    return load_encoder(folder)


def of_text(text: str) -> dict[str, Any]:
    """A text's vector, and which model it is of. Raises: EmbeddingError."""
    model = encoder()
    return {"model": model.digest, "vector": model.embed([text])[0].tolist()}


def embed_unread(stop: Callable[[], bool], watch: Callable[[], None]) -> bool:
    """Read explanations that are new or changed, for a while; says whether some may be left.

    `watch` is called at every step. Raises: EmbeddingError.
    """
    until = monotonic() + SLICE_SECONDS
    model = encoder()
    with jobs.at_work:
        while not stop() and monotonic() < until:
            watch()
            some = meaning.unread(model.digest, _AT_ONCE)
            if not some:
                return False
            meaning.keep(some, model.digest, model.embed([each.text for each in some]))
    return True
