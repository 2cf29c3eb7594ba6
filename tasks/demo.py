"""The demo's three runs: which they are, and whether they are there. Loads no torch by itself."""

import logging
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from featureviz import demo
from featureviz.catalog import runs
from featureviz.catalog.models import Run
from featureviz.demo.texts import write_demo_corpus

MAX_CONTEXTS = 4000  # of 128 tokens: all three runs within five minutes on two cores

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A dictionary that ships with the project."""

    model: str  # its name, and that of its folder
    dictionary: str

    @property
    def model_folder(self) -> Path:
        """A Hugging Face folder."""
        return weights() / self.model

    @property
    def dictionary_folder(self) -> Path:
        """A SAELens folder."""
        return weights() / f"{self.model}-{self.dictionary}"

    def find(self) -> Run | None:
        """The newest run under this name."""
        named = Run.objects.filter(
            dictionary__model__name=self.model, dictionary__name=self.dictionary
        )
        return named.select_related("dictionary__model").first()


RUNS = (
    DemoRun("A", "0"),
    DemoRun("A", "1"),
    DemoRun("B", "1"),
)  # the smallest first: it is read first


def weights() -> Path:
    """Where the shipped weights are."""
    return Path(demo.__file__).parent / "weights"


def register(demo_run: DemoRun) -> Run:
    """The registered run: the one there is, resumed if need be, else a new one.

    Raises: EngineError, CatalogError.
    """
    if found := demo_run.find():
        return runs.resume(found)
    from featureviz.engine.precompute import Request  # noqa: PLC0415 - a later start needs no torch
    from tasks.requests import place  # noqa: PLC0415

    return place(
        Request(
            model=str(demo_run.model_folder),
            dictionary=str(demo_run.dictionary_folder),
            corpus=_corpus(),
            max_contexts=MAX_CONTEXTS,
            model_name=demo_run.model,
            name=demo_run.dictionary,
            ablate="all",
        ),
        logger.warning,
    )


def _corpus() -> Path:
    path = Path(settings.FEATUREVIZ_DATA) / "uploads" / "demo.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        write_demo_corpus(part)
        part.replace(path)
    return path
