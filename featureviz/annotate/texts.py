"""What holds for every text people write."""

from featureviz.annotate.markdown import latents_in
from featureviz.catalog.models import Dictionary

LONGEST = 10_000  # characters


class AnnotateError(ValueError):
    """Something a person wrote that cannot be kept; the message is for people."""


def clean(text: str) -> str:
    """A text as it is kept. Raises: AnnotateError when it is empty or too long."""
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise AnnotateError("The text is empty. Write a sentence.")
    if len(text) > LONGEST:
        raise AnnotateError(f"The text has {len(text)} characters; {LONGEST} are allowed.")
    return text


def named_latents(text: str) -> list[tuple[Dictionary, int]]:
    """The latents a text names that are there."""
    found = []
    for each in latents_in(text):
        named = Dictionary.objects.filter(
            model__name=each.model, name=each.dictionary, d_sae__gt=each.index
        )
        found += [(dictionary, each.index) for dictionary in named]
    return found
