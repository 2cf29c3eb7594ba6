"""Compute latents again by brute force and compare: `verify <model>/<dictionary>[/<index>]`."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from featureviz.catalog import relations
from featureviz.catalog.addresses import current_run
from featureviz.catalog.models import Run
from featureviz.dashboards.health import read_health
from featureviz.dashboards.store import StoreError
from featureviz.engine.ends import of_both_ends
from featureviz.engine.errors import EngineError
from featureviz.engine.plan import Plan
from featureviz.verify.findings import Finding
from featureviz.verify.health import health
from featureviz.verify.latents import compare
from featureviz.verify.relations import related, strongest
from featureviz.verify.truth import Truth, brute_force
from tasks.ready import check_database

BAD_INPUT = 2
DIFFERS = 1
_SHOWN = 40  # differences printed


class Command(BaseCommand):
    """Every number of some pages beside the same number from another computation."""

    help = "Compute latents again, by other code than the engine's, and compare every number."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to verify."""
        parser.add_argument("address", help="<model>/<dictionary> or <model>/<dictionary>/<index>")
        parser.add_argument("--sample", type=int, default=50, help="latents drawn (default: 50)")
        parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run it; exit code 1 when a number differs beyond its tolerance."""
        check_database()
        run, latents = _asked(options["address"], options["sample"], options["seed"])
        try:
            findings = self._compare(run, latents)
        except (EngineError, StoreError) as error:
            raise CommandError(str(error), returncode=BAD_INPUT) from error
        self.stdout.write(_summary(run, latents, findings))
        wrong = [finding for finding in findings if not finding.ok]
        if wrong:
            self.stdout.write(_table(wrong))
            raise CommandError(
                f"{len(wrong):,} of {len(findings):,} numbers differ beyond their tolerance.",
                returncode=DIFFERS,
            )
        self.stdout.write(f"All {len(findings):,} numbers agree.")

    def _compare(self, run: Run, latents: list[int]) -> list[Finding]:
        def report(done: int, total: int) -> None:
            if sys.stderr.isatty():
                self.stderr.write(f"\r{done:,} of {total:,} contexts", ending="")

        def truth_of(wanted_run: Run, wanted: Sequence[int]) -> Truth:
            plan = Plan.from_json(wanted_run.plan)
            store = Path(settings.FEATUREVIZ_STORE)
            found = brute_force(plan, store, wanted, report, health=wanted_run == run)
            if sys.stderr.isatty():
                self.stderr.write("")
            return found

        ends = Plan.from_json(run.plan).ends
        pages = [page for i in latents for page in of_both_ends(run.dashboard(i), ends)]
        truth = truth_of(run, [page.index for page in pages])
        found = [each for page in pages for each in compare(page, truth)]
        found += self._health(run, truth)
        for relation in relations.of(run):
            if relation.is_whole:
                own = [run.relations(relation.other, index) for index in latents]
                others = sorted({each.index for page in own for each in strongest(page)})
                other, name = truth_of(relation.other, others), str(relation.other.dictionary)
                found += [each for page in own for each in related(page, truth, other, name)]
        return found

    def _health(self, run: Run, truth: Truth) -> list[Finding]:
        try:
            return list(health(read_health(run.folder), truth))
        except StoreError:
            self.stderr.write(
                f"{run.dictionary} has no readable health record ({run.folder}/health.json); "
                "everything else is compared."
            )
            return []


def _asked(address: str, sample: int, seed: int) -> tuple[Run, list[int]]:
    model, dictionary, index = ([*address.strip("/").split("/"), "", ""])[:3]
    run = current_run(model, dictionary)
    if run is None:
        raise CommandError(
            f"There is no dictionary at {address!r}; `show --list` prints those that exist.",
            returncode=BAD_INPUT,
        )
    d_sae = run.dictionary.d_sae
    if not index:
        if sample < 1:
            raise CommandError(f"--sample {sample}: expected 1 or more.", returncode=BAD_INPUT)
        return run, sorted(np.random.default_rng(seed).permutation(d_sae)[:sample].tolist())
    if not (index.isascii() and index.isdigit() and int(index) < d_sae):
        raise CommandError(
            f"There is no latent {index!r} in {run.dictionary}; it has 0 to {d_sae - 1}.",
            returncode=BAD_INPUT,
        )
    return run, [int(index)]


def _summary(run: Run, latents: list[int], findings: list[Finding]) -> str:
    """One line a kind of number: how many were compared, and how many differ."""
    lines = [f"{run.dictionary}, {len(latents)} latents, run {run.key[:12]}"]
    for kind, found in groupby(sorted(findings, key=_kind), key=_kind):
        members = list(found)
        differ = sum(not finding.ok for finding in members)
        verdict = f"{differ:,} DIFFER" if differ else "agree"
        lines.append(f"  {kind:28} {len(members):>8,}  {verdict}")
    return "\n".join(lines)


def _kind(finding: Finding) -> str:
    return finding.what.split(",")[0].split("[")[0].split(":")[0].rstrip(" 0123456789")


def _table(wrong: list[Finding]) -> str:
    lines = [f"{'latent':>8}  {'number':44} {'page':>14} {'again':>14} {'tolerance':>10}"]
    lines += [
        f"{each.latent if each.latent >= 0 else 'all':>8}  {each.what:44} "
        f"{_figure(each.page):>14} {_figure(each.again):>14} {each.tolerance:>10.2g}"
        for each in wrong[:_SHOWN]
    ]
    if len(wrong) > _SHOWN:
        lines.append(f"  and {len(wrong) - _SHOWN:,} more")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
