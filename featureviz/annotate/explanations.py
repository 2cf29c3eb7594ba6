"""The life of an explanation: written, edited, pinned, withdrawn and taken back."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from featureviz.annotate.models import Explanation, ExplanationVersion, ExplanationVote, LatentLink
from featureviz.annotate.texts import AnnotateError, clean, named_latents
from featureviz.catalog.models import Dictionary


class CollisionError(AnnotateError):
    """Somebody else changed the text since it was read; theirs stands, nothing was overwritten."""

    def __init__(self, standing: Explanation, text: str) -> None:
        super().__init__("Somebody else changed this text while you wrote. Both are kept below.")
        self.standing = standing
        self.text = text  # what was to be saved


@dataclass(frozen=True, slots=True)
class Signature:
    """Who writes: a person, or a model by its name."""

    author: User | None = None
    model_name: str = ""


@transaction.atomic
def write(dictionary: Dictionary, index: int, text: str, by: Signature) -> Explanation:
    """Add an explanation to a latent; the first one is pinned. Raises: AnnotateError."""
    if not 0 <= index < dictionary.d_sae:
        raise AnnotateError(
            f"{dictionary} has no latent {index}; it ends at {dictionary.d_sae - 1}."
        )
    text = clean(text)
    Dictionary.objects.select_for_update().get(pk=dictionary.pk)  # two first ones pin one
    is_first = not Explanation.objects.standing().of(dictionary, index).exists()
    explanation = Explanation.objects.create(
        dictionary=dictionary,
        index=index,
        text=text,
        author=by.author,
        model_name=by.model_name,
        is_pinned=is_first,
    )
    _keep(explanation, by)
    return explanation


@transaction.atomic
def edit(explanation: Explanation, text: str, by: Signature, *, version: int) -> Explanation:
    """Change the text that was read at `version`. Raises: CollisionError, AnnotateError."""
    text = clean(text)
    standing = _locked(explanation)
    if standing.version != version:
        raise CollisionError(standing, text)
    if standing.text == text:
        return standing
    standing.text, standing.version = text, version + 1
    standing.edited_at = timezone.now()
    standing.save(update_fields=["text", "version", "edited_at"])
    _keep(standing, by)
    return standing


def restore(explanation: Explanation, number: int, by: Signature, *, version: int) -> Explanation:
    """Give it the text of an earlier version again, as a new version. Raises: CollisionError."""
    earlier = explanation.versions.get(number=number)
    return edit(explanation, earlier.text, by, version=version)


@transaction.atomic
def pin(explanation: Explanation) -> None:
    """Let it head the latent's page, in place of the one that did."""
    Dictionary.objects.select_for_update().get(pk=explanation.dictionary_id)
    of_latent = Explanation.objects.filter(
        dictionary=explanation.dictionary_id, index=explanation.index
    )
    of_latent.filter(is_pinned=True).update(is_pinned=False)
    of_latent.standing().filter(pk=explanation.pk).update(is_pinned=True)


def unpin(explanation: Explanation) -> None:
    """Let no explanation head the page."""
    Explanation.objects.filter(pk=explanation.pk).update(is_pinned=False)


def withdraw(explanation: Explanation) -> None:
    """Take it off the page; it is kept, with its history."""
    standing = Explanation.objects.standing().filter(pk=explanation.pk)
    standing.update(withdrawn_at=timezone.now(), is_pinned=False)


def take_back(explanation: Explanation) -> None:
    """Undo the withdrawal; it is not pinned again."""
    Explanation.objects.filter(pk=explanation.pk).update(withdrawn_at=None)


def vote(explanation: Explanation, user: User, agrees: bool | None) -> None:
    """Agree, disagree, or neither."""
    if agrees is None:
        ExplanationVote.objects.filter(explanation=explanation, user=user).delete()
    else:
        ExplanationVote.objects.update_or_create(
            explanation=explanation, user=user, defaults={"agrees": agrees}
        )


def _locked(explanation: Explanation) -> Explanation:
    return Explanation.objects.select_for_update().get(pk=explanation.pk)


def _keep(explanation: Explanation, by: Signature) -> None:
    ExplanationVersion.objects.create(
        explanation=explanation,
        number=explanation.version,
        text=explanation.text,
        author=by.author,
        model_name=by.model_name,
    )
    explanation.links.all().delete()
    LatentLink.objects.bulk_create(
        LatentLink(explanation=explanation, dictionary=dictionary, index=index)
        for dictionary, index in named_latents(explanation.text)
    )
