"""The import rules hold, and the checks that hold them can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def loads_torch(statement: str) -> bool:
    """Whether a fresh Django process has torch in memory after the statement."""
    return loads("torch", statement)


def loads(package: str, statement: str) -> bool:
    """Whether a fresh Django process has a package in memory after the statement."""
    script = f"import django, sys; django.setup(); {statement}; print({package!r} in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1] == "True"


def test_serving_pages_never_loads_torch():
    assert not loads_torch("import featureviz.urls, featureviz.wsgi, featureviz.celery")


def test_the_check_above_can_fail():
    assert loads_torch("import featureviz.engine.effects")


def test_the_import_rules_hold():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "statement", "rule"),
    [
        ("browse/views.py", "import featureviz.engine.subject", "The web never reaches torch"),
        ("catalog/runs.py", "import tasks.precompute", "Imports go downwards only"),
        ("dashboards/store.py", "import django.conf", "The numerics never reach Django"),
        ("engine/precompute.py", "import transformer_lens", "One file alone names"),
    ],
)
def test_a_forbidden_import_breaks_its_rule_even_inside_a_function(
    tmp_path, module, statement, rule
):
    copy_of_the_sources(tmp_path)
    with (tmp_path / "featureviz" / module).open("a", encoding="utf-8") as source:
        source.write(f"\n\ndef sneak() -> None:\n    {statement}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert any(line.startswith(rule) and "BROKEN" in line for line in done.stdout.splitlines())


def copy_of_the_sources(folder: Path) -> None:
    only_sources = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for package in ("featureviz", "tasks"):
        shutil.copytree(ROOT / package, folder / package, ignore=only_sources)
    shutil.copy(ROOT / "pyproject.toml", folder)


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
