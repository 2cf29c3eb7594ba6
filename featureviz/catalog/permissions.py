"""Who may do what: one table, by role, action and kind of object.

What a reader may not read is answered as what is not there, everywhere; see `catalog/reading.py`.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Role(IntEnum):
    """What somebody is to a workspace, and so to all it holds; each may what those before may."""

    NOBODY = 0
    READER = 1  # everybody, where a workspace is public
    COMMENTER = 2  # by a share link only
    ANNOTATOR = 3
    EDITOR = 4
    OWNER = 5


class Kind(StrEnum):
    """What something is done to."""

    WORKSPACE = "workspace"
    DICTIONARY = "dictionary"
    RUN = "run"
    LATENT = "latent"
    EXPLANATION = "explanation"
    COMMENT = "comment"
    LIST = "list"
    SHARE = "share"
    SESSION = "session"  # of ratings


class Action(StrEnum):
    """What is done."""

    READ = "read"
    MANAGE = "manage"  # people, invitations, visibility, what it holds
    CONTROL = "control"  # cancel and resume
    COMMENT = "comment"
    EXPLAIN = "explain"
    VOTE = "vote"
    TAG = "tag"
    RATE = "rate"
    SHARE = "share"
    EDIT = "edit"
    PIN = "pin"
    RESOLVE = "resolve"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Rule:
    """The least role that may; a lesser one may where the object is the person's own."""

    least: Role
    own: Role | None = None


TABLE: dict[tuple[Kind, Action], Rule] = {
    (Kind.WORKSPACE, Action.READ): Rule(Role.READER),
    (Kind.WORKSPACE, Action.MANAGE): Rule(Role.OWNER),
    (Kind.WORKSPACE, Action.RATE): Rule(Role.ANNOTATOR),  # make a session of its latents
    (Kind.DICTIONARY, Action.READ): Rule(Role.READER),
    (Kind.DICTIONARY, Action.MANAGE): Rule(Role.OWNER),
    (Kind.DICTIONARY, Action.SHARE): Rule(Role.ANNOTATOR),
    (Kind.RUN, Action.READ): Rule(Role.READER),
    (Kind.RUN, Action.CONTROL): Rule(Role.EDITOR),
    (Kind.LATENT, Action.READ): Rule(Role.READER),
    (Kind.LATENT, Action.COMMENT): Rule(Role.COMMENTER),
    (Kind.LATENT, Action.EXPLAIN): Rule(Role.ANNOTATOR),
    (Kind.LATENT, Action.TAG): Rule(Role.ANNOTATOR),
    (Kind.LATENT, Action.SHARE): Rule(Role.ANNOTATOR),
    (Kind.EXPLANATION, Action.READ): Rule(Role.READER),
    (Kind.EXPLANATION, Action.VOTE): Rule(Role.ANNOTATOR),
    (Kind.EXPLANATION, Action.EDIT): Rule(Role.EDITOR, own=Role.ANNOTATOR),
    (Kind.EXPLANATION, Action.PIN): Rule(Role.EDITOR),
    (Kind.EXPLANATION, Action.WITHDRAW): Rule(Role.EDITOR, own=Role.ANNOTATOR),
    (Kind.COMMENT, Action.RESOLVE): Rule(Role.ANNOTATOR, own=Role.COMMENTER),
    (Kind.COMMENT, Action.WITHDRAW): Rule(Role.EDITOR, own=Role.COMMENTER),
    (Kind.LIST, Action.READ): Rule(Role.READER, own=Role.NOBODY),
    (Kind.LIST, Action.EDIT): Rule(Role.EDITOR, own=Role.NOBODY),
    (Kind.LIST, Action.SHARE): Rule(Role.EDITOR, own=Role.NOBODY),
    (Kind.SHARE, Action.READ): Rule(Role.OWNER, own=Role.NOBODY),
    (Kind.SHARE, Action.WITHDRAW): Rule(Role.OWNER, own=Role.NOBODY),
    (Kind.SESSION, Action.READ): Rule(Role.READER),
    (Kind.SESSION, Action.RATE): Rule(Role.ANNOTATOR),
    (Kind.SESSION, Action.MANAGE): Rule(Role.EDITOR, own=Role.ANNOTATOR),
}


def allows(role: Role, action: Action, kind: Kind, *, is_own: bool = False) -> bool:
    """Whether a role may; what stands in no row of the table nobody may."""
    rule = TABLE.get((kind, action))
    if rule is None:
        return False
    return role >= rule.least or (is_own and rule.own is not None and role >= rule.own)
