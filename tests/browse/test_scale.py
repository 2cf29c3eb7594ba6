"""The activation that has the strongest colour."""

import re

import pytest

from featureviz.browse.rows import level_of
from featureviz.browse.switches import Switches
from featureviz.catalog.models import Latent
from tests.browse.test_ends import make_signed_run
from tests.factories import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(store):
    return make_run()


def levels(html):
    """Activation and level of every lit mark."""
    found = re.findall(r'<b class="l(\d+)[^"]*" data-a="([\d.]+)">', html)
    return [(float(value), int(level)) for level, value in found]


@pytest.mark.parametrize(
    ("asked", "scale"),
    [
        ("own", "own"), ("all", "all"), ("2.5", "2.5"), ("1e3", "1e3"), ("", "own"), ("0", "own"),
        ("-1", "own"), ("nan", "own"), ("inf", "own"), ("x", "own"), ("9" * 40, "9" * 20),
    ],
)  # fmt: skip
def test_a_scale_is_own_all_or_an_activation(asked, scale):
    assert Switches.of({"scale": asked}).scale == scale


def test_the_scale_stays_in_the_address_unless_it_is_the_own():
    assert Switches.of({"scale": "all"}).query() == "?scale=all"
    assert Switches.of({"scale": "own"}).query() == ""


@pytest.mark.parametrize("asked", ["own", "all", "0.5", "10"])
def test_every_mark_is_coloured_against_the_scale(client, run, asked):
    every = [latent.max_activation for latent in Latent.objects.filter(run=run)]
    full = {"own": run.dashboard(3).max_activation, "all": max(every)}.get(asked)
    full = full or float(asked)
    html = client.get(f"/demo/sae/3?scale={asked}").content.decode()
    marks = levels(html)
    assert len(marks) > 50
    rounding = 6e-4
    for value, level in marks:
        near = {level_of(value - rounding, full), level_of(value + rounding, full)}
        assert level in near | {level_of(value, full)}


def test_the_ladder_has_the_colours_of_its_rows(client, run):
    html = client.get("/demo/sae/3?scale=100").content.decode()
    ladder = re.search(r'<nav class="ladder".*?</nav>', html, re.DOTALL).group()
    assert set(re.findall(r'class="l(\d+)"', ladder)) == {"1"}


def test_links_to_neighbours_keep_the_scale(client, run):
    html = client.get("/demo/sae/3?scale=all").content.decode()
    assert re.search(r'rel="next"\s+data-keep\s+href="4\?scale=all"', html)


def test_a_negative_end_is_coloured_against_the_least_activation(client, store):
    run = make_signed_run()
    least = min(latent.min_activation for latent in Latent.objects.filter(run=run))
    html = client.get("/demo/sae/1?end=neg&scale=all").content.decode()
    shown = re.search(r'<p class="scale">.*?</p>', html, re.DOTALL).group()
    assert f"dictionary’s −{abs(least):.3f}" in shown
    marks = re.findall(r'<b class="l(\d+)[^"]*" data-a="(-[\d.]+)">', html)
    assert len(marks) > 20
    for level, value in marks:
        near = {level_of(float(value) + step, least) for step in (-6e-4, 0.0, 6e-4)}
        assert int(level) in near
