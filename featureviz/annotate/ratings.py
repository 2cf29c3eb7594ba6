"""Ratings: kept as drafts, submitted once, then locked."""

from dataclasses import asdict

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from featureviz.annotate import rubric, sessions
from featureviz.annotate.rating_models import RatedLatent, Rating, RatingSession
from featureviz.annotate.rubric import Answers
from featureviz.annotate.texts import AnnotateError


class LockedError(AnnotateError):
    """The rating was submitted, or its session is closed."""


def rating_of(latent: RatedLatent, rater: User) -> Rating | None:
    """What somebody answered about it so far."""
    return Rating.objects.filter(latent=latent, rater=rater).first()


@transaction.atomic
def keep(latent: RatedLatent, rater: User, answers: Answers) -> Rating:
    """Keep a draft, complete or not. Raises: LockedError."""
    _lock(latent)
    rating, _ = Rating.objects.get_or_create(latent=latent, rater=rater)
    if rating.submitted_at is not None:
        raise LockedError("You have submitted this one. It stands as it is.")
    gap = 0 if answers.logits == rubric.MOST_LOGITS else answers.gap
    Rating.objects.filter(pk=rating.pk).update(**asdict(answers) | {"gap": gap})
    rating.refresh_from_db()
    return rating


def submit(latent: RatedLatent, rater: User, answers: Answers, asked: tuple[str, ...]) -> Rating:
    """Lock whole answers, about the groups of the latent that have examples.

    The last submission closes the session. Raises: AnnotateError; LockedError.
    """
    return _submit(latent, rater, rubric.checked(answers, asked))


def submit_none(latent: RatedLatent, rater: User, asked: tuple[str, ...]) -> Rating:
    """Lock that the rater can make nothing of it: no points. Raises: LockedError."""
    return _submit(latent, rater, rubric.without_hypothesis(asked))


@transaction.atomic
def _submit(latent: RatedLatent, rater: User, answers: Answers) -> Rating:
    rating = keep(latent, rater, answers)
    Rating.objects.filter(pk=rating.pk).update(submitted_at=timezone.now())
    sessions.close_when_rated(latent.session)
    rating.refresh_from_db()
    return rating


def numbers_rated(session: RatingSession, rater: User) -> set[int]:
    """The latents of a session somebody has submitted."""
    done = Rating.objects.filter(latent__session=session, rater=rater, submitted_at__isnull=False)
    return set(done.values_list("latent__number", flat=True))


def _lock(latent: RatedLatent) -> None:
    session = RatingSession.objects.select_for_update().get(pk=latent.session_id)
    if session.closed_at is not None:
        raise LockedError("The session is closed: nothing more is rated.")
