"""The table of who may do what holds at every address, and what may not be read is not there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from featureviz.annotate import comments, explanations, lists, sessions, shares, workspaces
from featureviz.annotate.explanations import Signature
from featureviz.catalog.models import Run, Workspace
from featureviz.catalog.permissions import TABLE, Action, Kind, Role, allows
from tests.people import at_address

pytestmark = pytest.mark.django_db
ROLES = {
    "alice": Role.OWNER,
    "edith": Role.EDITOR,
    "bob": Role.ANNOTATOR,
    "rita": Role.READER,
    "charlie": Role.NOBODY,
    "nobody": Role.NOBODY,
}
LATENT = "/demo/sae/3"
SAID = f"{LATENT}/explanations"
TALK = f"{LATENT}/comments"
API = "/api/v1/latents/demo/sae/3"


@dataclass(frozen=True)
class Ask:
    """A request, and the row of the table that decides it."""

    kind: Kind
    action: Action
    path: str
    data: Mapping[str, object] | None = None  # posted; none: read
    own: frozenset[str] = field(default_factory=frozenset)  # whose object it is
    method: str = ""  # of the API

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.method} {self.path}"


def of_bob(act: str, **data: object) -> Ask:
    action = {"edit": Action.EDIT, "restore": Action.EDIT, "vote": Action.VOTE}
    action |= {"pin": Action.PIN, "unpin": Action.PIN}
    chosen = action.get(act, Action.WITHDRAW)
    return Ask(Kind.EXPLANATION, chosen, f"{SAID}/{{said}}/{act}", data, frozenset({"bob"}))


ASKS = [
    *[
        Ask(Kind.LATENT, Action.READ, path)
        for path in (
            LATENT,
            f"{LATENT}.json",
            f"{LATENT}/card",
            "/api/feature/demo/sae/3",
            API,
            f"{API}/explanations",
            f"{API}/comments",
            f"{API}/tags",
        )
    ],
    *[
        Ask(Kind.DICTIONARY, Action.READ, path)
        for path in (
            "/demo/",
            "/demo/sae/",
            "/demo/sae/health",
            "/demo/sae/random",
            "/api/v1/dictionaries/demo/sae",
            "/api/v1/latents/demo/sae",
        )
    ],
    Ask(
        Kind.DICTIONARY,
        Action.MANAGE,
        "/workspaces/of-{who}/change",
        {"do": "move", "dictionary": "{dictionary}"},
    ),
    Ask(Kind.RUN, Action.READ, "/runs/{run}/"),
    Ask(Kind.RUN, Action.READ, "/runs/{run}/live"),
    Ask(Kind.RUN, Action.CONTROL, "/runs/{run}/cancel", {}),
    Ask(Kind.WORKSPACE, Action.READ, "/workspaces/the-team/"),
    Ask(Kind.WORKSPACE, Action.MANAGE, "/workspaces/the-team/change", {"do": "renew"}),
    Ask(Kind.LATENT, Action.EXPLAIN, SAID, {"text": "Digits"}),
    Ask(Kind.EXPLANATION, Action.READ, f"{SAID}/{{said}}"),
    of_bob("edit", text="Other", version=1),
    of_bob("restore", number=1, version=1),
    of_bob("vote", agree="yes"),
    of_bob("pin"),
    of_bob("unpin"),
    of_bob("withdraw"),
    of_bob("take-back"),
    Ask(Kind.LATENT, Action.COMMENT, TALK, {"text": "Why?"}),
    Ask(Kind.LATENT, Action.COMMENT, TALK, {"text": "Because.", "thread": "{talk}"}),
    Ask(Kind.COMMENT, Action.RESOLVE, f"{TALK}/{{talk}}/resolve", {}, frozenset({"bob"})),
    Ask(Kind.COMMENT, Action.RESOLVE, f"{TALK}/{{talk}}/reopen", {}, frozenset({"bob"})),
    Ask(Kind.COMMENT, Action.WITHDRAW, f"{TALK}/{{talk}}/withdraw", {}, frozenset({"bob"})),
    Ask(Kind.COMMENT, Action.WITHDRAW, f"{TALK}/{{talk}}/take-back", {}, frozenset({"bob"})),
    Ask(Kind.LATENT, Action.TAG, f"{LATENT}/mark/tag", {"tag": "dates"}),
    Ask(Kind.LATENT, Action.TAG, f"{LATENT}/mark/untag", {"tag": "dates"}),
    *[
        Ask(Kind.LIST, Action.READ, path, own=frozenset({"bob"}))
        for path in ("/lists/{list}", "/lists/{list}.csv", "/lists/{list}.json")
    ],
    *[
        Ask(
            Kind.LIST,
            Action.EDIT,
            "/lists/{list}/change",
            {"entry": "{entry}", **change},
            frozenset({"bob"}),
        )
        for change in (
            {"do": "note", "note": "Why"},
            {"do": "move", "place": "1"},
            {"do": "remove"},
        )
    ],
    Ask(
        Kind.LIST,
        Action.SHARE,
        "/s/",
        {"address": "/lists/{list}", "scope": "read"},
        frozenset({"bob"}),
    ),
    Ask(Kind.LATENT, Action.SHARE, "/s/", {"address": LATENT, "scope": "read"}),
    Ask(Kind.DICTIONARY, Action.SHARE, "/s/", {"address": "/demo/sae/", "scope": "read"}),
    Ask(Kind.SHARE, Action.READ, "/s/link/{share}", own=frozenset({"bob"})),
    Ask(Kind.SHARE, Action.WITHDRAW, "/s/link/{share}/revoke", {}, frozenset({"bob"})),
    Ask(
        Kind.WORKSPACE,
        Action.RATE,
        "/rate/",
        {"workspace": "the-team", "name": "Ours", "dictionary": "{dictionary}", "count": 1},
    ),
    Ask(Kind.WORKSPACE, Action.RATE, f"{LATENT}/rate", {}),
    *[
        Ask(Kind.SESSION, Action.READ, path)
        for path in (
            "/rate/{session}/",
            "/rate/{closed}/report",
            "/rate/{closed}/report.csv",
            "/rate/{closed}/report.json",
        )
    ],
    Ask(Kind.SESSION, Action.RATE, "/rate/{session}/1"),
    Ask(Kind.SESSION, Action.RATE, "/rate/{session}/1", {"do": "draft"}),
    Ask(Kind.SESSION, Action.RATE, "/rate/{session}/1", {"do": "submit", "none": "on"}),
    Ask(Kind.SESSION, Action.MANAGE, "/rate/{session}/close", {}, frozenset({"bob"})),
    *[
        Ask(kind, action, f"/api/v1/{path}", data, frozenset({"bob"}), method)
        for kind, action, method, path, data in (
            (Kind.EXPLANATION, Action.READ, "get", "explanations/{said}", {}),
            (Kind.EXPLANATION, Action.READ, "get", "explanations/{said}/versions", {}),
            (
                Kind.EXPLANATION,
                Action.EDIT,
                "put",
                "explanations/{said}",
                {"text": "Other", "version": 1},
            ),
            (Kind.EXPLANATION, Action.VOTE, "put", "explanations/{said}/vote", {"agrees": True}),
            (Kind.EXPLANATION, Action.PIN, "put", "explanations/{said}/pin", {}),
            (Kind.EXPLANATION, Action.PIN, "delete", "explanations/{said}/pin", {}),
            (Kind.EXPLANATION, Action.WITHDRAW, "delete", "explanations/{said}", {}),
            (Kind.COMMENT, Action.RESOLVE, "put", "comments/{talk}/resolved", {"resolved": True}),
            (Kind.COMMENT, Action.WITHDRAW, "delete", "comments/{talk}", {}),
            (Kind.LIST, Action.READ, "get", "lists/{list}", {}),
            (Kind.LIST, Action.EDIT, "post", "lists/{list}/latents", {"latent": "demo/sae/3"}),
            (Kind.LIST, Action.EDIT, "delete", "lists/{list}/latents/demo/sae/3", {}),
        )
    ],
    *[
        Ask(Kind.LATENT, action, f"{API}/{path}", data, method=method)
        for action, method, path, data in (
            (Action.EXPLAIN, "post", "explanations", {"text": "Digits"}),
            (Action.COMMENT, "post", "comments", {"text": "Why?"}),
            (Action.TAG, "put", "tags/dates", {}),
            (Action.TAG, "delete", "tags/dates", {}),
        )
    ],
]


@pytest.fixture
def names(team, people):
    """What the addresses of the walk name."""
    dictionary = team.dictionaries.get()
    said = explanations.write(dictionary, 3, "Digits", Signature(people["bob"]))
    for name, person in people.items():
        at_address(workspaces.create(name, person), f"of-{name}")
    talk = comments.write(comments.Place(dictionary, 3), "Sure?", people["bob"])
    run = dictionary.runs.get()
    target = shares.Target(dictionary, 3)
    share = shares.create(LATENT, [target], shares.Terms("read"), people["bob"])
    kept = lists.create("Dates", people["bob"], team)
    entry = lists.add(kept, dictionary, 3, people["bob"])
    asked = sessions.Asked("Blind", 0, team, [dictionary], 1, [*people.values()])
    rated, closed = (sessions.create(asked, people["bob"]) for _ in range(2))
    sessions.close(closed)
    pks = {
        "session": rated.pk,
        "closed": closed.pk,
        "list": kept.pk,
        "entry": entry.pk,
        "said": said.pk,
        "talk": talk.pk,
        "share": share.pk,
        "dictionary": dictionary.pk,
    }
    return {"run": run.key[:12], **pks}


def answer(ask: Ask, who: str, browser, names: dict[str, object]):
    """What somebody gets."""
    path = ask.path.format(who=who, **names)
    if ask.method:
        sent = {} if ask.method == "get" else {"content_type": "application/json"}
        return getattr(browser, ask.method)(path, ask.data, **sent)
    if ask.data is None:
        return browser.get(path)
    return browser.post(path, {key: str(at).format(**names) for key, at in ask.data.items()})


def may_read(role: Role, kind: Kind, *, is_own: bool) -> bool:
    """Whether somebody may know that it is there; as its latent, where the table says no more."""
    known = (kind, Action.READ) in TABLE
    return allows(role, Action.READ, kind if known else Kind.LATENT, is_own=is_own)


@pytest.mark.parametrize("who", ROLES)
@pytest.mark.parametrize("ask", ASKS, ids=str)
def test_the_table_decides_at_every_address(names, browsers, ask, who):
    role, is_own = ROLES[who], who in ask.own
    reply = answer(ask, who, browsers[who], names)
    if who == "nobody" and ask.path == "/s/":
        assert "/accounts/login/" in reply.headers["Location"]
    elif not may_read(role, ask.kind, is_own=is_own):
        assert reply.status_code == 404
    elif allows(role, ask.action, ask.kind, is_own=is_own):
        assert reply.status_code in (200, 201, 204, 302)
    else:
        assert reply.status_code == 403


@pytest.mark.parametrize("who", ["charlie", "nobody"])
@pytest.mark.parametrize("ask", ASKS, ids=str)
def test_what_may_not_be_read_answers_as_what_is_not_there(names, browsers, ask, who):

    def seen():
        reply = answer(ask, who, browsers[who], names)
        return reply.status_code, re.sub(r'value="\w{64}"', "", reply.content.decode())

    hidden = seen()
    if who == "nobody" and ask.path == "/s/":
        assert hidden[0] == 302  # to sign in, whatever is asked for
        return
    Run.objects.all().delete()
    Workspace.objects.filter(slug="the-team").update(slug="gone")
    assert seen() == hidden
    assert hidden[0] == 404


def test_every_row_of_the_table_is_walked():
    asked = {(ask.kind, ask.action) for ask in ASKS}
    assert set(TABLE) - asked == set()


def patterns(resolver=None, before="") -> dict[str, URLPattern]:
    """Every address of the site, by how it is written."""
    found = {}
    for each in (resolver or get_resolver()).url_patterns:
        written = before + str(each.pattern)
        if isinstance(each, URLResolver):
            found |= patterns(each, written)
        else:
            found[written] = each
    return found


def with_names(written: str, names: dict[str, object]) -> str:
    """An address of the private latent."""
    known = {"model": "demo", "dictionary": "sae", "index": "3", "key": names["run"]}
    known |= {"pk": names["said"], "act": "edit", "source": "sae"}

    def value(match):
        return str(known.get(match.group(1), "x"))

    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", value, written)


OF_A_DICTIONARY = [
    written for written in patterns() if re.search(r"<\w+:(dictionary|key|model)>", written)
]


@pytest.mark.parametrize("written", OF_A_DICTIONARY)
@pytest.mark.parametrize("method", ["get", "post"])
def test_no_address_of_a_private_dictionary_answers_a_stranger(names, browsers, written, method):
    """Pages that are added later are walked too."""
    path = with_names(written, names)
    reply = getattr(browsers["charlie"], method)(path)
    if reply.status_code in (301, 302):  # a second spelling of an address leads to the first
        reply = browsers["charlie"].get(reply.headers["Location"])
    assert reply.status_code in (404, 405)


def test_the_walk_of_addresses_can_fail(names, browsers):
    opened = [
        written
        for written in OF_A_DICTIONARY
        if browsers["rita"].get(with_names(written, names)).status_code == 200
    ]
    assert len(opened) > 8


SEEN_BY_ALL = [
    "/", "/runs/", "/workspaces/", "/lists/", "/rate/", "/demo/open/3", "/demo/open/", "/nowhere/x",
    "/search?q=digits", "/search?q=the", "/search/complete?q=s", "/search/text?text=the+end",
    "/compare?a=demo/open/3", "/compare?a=demo/open/3&b=demo/open/4",
]  # fmt: skip


@pytest.mark.parametrize("path", SEEN_BY_ALL)
def test_no_page_that_everybody_sees_names_what_is_private(names, browsers, path, store):
    from tests.factories import make_run

    make_run(dictionary="open")
    html = browsers["charlie"].get(path).content.decode()
    assert not re.search(r"demo/sae|The team|/sae/|>sae<", html)
