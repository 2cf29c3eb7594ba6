"""Routes of what people write: explanations, comments, tags, lists."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router
from ninja.errors import HttpError
from ninja.responses import Status

from featureviz.annotate import comments, explanations, lists
from featureviz.annotate.explanations import CollisionError, Signature
from featureviz.annotate.models import Comment, Explanation, LatentList, ListEntry, Tag
from featureviz.annotate.record import explanation_record
from featureviz.browse.lists import as_json, lines, writable_workspaces
from featureviz.browse.rest import schemas
from featureviz.browse.rest.access import signed_in, writer
from featureviz.browse.rest.reading import latent_or_404
from featureviz.catalog.models import Dictionary, Membership, Run
from featureviz.catalog.permissions import Action

router = Router()
_LATENT = "/v1/latents/{model:model}/{name:dictionary}/{index:index}"
_SAID = "/v1/explanations/{index:id}"
_TALK = "/v1/comments/{index:id}"
_LIST = "/v1/lists/{index:id}"
_ENTRY = "/v1/lists/{index:id}/latents/{model:model}/{name:dictionary}/{index:index}"
_MOST = 1000


@router.get("/v1/me", response=schemas.PersonOut, tags=["You"], summary="Who you are")
def me(request: HttpRequest) -> dict[str, Any]:
    """Your name, and your roles in workspaces."""
    members = Membership.objects.filter(user=request.user.pk).select_related("workspace")
    return {
        "name": request.user.get_username() or None,
        "workspaces": {each.workspace.slug: each.get_role_display() for each in members},
    }


@router.get(
    f"{_LATENT}/explanations",
    response=list[schemas.ExplanationOut],
    tags=["Explanations"],
    summary="Explanations of a latent",
)
def of_latent(request: HttpRequest, model: str, dictionary: str, index: int) -> Any:
    """Those that stand, the pinned one first."""
    latent = latent_or_404(model, dictionary, index)
    said = Explanation.objects.standing().of(latent.run.dictionary, latent.index)
    return [_explanation(each) for each in said.voted()]


@router.post(
    f"{_LATENT}/explanations",
    response={201: schemas.ExplanationOut},
    tags=["Explanations"],
    summary="Explain a latent",
)
def explain(
    request: HttpRequest, model: str, dictionary: str, index: int, body: schemas.ExplanationIn
) -> Any:
    """Add an explanation; the first of a latent is pinned."""
    latent = latent_or_404(model, dictionary, index)
    by = Signature(writer(request, Action.EXPLAIN, latent))
    made = explanations.write(latent.run.dictionary, latent.index, body.text, by)
    return Status(201, _explanation(_said(request, made.pk)))


@router.get(
    _SAID, response=schemas.ExplanationOut, tags=["Explanations"], summary="One explanation"
)
def explanation(request: HttpRequest, id: int) -> Any:
    """An explanation as it stands."""
    return _explanation(_said(request, id))


@router.put(
    _SAID,
    response={200: schemas.ExplanationOut, 409: schemas.Collision},
    tags=["Explanations"],
    summary="Edit an explanation",
)
def edit(request: HttpRequest, id: int, body: schemas.EditIn) -> Any:
    """Change the text read at `version`; 409 gives what stands when it was changed since."""
    said = _said(request, id)
    by = Signature(writer(request, Action.EDIT, said))
    try:
        explanations.edit(said, body.text, by, version=body.version)
    except CollisionError as collision:
        standing = _explanation(_said(request, id))
        return Status(409, {"error": str(collision), "standing": standing, "yours": collision.text})
    return _explanation(_said(request, id))


@router.delete(
    _SAID, response={204: None}, tags=["Explanations"], summary="Withdraw an explanation"
)
def withdraw(request: HttpRequest, id: int) -> Any:
    """Take it off the page; it is kept, with its history."""
    said = _said(request, id)
    writer(request, Action.WITHDRAW, said)
    explanations.withdraw(said)
    return Status(204, None)


@router.get(
    f"{_SAID}/versions",
    response=list[schemas.VersionOut],
    tags=["Explanations"],
    summary="History of an explanation",
)
def versions(request: HttpRequest, id: int) -> Any:
    """Every text it has had, oldest first."""
    return [
        {
            "number": each.number,
            "text": each.text,
            "author": each.author.get_username() if each.author else None,
            "model": each.model_name or None,
            "created_at": each.created_at,
        }
        for each in _said(request, id).versions.select_related("author")
    ]


@router.put(f"{_SAID}/vote", response=schemas.ExplanationOut, tags=["Explanations"], summary="Vote")
def vote(request: HttpRequest, id: int, body: schemas.VoteIn) -> Any:
    """Agree, disagree, or take the vote back."""
    said = _said(request, id)
    explanations.vote(said, writer(request, Action.VOTE, said), body.agrees)
    return _explanation(_said(request, id))


@router.put(f"{_SAID}/pin", response=schemas.ExplanationOut, tags=["Explanations"], summary="Pin")
def pin(request: HttpRequest, id: int) -> Any:
    """Let it head the latent's page."""
    said = _said(request, id)
    writer(request, Action.PIN, said)
    explanations.pin(said)
    return _explanation(_said(request, id))


@router.delete(
    f"{_SAID}/pin", response=schemas.ExplanationOut, tags=["Explanations"], summary="Unpin"
)
def unpin(request: HttpRequest, id: int) -> Any:
    """Let no explanation head the page."""
    said = _said(request, id)
    writer(request, Action.PIN, said)
    explanations.unpin(said)
    return _explanation(_said(request, id))


@router.get(
    f"{_LATENT}/comments",
    response=list[schemas.CommentOut],
    tags=["Comments"],
    summary="Comments on a latent",
)
def talk(request: HttpRequest, model: str, dictionary: str, index: int) -> Any:
    """All threads, oldest first."""
    latent = latent_or_404(model, dictionary, index)
    found = Comment.objects.standing().of(latent.run.dictionary, latent.index)
    return [_comment(each) for each in found.select_related("dictionary__model", "author")]


@router.post(
    f"{_LATENT}/comments",
    response={201: schemas.CommentOut},
    tags=["Comments"],
    summary="Comment on a latent",
)
def comment(
    request: HttpRequest, model: str, dictionary: str, index: int, body: schemas.CommentIn
) -> Any:
    """Begin a thread, or answer in one."""
    latent = latent_or_404(model, dictionary, index)
    author = writer(request, Action.COMMENT, latent)
    if body.thread is None:
        place = comments.Place(latent.run.dictionary, latent.index, body.place, body.token)
        return Status(201, _comment(comments.write(place, body.text, author)))
    begun = Comment.objects.standing().of(latent.run.dictionary, latent.index)
    thread = get_object_or_404(begun.filter(thread=None), pk=body.thread)
    return Status(201, _comment(comments.answer(thread, body.text, author)))


@router.delete(_TALK, response={204: None}, tags=["Comments"], summary="Withdraw a comment")
def withdraw_comment(request: HttpRequest, id: int) -> Any:
    """Take it off the page; it is kept."""
    found = _one_comment(request, id)
    writer(request, Action.WITHDRAW, found)
    comments.withdraw(found)
    return Status(204, None)


@router.put(
    f"{_TALK}/resolved", response=schemas.CommentOut, tags=["Comments"], summary="Settle a thread"
)
def resolve(request: HttpRequest, id: int, body: schemas.ResolvedIn) -> Any:
    """Say that a thread is settled, or that it is not."""
    found = _one_comment(request, id)
    user = writer(request, Action.RESOLVE, found)
    if body.resolved:
        comments.resolve(found, user)
    else:
        comments.reopen(found)
    return _comment(_one_comment(request, id))


@router.get(
    f"{_LATENT}/tags", response=list[schemas.TagOut], tags=["Tags"], summary="Tags of a latent"
)
def tags(request: HttpRequest, model: str, dictionary: str, index: int) -> Any:
    """The words on it."""
    latent = latent_or_404(model, dictionary, index)
    return _tags(Tag.objects.filter(dictionary=latent.run.dictionary, index=latent.index))


@router.put(
    f"{_LATENT}/tags/{{str:name}}",
    response=list[schemas.TagOut],
    tags=["Tags"],
    summary="Tag a latent",
)
def tag(request: HttpRequest, model: str, dictionary: str, index: int, name: str) -> Any:
    """Put a word on it; twice is once."""
    latent = latent_or_404(model, dictionary, index)
    user = writer(request, Action.TAG, latent)
    lists.tag(latent.run.dictionary, latent.index, name, user)
    return _tags(Tag.objects.filter(dictionary=latent.run.dictionary, index=latent.index))


@router.delete(
    f"{_LATENT}/tags/{{str:name}}", response={204: None}, tags=["Tags"], summary="Untag a latent"
)
def untag(request: HttpRequest, model: str, dictionary: str, index: int, name: str) -> Any:
    """Take a word off it."""
    latent = latent_or_404(model, dictionary, index)
    user = writer(request, Action.TAG, latent)
    lists.untag(latent.run.dictionary, latent.index, _storable(name), user)
    return Status(204, None)


@router.get(
    "/v1/tags/{str:name}", response=list[schemas.TagOut], tags=["Tags"], summary="Latents by tag"
)
def tagged(request: HttpRequest, name: str) -> Any:
    """The latents with a tag, at most a thousand."""
    readable = Dictionary.objects.filter(pk__in=Run.objects.readable().values("dictionary"))
    return _tags(Tag.objects.filter(name=_storable(name), dictionary__in=readable))


@router.get("/v1/lists", response=list[schemas.ListOut], tags=["Lists"], summary="Lists")
def all_lists(request: HttpRequest) -> Any:
    """Yours, and those of workspaces you read."""
    found = LatentList.objects.readable(request.user).select_related("owner", "workspace")
    return [_list(each) for each in found]


@router.post("/v1/lists", response={201: schemas.ListOut}, tags=["Lists"], summary="New list")
def new_list(request: HttpRequest, body: schemas.ListIn) -> Any:
    """An empty list."""
    user = signed_in(request)
    workspace = None
    if body.workspace is not None:
        writable = {each.slug: each for each in writable_workspaces()}
        workspace = writable.get(body.workspace)
        if workspace is None:
            raise HttpError(404, "There is no workspace at this address that you write in.")
    return Status(201, _list(lists.create(body.name, user, workspace)))


@router.get(_LIST, response=schemas.ListedOut, tags=["Lists"], summary="One list")
def one_list(request: HttpRequest, id: int) -> Any:
    """A list with those of its latents that you may read."""
    found = _one_list(request, id)
    return {"id": found.pk, **as_json(found, lines(found))}


@router.post(
    f"{_LIST}/latents", response=schemas.ListedOut, tags=["Lists"], summary="Put a latent in"
)
def put(request: HttpRequest, id: int, body: schemas.EntryIn) -> Any:
    """Add a latent, or change its note or place."""
    found = _one_list(request, id)
    user = writer(request, Action.EDIT, found)
    latent = latent_or_404(*_named(body.latent))
    entry = lists.add(found, latent.run.dictionary, latent.index, user)
    if body.note is not None:
        lists.note(entry, body.note)
    if body.place is not None:
        lists.move(ListEntry.objects.get(pk=entry.pk), body.place)
    return one_list(request, id)


@router.delete(_ENTRY, response={204: None}, tags=["Lists"], summary="Take a latent out")
def take_out(request: HttpRequest, id: int, model: str, dictionary: str, index: int) -> Any:
    """Remove it from the list."""
    found = _one_list(request, id)
    writer(request, Action.EDIT, found)
    latent = latent_or_404(model, dictionary, index)
    entry = get_object_or_404(found.entries, dictionary=latent.run.dictionary, index=index)
    lists.remove(entry)
    return Status(204, None)


def _said(request: HttpRequest, pk: int) -> Explanation:
    readable = Explanation.objects.readable(request.user).select_related(
        "author", "dictionary__model", "dictionary__workspace"
    )
    return get_object_or_404(readable.voted(), pk=pk)


def _one_comment(request: HttpRequest, pk: int) -> Comment:
    readable = Comment.objects.readable(request.user)
    return get_object_or_404(
        readable.select_related("author", "dictionary__model", "dictionary__workspace"), pk=pk
    )


def _one_list(request: HttpRequest, pk: int) -> LatentList:
    readable = LatentList.objects.readable(request.user).select_related("owner", "workspace")
    return get_object_or_404(readable, pk=pk)


def _explanation(said: Explanation) -> dict[str, Any]:
    return explanation_record(said) | {"latent": f"{said.dictionary}/{said.index}"}


def _comment(said: Comment) -> dict[str, Any]:
    return {
        "id": said.pk,
        "latent": f"{said.dictionary}/{said.index}",
        "author": said.signature,
        "text": said.text,
        "place": said.place,
        "token": said.token,
        "thread": said.thread_id,
        "created_at": said.created_at,
        "resolved_at": said.resolved_at,
    }


def _tags(found: QuerySet[Tag]) -> list[dict[str, Any]]:
    rows = found.filter(removed_at=None).select_related("author", "dictionary__model")
    return [
        {
            "latent": f"{each.dictionary}/{each.index}",
            "name": each.name,
            "author": each.author.get_username(),
            "created_at": each.created_at,
        }
        for each in rows[:_MOST]
    ]


def _list(found: LatentList) -> dict[str, Any]:
    return {
        "id": found.pk,
        "name": found.name,
        "owner": found.owner.get_username(),
        "workspace": found.workspace.slug if found.workspace else None,
    }


def _named(address: str) -> tuple[str, str, int]:
    model, _, rest = address.partition("/")
    dictionary, _, index = rest.partition("/")
    if not (index.isascii() and index.isdigit() and len(index) < 10):
        raise HttpError(422, "A latent is named <model>/<dictionary>/<index>.")
    return _storable(model), _storable(dictionary), int(index)


def _storable(text: str) -> str:
    """A text that a database can be asked for. Raises: Http404."""
    if "\0" in text:
        raise Http404
    return text
