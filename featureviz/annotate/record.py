"""A latent's whole record: the numbers of its run, and what is said of it."""

from typing import Any

from featureviz.annotate.models import Explanation
from featureviz.catalog.models import Latent
from featureviz.catalog.record import latent_record


def whole_record(latent: Latent) -> dict[str, Any]:
    """What the API serves and `show` prints. Raises: StoreError."""
    said = Explanation.objects.standing().of(latent.run.dictionary, latent.index).voted()
    return latent_record(latent) | {"explanations": [explanation_record(each) for each in said]}


def explanation_record(said: Any) -> dict[str, Any]:
    """An explanation that was counted with its votes."""
    return {
        "id": said.pk,
        "description": said.text,
        "author": said.author.get_username() if said.author else None,
        "model": said.model_name or None,
        "is_pinned": said.is_pinned,
        "version": said.version,
        "created_at": said.created_at.isoformat(),
        "edited_at": said.edited_at.isoformat() if said.edited_at else None,
        "agree": said.n_agree,
        "disagree": said.n_disagree,
    }
