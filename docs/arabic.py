"""The figures of docs/arabic.md, from the published run of the demo's A/1.

python docs/arabic.py [--print]
"""

import argparse
import json
import math
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "featureviz/demo/weights/record.json"
PAGE = ROOT / "docs/arabic.md"
FIRST, LAST = "<!-- figures -->", "<!-- end of figures -->"


def main() -> None:
    """Write the table into the page, or print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--print", action="store_true", help="print it; change no file")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "featureviz.settings")
    import django  # noqa: PLC0415 - after the settings are named

    django.setup()
    lines = table()
    if options.print:
        print(lines)
        return
    text = PAGE.read_text(encoding="utf-8")
    inside = re.compile(f"{FIRST}.*{LAST}", re.DOTALL)
    new = f"{FIRST}\n{lines}\n{LAST}"
    PAGE.write_text(inside.sub(lambda _: new, text), encoding="utf-8")


def table() -> str:
    """The latent beside the paper's, as Markdown."""
    from featureviz.catalog.addresses import find_latent  # noqa: PLC0415

    chosen = json.loads(RECORD.read_text(encoding="utf-8"))["latents"]["arabic"]
    index = chosen["A-1"]["index"]
    latent = find_latent("A", "1", index)
    if latent is None:
        sys.exit("A/1 is not published here. Run `make demo` first.")
    board = latent.run.dashboard(index)
    arabic = next((one for one in board.profiles or () if one.name == "arabic"), None)
    if arabic is None:
        sys.exit(f"{latent} has no Arabic profile: it is not the latent the record means.")
    share, recall = arabic.n_active / board.n_active, arabic.n_active / arabic.n_tokens
    levels = [
        (interval.lower, inside / interval.n_active)
        for interval, inside in zip(board.intervals, arabic.in_intervals, strict=True)
        if interval.n_active
    ]
    rows = [
        ("corpus", "40 million tokens of web text", f"{board.n_tokens:,} tokens"),
        ("Arabic, of all tokens", "0.13 %", percent(arabic.n_tokens / board.n_tokens)),
        ("Arabic, of active tokens", "81 %", percent(share)),
        ("… at the weakest level", "25 %", percent(levels[-1][1])),
        (
            "… at the strongest",
            "98 % (above 5)",
            f"{percent(levels[0][1])} (above {levels[0][0]:.2f})",
        ),
        ("… weighted by activation", "not given", percent(arabic.total / board.sum_activation)),
        ("active, of Arabic tokens", "not given", percent(recall)),
        ("latents as pure, on other text", "not given", str(chosen["A-1_pure_latents"])),
        ("Pearson with the proxy", "0.74", f"{arabic.pearson:.2f}"),
        ("√(share × recall)", "not given", f"{math.sqrt(share * recall):.2f}"),
    ]
    head = [f"| | the paper's A/1/3450 | the demo's {latent} |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def percent(part: float) -> str:
    """A share with two figures, as in the page."""
    return (
        "100 %" if part == 1 else f"{100 * part:.2g} %" if part < 0.995 else f"{100 * part:.1f} %"
    )


if __name__ == "__main__":
    main()
