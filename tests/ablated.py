"""Ablation effects for the small run of tests/factories.py: every step of the line, both signs."""

from itertools import cycle

import msgspec

from featureviz.browse.kept import KEPT
from featureviz.catalog.models import Run
from featureviz.dashboards.schema import Dashboard, Example, TokenEffect, TokenWeight
from featureviz.dashboards.store import read_dashboard, write_pack
from tests.factories import BLOCK_SIZE

THRESHOLD = 0.01
TOTALS = (0.02, -0.03, 0.1, -0.125, 0.25, -0.375, 0.75, -0.625, 1.5, -1.25, 0.004)


def give_effects(run: Run, groups: str = "all", direct: str = "own") -> Run:
    """Write effects into a run's packs: of all groups or the top one; direct own, same or none."""
    for path in sorted(run.folder.glob("blocks/*.pack")):
        first = int(path.stem) * BLOCK_SIZE
        boards = [read_dashboard(path, first + number) for number in range(BLOCK_SIZE)]
        write_pack(path, [_ablated(board, run, groups, direct) for board in boards])
    KEPT.clear()  # packs of a real run never change
    return run


def effects_of(example: Example, length: int, direct: str = "own") -> tuple[TokenEffect, ...]:
    """Effects on every second token and on each that follows an active one."""
    after = {position + 1 for position in example.positions}
    places = [at for at in range(2, length) if at % 2 or at in after]
    return tuple(
        TokenEffect(
            position,
            total,
            {"own": -total / 2, "same": total, "none": None}[direct],
            abs(total) / 4 + 0.01,
            risen=(TokenWeight(position % 7 + 1, 0.25), TokenWeight(3, 0.012)),
            fallen=(TokenWeight(5, -0.125),),
        )
        for position, total in zip(places, cycle(TOTALS))
    )


def _ablated(board: Dashboard, run: Run, groups: str, direct: str) -> Dashboard:
    lengths = run.corpus.stored.lengths

    def own(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(
            msgspec.structs.replace(
                example, effects=effects_of(example, int(lengths[example.context]), direct)
            )
            for example in examples
        )

    top = msgspec.structs.replace(board, top=own(board.top), effect_threshold=THRESHOLD)
    if groups == "top":
        return top
    intervals = tuple(
        msgspec.structs.replace(interval, examples=own(interval.examples))
        for interval in board.intervals
    )
    return msgspec.structs.replace(top, intervals=intervals, random=own(board.random))
