"""Rating sessions: drawn, closed. What is drawn depends on the seed and the addresses alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from featureviz.annotate.rating_models import RatedLatent, RatingSession
from featureviz.annotate.roles import may
from featureviz.annotate.texts import AnnotateError
from featureviz.catalog.models import Dictionary, Latent, Run, Workspace
from featureviz.catalog.permissions import Action
from featureviz.catalog.reading import Reader
from featureviz.dashboards.store import StoreError

MOST_LATENTS = 200  # of one dictionary
_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session is made of."""

    name: str
    seed: int
    workspace: Workspace
    dictionaries: list[Dictionary]
    count: int  # latents of each; where fewer fire, those
    raters: list[User]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A latent of a session, before it has a number."""

    run: Run
    index: int
    is_negative: bool

    @property
    def address(self) -> str:
        """As people write it."""
        return f"{self.run.dictionary}/{self.index}"


@transaction.atomic
def create(asked: Asked, by: User) -> RatingSession:
    """A session with its latents in shuffled order. Raises: AnnotateError."""
    name = " ".join(asked.name.replace("\0", "").split())[:100]
    _check(asked, name)
    runs = _runs(asked.dictionaries)
    drawn = [each for run in runs for each in draw(run, asked.count, asked.seed)]
    if not drawn:
        raise AnnotateError("No latent of these dictionaries fired.")
    session = RatingSession.objects.create(
        name=name, seed=asked.seed, workspace=asked.workspace, created_by=by
    )
    session.raters.set(asked.raters)
    _write(session, shuffled(drawn, asked.seed))
    return session


@transaction.atomic
def of_one(latent: Latent, by: User, *, is_negative: bool = False) -> RatingSession:
    """One latent for one person who knows what it is: their session of it, or a new one.

    Raises: AnnotateError where it has no logit weights, or never fired at this end.
    """
    run = latent.run
    if not (latent.n_negative if is_negative else latent.n_active):
        raise AnnotateError("It never fired, so there is nothing to rate.")
    _refuse_without_logits(run)
    begun = RatingSession.objects.filter(is_blind=False, created_by=by)
    same = begun.filter(
        latents__dictionary=run.dictionary,
        latents__index=latent.index,
        latents__is_negative=is_negative,
        latents__run_key=run.key,
    ).first()
    if same is not None:
        return same
    session = RatingSession.objects.create(
        name=f"{run.dictionary}/{latent.index}"[:100],
        seed=0,
        is_blind=False,
        workspace=run.dictionary.workspace,
        created_by=by,
    )
    session.raters.set([by])
    _write(session, [Drawn(run, latent.index, is_negative)])
    return session


def draw(run: Run, count: int, seed: int) -> Iterator[Drawn]:
    """Latents of a run that fired: those with the smallest hashes; of signed ones, either end."""
    fired = run.latents.alive().values_list("index", "n_active", "n_negative")
    ranked = sorted(fired, key=lambda row: _hash(seed, "draw", f"{run.dictionary}/{row[0]}"))
    for index, n_active, n_negative in ranked[:count]:
        odd = _hash(seed, "end", f"{run.dictionary}/{index}")[0] % 2 == 1
        yield Drawn(run, index, bool(n_negative) and (odd or not n_active))


def shuffled(drawn: list[Drawn], seed: int) -> list[Drawn]:
    """In the order they are rated in, the same for every rater."""
    return sorted(drawn, key=lambda each: _hash(seed, "order", each.address))


def able_to_rate(workspace: Workspace, by: User) -> list[User]:
    """Who may be asked to rate its latents: those who may write there, and whoever asks."""
    members = User.objects.filter(memberships__workspace=workspace)
    people = {person.pk: person for person in [by, *members]}
    return sorted(
        (
            each
            for each in people.values()
            if may(Action.RATE, workspace, Reader(each, sees_all=each.is_superuser))
        ),
        key=lambda each: each.get_username(),
    )


def close(session: RatingSession, by: User | None = None) -> None:
    """End the rating and tell the sources; by nobody: everybody had rated everything."""
    still_open = RatingSession.objects.filter(pk=session.pk, closed_at=None)
    still_open.update(closed_at=timezone.now(), closed_by=by)


def close_when_rated(session: RatingSession) -> None:
    """End it once every rater submitted every latent."""
    for rater in session.raters.all():
        rated = rater.ratings.filter(latent__session=session, submitted_at__isnull=False)
        if rated.count() < session.latents.count():
            return
    close(session)


def _write(session: RatingSession, latents: list[Drawn]) -> None:
    RatedLatent.objects.bulk_create(
        RatedLatent(
            session=session,
            number=number,
            dictionary=each.run.dictionary,
            index=each.index,
            is_negative=each.is_negative,
            run_key=each.run.key,
        )
        for number, each in enumerate(latents, 1)
    )


def _check(asked: Asked, name: str) -> None:
    if not name:
        raise AnnotateError("Give the session a name.")
    if not 0 <= asked.seed <= _LARGEST_SEED:
        raise AnnotateError(f"The seed is a whole number from 0 to {_LARGEST_SEED}.")
    if not asked.dictionaries:
        raise AnnotateError("Choose one dictionary or more.")
    if not 0 < asked.count <= MOST_LATENTS:
        raise AnnotateError(f"Choose 1 to {MOST_LATENTS} latents of each dictionary.")
    if not asked.raters:
        raise AnnotateError("Choose who rates.")


def _runs(dictionaries: list[Dictionary]) -> list[Run]:
    """The run of each dictionary. Raises: AnnotateError when a rater could tell them apart."""
    runs = [_run(each) for each in dictionaries]
    if len({run.corpus_id for run in runs}) > 1:
        raise AnnotateError(
            "Their runs read different texts, which would tell them apart. "
            "Choose dictionaries with runs over the same corpus."
        )
    return runs


def _run(dictionary: Dictionary) -> Run:
    runs = Run.objects.readable().filter(dictionary=dictionary)
    run = runs.select_related("dictionary__model").order_by("published_at").last()
    if run is None:
        raise AnnotateError(f"{dictionary} has no published run.")
    _refuse_without_logits(run)
    return run


def _refuse_without_logits(run: Run) -> None:
    try:
        logits = run.dashboard(0).shown_logits
    except StoreError as error:
        raise AnnotateError(f"The run of {run.dictionary} cannot be read.") from error
    if logits is None:
        raise AnnotateError(f"{run.dictionary} has no logit weights, which the rubric asks about.")


def _hash(seed: int, purpose: str, address: str) -> bytes:
    return blake2b(f"{seed}\n{purpose}\n{address}".encode(), digest_size=16).digest()
