"""What people say to each other on a latent."""

import re

import pytest
from django.core import mail

from featureviz.annotate import comments, workspaces
from featureviz.annotate.comments import Place
from featureviz.annotate.models import Comment, Notification
from featureviz.annotate.texts import AnnotateError

pytestmark = pytest.mark.django_db
PAGE = "/demo/sae/3"
TALK = f"{PAGE}/comments"


def page(browser, path=PAGE):
    reply = browser.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def said(html):
    """The comments on a page, from top to bottom."""
    section = html[html.index('id="comments"') : html.index('class="provenance"')]
    return re.findall(r'<div class="prose"><p>(.*?)</p>', section)


@pytest.fixture
def thread(team, people):
    """Bob's comment on latent 3."""
    place = Place(team.dictionaries.get(), 3)
    return comments.write(place, "Sure about *digits*?", people["bob"])


def test_a_thread_reads_from_its_first_comment_to_its_last(thread, browsers):
    browsers["edith"].post(TALK, {"text": "Yes.", "thread": thread.pk})
    browsers["alice"].post(TALK, {"text": "No.", "thread": thread.pk})
    html = page(browsers["rita"])
    assert said(html) == ["Sure about <em>digits</em>?", "Yes.", "No."]
    assert re.search(r"Comments\s*<small>3</small>", html)


@pytest.mark.parametrize(
    ("place", "kept", "words"),
    [
        ("", ("", None), None),
        ("0.4", ("0.4", None), "example 0.4"),
        ("0.4:7", ("0.4", 7), "token 7 of context 0"),
    ],
)
def test_a_comment_is_on_a_latent_an_example_or_a_token(team, browsers, place, kept, words):
    browsers["bob"].post(TALK, {"text": "Here", "place": place})
    new = Comment.objects.get()
    assert (new.place, new.token) == kept
    html = page(browsers["rita"])
    if words:
        assert re.search(rf'href="3\?ex=0\.4(&amp;tok=7)?#ex">{words}</a>', html)
    assert browsers["rita"].get(new.get_absolute_url()).status_code == 200


@pytest.mark.parametrize("place", ["x", "1", "1.2.3", "<b>", "1.2 "])
def test_a_place_that_is_none_is_refused(team, browsers, place):
    browsers["bob"].post(TALK, {"text": "Here", "place": place})
    assert not Comment.objects.exists()


def test_the_form_is_on_the_example_and_token_of_the_address(team, browsers):
    html = page(browsers["bob"], f"{PAGE}?ex=0.4&tok=7")
    assert re.search(r'value="0\.4:7"\s+selected>token 7', html)
    html = page(browsers["bob"], f"{PAGE}?ex=0.4&tok=%3Cb")
    assert re.search(r'value="0\.4"\s+selected>example', html)


def test_a_settled_thread_is_folded_and_an_answer_opens_it(thread, browsers):
    browsers["bob"].post(f"{TALK}/{thread.pk}/resolve")
    assert "Settled by bob" in page(browsers["rita"])
    browsers["edith"].post(TALK, {"text": "But", "thread": thread.pk})
    assert "Settled" not in page(browsers["rita"])


def test_a_withdrawn_comment_leaves_its_answers(thread, browsers):
    browsers["edith"].post(TALK, {"text": "Yes.", "thread": thread.pk})
    browsers["bob"].post(f"{TALK}/{thread.pk}/withdraw")
    html = page(browsers["rita"])
    assert said(html) == ["Yes."]
    assert "Withdrawn by bob or an editor." in html
    browsers["bob"].post(f"{TALK}/{thread.pk}/take-back")
    assert len(said(page(browsers["rita"]))) == 2


def test_nobody_withdraws_what_another_annotator_said(thread, people, browsers):
    other = comments.answer(thread, "Mine", people["alice"])
    assert browsers["bob"].post(f"{TALK}/{other.pk}/withdraw").status_code == 403


@pytest.mark.parametrize("thread_of", ["99", "x", "²"])
def test_there_is_no_answer_to_what_is_not_there(team, browsers, thread_of):
    reply = browsers["bob"].post(TALK, {"text": "Yes.", "thread": thread_of})
    assert reply.status_code == 404


def test_whoever_is_called_is_told_and_whoever_is_answered(thread, people):
    comments.answer(thread, "What does @rita say, and `@alice`?", people["edith"])
    told = {(each.user.username, each.reason) for each in Notification.objects.all()}
    assert told == {("rita", "mention"), ("bob", "answer")}


def test_calling_a_stranger_or_oneself_tells_nobody(team, people):
    place = Place(team.dictionaries.get(), 3)
    comments.write(place, "@charlie @bob @nobody-like-that look", people["bob"])
    assert not Notification.objects.exists()


def test_a_notification_leads_to_the_comment_and_is_read(thread, people, browsers):
    answer = comments.answer(thread, "Yes.", people["edith"])
    html = page(browsers["bob"])
    assert 'aria-label="1 unread notification"' in html
    assert "edith answers in a thread of yours" in page(browsers["bob"], "/accounts/notifications/")
    told = Notification.objects.get()
    reply = browsers["bob"].post(f"/accounts/notifications/{told.pk}")
    assert reply.headers["Location"] == f"{PAGE}#comment-{answer.pk}"
    assert "unread" not in page(browsers["bob"])


def test_a_notification_is_its_persons_own(thread, people, browsers):
    comments.answer(thread, "Yes.", people["edith"])
    told = Notification.objects.get()
    assert browsers["rita"].post(f"/accounts/notifications/{told.pk}").status_code == 404
    assert "edith" not in page(browsers["rita"], "/accounts/notifications/")
    assert browsers["nobody"].get("/accounts/notifications/").status_code == 302


def test_who_left_the_team_reads_no_notification_of_it(thread, people, browsers):
    comments.answer(thread, "A secret.", people["edith"])
    workspaces.set_role(thread.dictionary.workspace, "bob", None)
    assert "secret" not in page(browsers["bob"], "/accounts/notifications/")


@pytest.mark.parametrize(("host", "sent"), [("smtp.example.org", 1), ("", 0)])
def test_an_e_mail_is_sent_where_there_is_a_server_for_it(
    thread, people, settings, host, sent, django_capture_on_commit_callbacks
):
    settings.EMAIL_HOST = host
    people["bob"].email = "bob@example.org"
    people["bob"].save()
    with django_capture_on_commit_callbacks(execute=True):
        comments.answer(thread, "Yes.", people["edith"])
    assert len(mail.outbox) == sent
    if sent:
        assert mail.outbox[0].subject == "edith answers in a thread of yours (demo/sae/3)"


def test_a_comment_that_names_a_latent_is_listed_there(thread, people, browsers):
    comments.answer(thread, "See @demo/sae/5.", people["bob"])
    assert "Named by" in page(browsers["rita"], "/demo/sae/5")


def test_an_empty_comment_is_not_kept(team, people):
    with pytest.raises(AnnotateError):
        comments.write(Place(team.dictionaries.get(), 3), "  ", people["bob"])
