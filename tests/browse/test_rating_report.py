"""The report of a session: nothing before it is closed, then scores, agreement and sources."""

import csv
import io
import re

import pytest

from featureviz.annotate import ratings, sessions, workspaces
from featureviz.annotate.agreement import Spread
from featureviz.annotate.rubric import Answers
from featureviz.annotate.sessions import Asked
from featureviz.browse.rating_plots import score_plot
from featureviz.browse.rating_report import Report
from featureviz.catalog.models import Dictionary, Run
from tests.factories import make_run

pytestmark = pytest.mark.django_db
ASKED = ("top", "10")


@pytest.fixture
def session(team, people):
    """Two latents of demo/sae and two of demo/neurons: bob and edith find the former clearer."""
    workspaces.move(make_run(dictionary="neurons").dictionary, team)
    raters = [people["bob"], people["edith"]]
    asked = Asked("First", 7, team, list(Dictionary.objects.all()), 2, raters)
    made = sessions.create(asked, people["alice"])
    for latent in made.latents.all():
        for person in raters:
            give(latent, person, latent.dictionary.name == "sae", person.username == "edith")
    made.refresh_from_db()
    return made


def give(latent, person, is_clear, is_strict):
    """12 and 11 points to the groups of a clear latent, one less by the strict rater; else 0."""
    if not is_clear:
        ratings.submit_none(latent, person, ASKED)
        return
    tokens = {"top": 5 - is_strict, "10": 4 - is_strict}
    ratings.submit(latent, person, Answers("=Dates", 2, 2, 0, 3, tokens), ASKED)


@pytest.fixture
def report(session):
    return Report(session)


def html_of(browser, path):
    reply = browser.get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def test_a_report_opens_when_the_session_is_closed(team, people, browsers):
    asked = Asked("First", 7, team, list(team.dictionaries.all()), 2, [people["bob"]])
    made = sessions.create(asked, people["alice"])
    for end in ("", ".csv", ".json"):
        assert browsers["alice"].get(f"/rate/{made.pk}/report{end}").status_code == 403
    assert browsers["bob"].post(f"/rate/{made.pk}/close").status_code == 403
    browsers["alice"].post(f"/rate/{made.pk}/close")
    assert "by alice" in html_of(browsers["rita"], f"/rate/{made.pk}/report")
    assert browsers["rita"].get(f"/rate/{made.pk}/report.xlsx").status_code == 404


def test_the_best_dictionary_comes_first_with_its_medians(report):
    best, worst = report.sources
    assert (best.name, worst.name) == ("demo/sae", "demo/neurons")
    assert (best.n_latents, best.n_ratings, best.groups.n) == (2, 4, 8)
    assert best.latents.median == 11  # 11.5 twice, 10.5 twice
    assert best.groups.counts[10:13] == (2, 4, 2)
    assert best.quite == 1
    assert (worst.latents.median, worst.quite) == (0, 0)


def test_medians_by_strength_are_those_of_each_group(report):
    levels = dict(report.levels)
    assert levels["top"] == [11.5, 0]
    assert levels["10"] == [10.5, 0]
    assert levels["9"] == [None, None]


def test_agreement_is_of_scores_and_of_each_question(report):
    found = {(each.name, each.unit): each.alpha for each in report.agreements}
    # by hand: latents (11.5, 10.5) twice and (0, 0) twice; ranks of 0: 4, 10.5: 2, 11.5: 2 of 8.
    # Squared distances: 10.5-11.5: 2^2 = 4; 0-10.5: 3^2 = 9; 0-11.5: 5^2 = 25.
    # Observed: 2 * 4 = 8. Expected: (2*2*4 + 4*2*9 + 4*2*25) / 7 = 288 / 7.
    assert found["Score", "latent"] == pytest.approx(1 - 8 * 7 / 288)
    assert found["Confidence", "latent"] == pytest.approx(1)
    assert found["Gap", "latent"] is None  # nobody saw one


def test_the_page_tells_sources_scores_and_hypotheses(session, browsers):
    html = html_of(browsers["rita"], f"/rate/{session.pk}/report")
    assert html.count('<svg class="plot scores"') == 2
    assert html.count('data-latent="demo/sae/') == 2
    assert html.count("=Dates") == 4
    assert html.count("no hypothesis") == 4
    assert "when everybody had rated everything" in html


def test_the_csv_has_a_row_a_group_of_a_rating_with_its_provenance(session, browsers):
    reply = browsers["rita"].get(f"/rate/{session.pk}/report.csv")
    rows = list(csv.DictReader(io.StringIO(reply.content.decode())))
    assert len(rows) == 4 * 2 * 2
    clear = [row for row in rows if row["address"].startswith("demo/sae/")]
    assert {(row["rater"], row["group"], row["score"]) for row in clear} == {
        ("bob", "top", "12"), ("bob", "10", "11"), ("edith", "top", "11"), ("edith", "10", "10"),
    }  # fmt: skip
    assert {row["hypothesis"] for row in clear} == {"'=Dates"}
    assert {row["run"] for row in rows} == set(Run.objects.values_list("key", flat=True))
    assert {row["seed"] for row in rows} == {"7"}


def test_the_json_has_the_same_rows_and_all_that_decides_them(session, browsers):
    record = browsers["rita"].get(f"/rate/{session.pk}/report.json").json()
    assert len(record["ratings"]) == 16
    assert record["session"]["raters"] == ["bob", "edith"]
    assert record["session"]["seed"] == 7
    assert {run["dictionary"] for run in record["runs"]} == {"demo/sae", "demo/neurons"}
    assert all(run["corpus_digest"] and run["versions"] for run in record["runs"])
    assert record["versions"]["krippendorff"]
    assert record["dictionaries"][0]["latents"]["median"] == 11
    assert record["agreement"][0]["alpha"] == pytest.approx(1 - 8 * 7 / 288)


def test_a_report_tells_of_no_dictionary_its_reader_may_not_see(session, people, browsers):
    elsewhere = workspaces.create("Elsewhere", people["charlie"])
    workspaces.move(Dictionary.objects.get(name="neurons"), elsewhere)
    for end in ("", ".csv", ".json"):
        seen = html_of(browsers["rita"], f"/rate/{session.pk}/report{end}")
        assert "demo/sae" in seen
        assert "neurons" not in seen


def test_a_plot_has_a_bar_a_score_and_a_box_of_the_quartiles():
    plot = score_plot(Spread.of([0, 0, 12, 12, 12, 14], 14), 8)
    assert [int(each) for each in re.findall(r"<title>(\d+) points", plot)] == [0, 12, 14]
    assert "6 scores: median 12, quartiles 3 and 12, 0 to 14" in plot
    assert 'class="box" x="35.0" width="90.0"' in plot
