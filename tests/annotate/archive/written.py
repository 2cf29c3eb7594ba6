"""A site where people wrote of everything there is to write."""

import msgspec
from django.contrib.auth.models import User
from django.utils import timezone

from featureviz.annotate import comments, explanations, lists, shares, workspaces
from featureviz.annotate.archive.writing import lines
from featureviz.annotate.explanations import Signature
from featureviz.annotate.models import (
    Comment,
    Explanation,
    ExplanationVersion,
    LatentList,
    ShareLink,
    ShareTarget,
    Star,
    Tag,
)
from featureviz.annotate.rating_models import RatedLatent, Rating, RatingSession
from featureviz.catalog.models import Dictionary, Workspace


def write_of_everything(dictionary: Dictionary, people: dict[str, User]) -> None:
    """Two voices on some latents, in every state that is kept."""
    alice, bob = people["alice"], people["bob"]
    team = workspaces.create("Digits & dates", alice)
    workspaces.join(workspaces.invite(team, 3, alice), bob)
    workspaces.move(dictionary, team)
    said = explanations.write(dictionary, 3, "Digits, as @demo/sae/1 \u0641\u064a", Signature(bob))
    explanations.edit(said, "Digits\nin *dates* @demo/sae/2", Signature(alice), version=1)
    explanations.vote(said, alice, agrees=False)
    explanations.vote(said, bob, agrees=True)
    other = explanations.write(dictionary, 3, "Numbers", Signature(model_name="llama-3-8b"))
    explanations.pin(other)
    explanations.withdraw(explanations.write(dictionary, 4, "Wrong", Signature(bob)))
    talk = comments.write(comments.Place(dictionary, 3, "1.4", 2), "Sure? @demo/sae/5", bob)
    comments.answer(talk, "Yes @bob", alice)
    comments.resolve(talk, alice)
    comments.withdraw(comments.write(comments.Place(dictionary, 5), "No", alice))
    lists.tag(dictionary, 3, "dates", bob)
    lists.untag(dictionary, 3, "dates", alice)
    lists.tag(dictionary, 3, "dates", alice)
    lists.star(dictionary, 6, bob, is_on=True)
    kept = lists.create("Dates", bob, team)
    lists.note(lists.add(kept, dictionary, 3, bob), "Why")
    lists.add(kept, dictionary, 1, alice)
    lists.create("Mine", alice)
    _share(dictionary, kept, bob)
    _rate(dictionary, team, bob, alice)


def _share(dictionary: Dictionary, kept: LatentList, bob: User) -> None:
    of_latent = [shares.Target(dictionary, 3)]
    shares.create("/demo/sae/3?group=all", of_latent, shares.Terms("comment", 7, "word"), bob)
    shares.create("/demo/sae/", [shares.Target(dictionary)], shares.Terms("read"), bob)
    listed = shares.create(
        f"/lists/{kept.pk}", [shares.Target(list=kept)], shares.Terms("read"), bob
    )
    shares.revoke(listed)


def _rate(dictionary: Dictionary, team: Workspace, bob: User, alice: User) -> None:
    session = RatingSession.objects.create(name="Ours", seed=7, workspace=team, created_by=bob)
    session.raters.set([bob, alice])
    key = dictionary.runs.get().key
    first, second = (
        RatedLatent.objects.create(
            session=session, number=number, dictionary=dictionary, index=index, run_key=key
        )
        for number, index in ((1, 4), (2, 2))
    )
    Rating.objects.create(latent=first, rater=bob, hypothesis="Draft", tokens={"top": 1})
    Rating.objects.create(
        latent=second,
        rater=alice,
        hypothesis="Digits",
        confidence=2,
        logits=1,
        gap=0,
        specificity=1,
        tokens={"top": 2, "i7": 1},
        submitted_at=timezone.now(),
    )
    Rating.objects.create(latent=second, rater=bob, hypothesis="Dates")


def forget_everything() -> None:
    """All that people wrote is gone, and they are; dictionaries stay, where new ones go."""
    RatingSession.objects.all().delete()
    ShareTarget.objects.all().delete()
    ExplanationVersion.objects.all().delete()
    Comment.objects.exclude(thread=None).delete()
    for model in (ShareLink, LatentList, Explanation, Comment, Tag, Star):
        model._default_manager.all().delete()
    public, _ = Workspace.objects.get_or_create(
        slug="public", defaults={"name": "Public", "visibility": "public"}
    )
    Dictionary.objects.update(workspace=public)
    Workspace.objects.exclude(pk=public.pk).delete()
    User.objects.all().delete()


def archived() -> list[bytes]:
    """The lines of an archive of this site."""
    return [msgspec.json.encode(each) for each in lines()]
