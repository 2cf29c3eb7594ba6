"""Rebuild the demo from nothing: `python -m featureviz.demo.build --out DIR`.

Stages leave their results in folders and are skipped when those exist, so a build that was stopped
goes on where it was. With no stage named, all are run, the two models side by side.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from featureviz.demo.dictionary import save_dictionary, train_dictionary
from featureviz.demo.model import contexts, train_model
from featureviz.demo.recipe import DICTIONARIES, WEIGHTS, Build
from featureviz.demo.record import note_losses, write_record
from featureviz.demo.texts import training_documents
from featureviz.demo.tokenizer import load_tokenizer, train_tokenizer

# What runs side by side: each chain in a process of its own, wave after wave.
WAVES = (
    (("tokenizer",),),
    (("model-A",), ("model-B",)),
    (("A-1", "losses-A"), ("B-1", "A-0", "losses-B")),
    (("record",),),
)
STAGES = tuple(stage for wave in WAVES for chain in wave for stage in chain)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder to write to, which takes the place of `folder` once it is whole."""
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def build_tokenizer(build: Build) -> None:
    """Learn the tokenizer and tokenise the training text."""
    texts = [document.text for document in training_documents()]
    tokenizer = train_tokenizer(texts)
    torch.save(contexts(tokenizer, texts).short(), build.work / "contexts.pt")
    tokenizer.save_pretrained(build.work / "tokenizer")


def build_model(build: Build, name: str) -> None:
    """Train a model and store it in float16, the tokenizer beside it."""
    settings = build.model_training(name)
    started = time.monotonic()
    model = train_model(
        build.training_contexts(), settings, build.work / f"{name}.pt", reporter(f"model-{name}")
    )
    build.note(f"model-{name}", seconds=round(time.monotonic() - started), **asdict(settings))
    model.save_pretrained(build.work / f"model-{name}")
    tokenizer = load_tokenizer(build.work / "tokenizer")
    with replacing(build.out / name) as folder:
        model.half().save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def build_dictionary(build: Build, name: str) -> None:
    """Train a dictionary on the model its name begins with."""
    settings = build.dictionary_training(name)
    model, tokens = build.model(name[0]), build.training_contexts()
    started = time.monotonic()
    sae = train_dictionary(model, tokens, settings, reporter(name))
    build.note(name, seconds=round(time.monotonic() - started), **asdict(settings))
    with replacing(build.out / name) as folder:
        save_dictionary(sae, folder, f"featureviz-demo-{name[0]}")


def run_stage(build: Build, stage: str) -> None:
    """Run one stage, in this process."""
    if stage == "tokenizer":
        build_tokenizer(build)
    elif stage == "record":
        write_record(build, reporter("record"))
    elif stage.startswith("losses-"):
        note_losses(build, stage.removeprefix("losses-"), reporter(stage))
    elif stage in DICTIONARIES:
        build_dictionary(build, stage)
    else:
        build_model(build, stage.removeprefix("model-"))


def is_done(build: Build, stage: str) -> bool:
    """Whether a stage left its result."""
    if stage == "tokenizer":
        return (build.work / "tokenizer").exists()
    if stage.startswith("losses-"):
        return (build.work / f"{stage}.json").exists()
    return (build.out / {"record": "record.json"}.get(stage, stage.removeprefix("model-"))).exists()


def run_wave(build: Build, wave: tuple[tuple[str, ...], ...]) -> None:
    """Run chains of stages side by side, one core each.

    Raises: CalledProcessError if one of them fails, once all have ended.
    """
    threads = {"OMP_NUM_THREADS": "1"} if len(wave) > 1 else {}
    commands = [_command(build, [s for s in chain if not is_done(build, s)]) for chain in wave]
    running = [
        subprocess.Popen(command, env=os.environ | threads)
        for command in commands
        if "--stage" in command
    ]
    for process in running:
        process.wait()
    for process in running:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)


def _command(build: Build, stages: list[str]) -> list[str]:
    places = ["--out", str(build.out), "--work", str(build.work), "--seed", str(build.seed)]
    wanted = [word for stage in stages for word in ("--stage", stage)]
    return [sys.executable, "-m", "featureviz.demo.build", *places, *wanted]


def reporter(stage: str) -> Callable[[str], None]:
    """Progress lines of one stage, with the seconds since it began."""
    started = time.monotonic()

    def report(line: str) -> None:
        sys.stdout.write(f"{stage} {time.monotonic() - started:6.0f} s: {line}\n")
        sys.stdout.flush()

    return report


def parse(arguments: list[str]) -> argparse.Namespace:
    """Command-line arguments."""
    parser = argparse.ArgumentParser(prog="python -m featureviz.demo.build", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of model A; B's is one more")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the weights")
    parser.add_argument(
        "--work", type=Path, default=Path("var/demo-build"), help="checkpoints and timings"
    )
    parser.add_argument("--stage", action="append", choices=STAGES, help="only this, even if done")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Run the stages named, or all that are not done."""
    options = parse(arguments)
    build = Build(options.out, options.work, options.seed)
    for folder in (build.out, build.work):
        folder.mkdir(parents=True, exist_ok=True)
    for stage in options.stage or ():
        run_stage(build, stage)
    if not options.stage:
        for wave in WAVES:
            run_wave(build, wave)


if __name__ == "__main__":
    main(sys.argv[1:])
