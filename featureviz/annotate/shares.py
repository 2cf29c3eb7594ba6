"""Share links: what an address opens, who may make a link to it, what following one grants."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.urls import Resolver404, resolve
from django.utils import timezone

from featureviz.annotate.models import LatentList, ShareLink, ShareTarget
from featureviz.annotate.roles import role_at, standing
from featureviz.annotate.texts import AnnotateError
from featureviz.catalog.addresses import current_run, find_latent
from featureviz.catalog.models import NAME_PATTERN, Dictionary
from featureviz.catalog.permissions import Action, Kind, Role, allows
from featureviz.catalog.reading import Grant, Reader, reader

ROLES = {
    ShareLink.Scope.READ: Role.READER,
    ShareLink.Scope.COMMENT: Role.COMMENTER,
    ShareLink.Scope.ANNOTATE: Role.ANNOTATOR,
}
_LONGEST = 2000  # characters of an address
_MOST_DAYS = 3650
_MOST_GUESSES, _GUESSING_SECONDS = 20, 600  # in one web process
_LATENT = re.compile(rf"({NAME_PATTERN})/({NAME_PATTERN})/([0-9]{{1,9}})")


@dataclass(frozen=True, slots=True)
class Target:
    """What an address shows: a latent, a whole dictionary, or a list."""

    dictionary: Dictionary | None = None
    index: int | None = None
    list: LatentList | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How a link may be used."""

    scope: str
    days: int | None = None  # until it is over; none: never
    password: str = ""


class NothingThereError(AnnotateError):
    """The address leads nowhere, or to what may not be read."""


def targets_of(address: str) -> list[Target]:
    """What an address shows, of what the reader may see.

    A search within one dictionary shows that; one everywhere shows nothing of its own.
    Raises: NothingThereError.
    """
    parts = urlsplit(address)
    if not parts.path.startswith("/") or parts.netloc or len(address) > _LONGEST:
        raise NothingThereError("This is no address of this site.")
    try:
        resolved = resolve(parts.path)
    except Resolver404 as error:
        raise NothingThereError("There is nothing at this address.") from error
    named = resolved.kwargs
    if resolved.url_name in ("list", "list-data"):
        found = LatentList.objects.readable(reader().user).filter(pk=named["pk"]).first()
        if found is None:
            raise NothingThereError("There is nothing at this address.")
        return [Target(list=found)]
    if "dictionary" in named:
        return [_named(named["model"], named["dictionary"], named.get("index"))]
    if resolved.url_name in ("search", "by-text"):
        model, _, dictionary = dict(parse_qsl(parts.query)).get("where", "").partition("/")
        return [_named(model, dictionary, None)] if dictionary else []
    compared = (_LATENT.fullmatch(value) for _, value in parse_qsl(parts.query))
    return [_named(*match.groups()) for match in compared if match]


def may_share(target: Target, by: Reader) -> bool:
    """Whether somebody may make a link to it."""
    if target.list:
        _, role, is_own = standing(target.list, by)
        return allows(role, Action.SHARE, Kind.LIST, is_own=is_own)
    if target.dictionary is None:
        return False
    kind = Kind.DICTIONARY if target.index is None else Kind.LATENT
    return allows(role_at(target.dictionary, target.index, by), Action.SHARE, kind)


@transaction.atomic
def create(address: str, targets: list[Target], terms: Terms, by: User) -> ShareLink:
    """A link to an address. Raises: AnnotateError."""
    if terms.scope not in ShareLink.Scope.values:
        raise AnnotateError("Choose what the link allows.")
    if terms.days is not None and not 0 < terms.days <= _MOST_DAYS:
        raise AnnotateError(f"Choose 1 to {_MOST_DAYS} days, or none.")
    over = timezone.now() + timedelta(days=terms.days) if terms.days else None
    link = ShareLink.objects.create(
        address=address,
        scope=terms.scope,
        password=make_password(terms.password) if terms.password else "",
        created_by=by,
        expires_at=over,
    )
    ShareTarget.objects.bulk_create(
        ShareTarget(link=link, dictionary=each.dictionary, index=each.index, list=each.list)
        for each in targets
    )
    return link


def found(token: str) -> ShareLink | None:
    """The link with this token that still leads somewhere."""
    return ShareLink.objects.open().filter(token=token).first()


def opens(link: ShareLink, password: str) -> bool:
    """Whether a password is the link's; one without lets everybody in.

    Raises: AnnotateError after too many guesses by anybody.
    """
    if not link.password or not password:
        return not link.password
    tries = f"share-{link.pk}-tries"
    cache.add(tries, 0, _GUESSING_SECONDS)
    if cache.incr(tries) > _MOST_GUESSES:
        raise AnnotateError("Too many passwords were tried. Wait ten minutes.")
    return check_password(password, link.password)


def count(link: ShareLink) -> None:
    """Count an opening."""
    ShareLink.objects.filter(pk=link.pk).update(n_opened=F("n_opened") + 1)


def revoke(link: ShareLink) -> None:
    """Close it, for those too who came by it."""
    ShareLink.objects.filter(pk=link.pk).update(revoked_at=timezone.now())


@dataclass(frozen=True, slots=True)
class Opened:
    """What somebody may see by the links they followed."""

    grants: tuple[Grant, ...] = ()
    lists: tuple[int, ...] = ()


def opened(tokens: list[str]) -> Opened:
    """What links give to whoever followed them, as long as those who made them still may."""
    if not tokens:
        return Opened()
    links = ShareLink.objects.open().filter(token__in=tokens).select_related("created_by")
    allowed = [
        (link, each, maker)
        for link in links.prefetch_related("targets__dictionary__workspace", "targets__list")
        for maker in [Reader(link.created_by, sees_all=link.created_by.is_superuser)]
        for each in link.targets.all()
        if may_share(Target(each.dictionary, each.index, each.list), maker)
    ]
    grants = [grant for each in allowed for grant in _grants(*each)]
    return Opened(tuple(grants), tuple(each.list_id for _, each, _ in allowed if each.list_id))


def _grants(link: ShareLink, target: ShareTarget, maker: Reader) -> Iterator[Grant]:
    role = ROLES[ShareLink.Scope(link.scope)]
    if target.dictionary_id:
        yield Grant(target.dictionary_id, target.index, role)
    elif target.list:
        for each in target.list.entries.select_related("dictionary__workspace"):
            if may_share(Target(each.dictionary, each.index), maker):
                yield Grant(each.dictionary_id, each.index, role)


def _named(model: str, dictionary: str, index: str | None) -> Target:
    if index is None:
        run = current_run(model, dictionary)
        if run:
            return Target(run.dictionary, None)
    elif latent := find_latent(model, dictionary, int(index)):
        return Target(latent.run.dictionary, latent.index)
    raise NothingThereError("There is nothing at this address.")
