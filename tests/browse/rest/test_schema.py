"""Whatever a program sends, the API answers; it never breaks."""

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from featureviz.annotate import comments, explanations, lists, tokens
from featureviz.annotate.explanations import Signature
from featureviz.browse.rest.routes import api
from tests.factories import make_run

pytestmark = pytest.mark.django_db
OPERATIONS = [
    (method.upper(), path)
    for path, methods in api.get_openapi_schema()["paths"].items()
    for method in methods
]
KNOWN = {"model": "demo", "dictionary": "sae", "source": "sae", "index": 3, "name": "dates"}


@pytest.fixture
def site(accounts, people, store):
    """One of each."""
    request_started.disconnect(close_old_connections)  # as Django's own client does
    request_finished.disconnect(close_old_connections)
    bob, dictionary = people["bob"], make_run().dictionary
    bob.is_superuser = True
    bob.save()
    said = explanations.write(dictionary, 3, "Digits", Signature(bob))
    talk = comments.write(comments.Place(dictionary, 3), "Sure?", bob)
    kept = lists.create("Dates", bob)
    lists.add(kept, dictionary, 3, bob)
    pks = {"explanations": said.pk, "comments": talk.pk, "lists": kept.pk}
    yield {"Authorization": f"Bearer {tokens.create(bob, 'test')}"}, pks
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.mark.parametrize(
    ("method", "path"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS]
)
def test_nothing_that_is_sent_breaks_it(site, method, path):
    headers, pks = site
    known = KNOWN | {"id": pks.get(path.split("/")[3])} if "{id}" in path else KNOWN
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", WSGIHandler())
    operation = schema[path][method]

    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_there=st.booleans())
    def holds(case, is_there):
        if case.path_parameters and is_there:
            case.path_parameters = {name: known[name] for name in case.path_parameters}
        reply = case.call_and_validate(headers=headers, checks=[not_a_server_error])
        answers.add(reply.status_code)

    answers: set[int] = set()
    holds()
    assert 401 not in answers  # the token was taken
    assert answers - {404}  # what is there was found
