"""What programs write is what people read, with the same care."""

import pytest

from featureviz.annotate.models import Comment, Explanation, Notification

pytestmark = pytest.mark.django_db
LATENT = "/api/v1/latents/demo/sae/3"


@pytest.fixture
def said(bob, send):
    return send(bob, "post", f"{LATENT}/explanations", text="Digits").json()


def test_an_explanation_is_written_and_read(bob, said):
    assert (said["latent"], said["description"], said["author"]) == ("demo/sae/3", "Digits", "bob")
    assert said["is_pinned"]
    assert bob.get(f"/api/v1/explanations/{said['id']}").json() == said
    assert bob.get(f"{LATENT}/explanations").json() == [said]


def test_an_edit_needs_the_version_that_was_read(bob, programs, said, send):
    address = f"/api/v1/explanations/{said['id']}"
    assert send(bob, "put", address, text="Dates", version=1).json()["version"] == 2
    late = send(programs["edith"], "put", address, text="Years", version=1)
    assert late.status_code == 409
    assert late.json()["standing"]["description"] == "Dates"
    assert late.json()["yours"] == "Years"
    texts = [each["text"] for each in bob.get(f"{address}/versions").json()]
    assert texts == ["Digits", "Dates"]


def test_votes_are_counted_and_taken_back(bob, said, send):
    address = f"/api/v1/explanations/{said['id']}/vote"
    assert send(bob, "put", address, agrees=False).json()["disagree"] == 1
    assert send(bob, "put", address, agrees=None).json()["disagree"] == 0


def test_editors_pin(programs, said, send):
    address = f"/api/v1/explanations/{said['id']}/pin"
    assert not programs["edith"].delete(address).json()["is_pinned"]
    assert send(programs["edith"], "put", address).json()["is_pinned"]


def test_a_withdrawn_explanation_is_kept_and_not_there(bob, said):
    address = f"/api/v1/explanations/{said['id']}"
    assert bob.delete(address).status_code == 204
    assert bob.get(address).status_code == 404
    assert Explanation.objects.get().withdrawn_at


def test_comments_answer_and_are_settled(bob, programs, send):
    talk = f"{LATENT}/comments"
    first = send(bob, "post", talk, text="Sure?", place="1.4", token=2).json()
    answer = send(programs["rita"], "post", talk, text="No", thread=first["id"])
    assert answer.status_code == 403  # rita only reads
    answer = send(programs["edith"], "post", talk, text="Yes", thread=first["id"]).json()
    assert (answer["thread"], answer["place"]) == (first["id"], "1.4")
    assert Notification.objects.get().user.username == "bob"
    settled = send(bob, "put", f"/api/v1/comments/{first['id']}/resolved", resolved=True).json()
    assert settled["resolved_at"]
    assert [each["text"] for each in bob.get(talk).json()] == ["Sure?", "Yes"]
    assert bob.delete(f"/api/v1/comments/{first['id']}").status_code == 204
    assert Comment.objects.get(pk=first["id"]).withdrawn_at


def test_no_answer_goes_to_the_thread_of_another_latent(bob, send):
    first = send(bob, "post", f"{LATENT}/comments", text="Sure?").json()
    other = LATENT.replace("/3", "/4")
    reply = send(bob, "post", f"{other}/comments", text="Yes", thread=first["id"])
    assert reply.status_code == 404


def test_tags_are_put_on_and_taken_off(bob, send):
    assert send(bob, "put", f"{LATENT}/tags/Dates").json()[0]["name"] == "dates"
    assert bob.get("/api/v1/tags/dates").json()[0]["latent"] == "demo/sae/3"
    assert bob.delete(f"{LATENT}/tags/dates").status_code == 204
    assert bob.get(f"{LATENT}/tags").json() == []


def test_tags_of_what_may_not_be_read_are_not_there(bob, programs, send):
    send(bob, "put", f"{LATENT}/tags/dates")
    assert programs["charlie"].get("/api/v1/tags/dates").json() == []


def test_a_list_is_made_filled_ordered_and_emptied(bob, send):
    made = send(bob, "post", "/api/v1/lists", name="Dates", workspace="the-team").json()
    address = f"/api/v1/lists/{made['id']}"
    for index in (3, 4):
        send(bob, "post", f"{address}/latents", latent=f"demo/sae/{index}")
    moved = send(bob, "post", f"{address}/latents", latent="demo/sae/4", note="Why", place=1)
    rows = [(row["address"], row["note"]) for row in moved.json()["latents"]]
    assert rows == [("demo/sae/4", "Why"), ("demo/sae/3", "")]
    assert bob.delete(f"{address}/latents/demo/sae/4").status_code == 204
    assert len(bob.get(address).json()["latents"]) == 1
    assert bob.get("/api/v1/lists").json() == [made]


def test_a_workspace_that_is_not_ones_own_takes_no_list(programs, team, send):
    reply = send(programs["charlie"], "post", "/api/v1/lists", name="x", workspace="the-team")
    gone = send(programs["charlie"], "post", "/api/v1/lists", name="x", workspace="gone")
    assert (reply.status_code, reply.json()) == (404, gone.json())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", f"{LATENT}/explanations", {"text": "  "}),
        ("post", f"{LATENT}/explanations", {"text": "x" * 10_001}),
        ("post", f"{LATENT}/explanations", {}),
        ("post", f"{LATENT}/comments", {"text": "x", "place": "here"}),
        ("post", f"{LATENT}/comments", {"text": "x", "token": -1}),
        ("put", f"{LATENT}/tags/%00", {}),
        ("post", "/api/v1/lists", {"name": "\0"}),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(bob, send, method, path, body):
    reply = send(bob, method, path, **body)
    assert reply.status_code == 422
    assert reply.json()["error"]


def test_you_are_told_who_you_are(bob):
    found = bob.get("/api/v1/me").json()
    assert (found["name"], found["workspaces"]) == ("bob", {"the-team": "annotator"})
