"""The settings of a process that starts with some environment."""

import json
import os
import subprocess
import sys

import pytest

from tests.environment import ROOT


def origins(tmp_path, **environment):
    """The origins whose forms a process trusts."""
    told = "import json; from featureviz import settings; print(json.dumps(settings.{}))"
    done = subprocess.run(
        [sys.executable, "-c", told.format("CSRF_TRUSTED_ORIGINS")],
        env={**os.environ, "FEATUREVIZ_DATA": str(tmp_path), **environment},
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("hosts", "address", "trusted"),
    [
        ("a.org,.b.org", "", ["https://a.org", "https://*.b.org"]),
        ("a.org", "https://c.org/", ["https://a.org", "https://c.org"]),
        ("*", "", []),
    ],
)
def test_forms_come_from_every_host_served_and_from_the_address_outside(
    tmp_path, hosts, address, trusted
):
    assert origins(tmp_path, ALLOWED_HOSTS=hosts, FEATUREVIZ_ADDRESS=address) == trusted
