"""What the demo is made of, and where a build keeps it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel

from featureviz.demo.dictionary import DictionaryTraining
from featureviz.demo.model import ModelTraining

MODELS = {"A": 0, "B": 1}  # added to the build's seed
DICTIONARIES = {"A-0": 512, "A-1": 4096, "B-1": 4096}  # latents
LATENTS_A_TOKEN = 12
WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Build:
    """Where a build reads and writes, and its seed."""

    out: Path  # what is shipped
    work: Path  # what is not: training contexts, checkpoints, timings
    seed: int = 0

    def model_training(self, name: str) -> ModelTraining:
        """How model A or B is trained."""
        return ModelTraining(seed=self.seed + MODELS[name])

    def dictionary_training(self, name: str) -> DictionaryTraining:
        """How A-0, A-1 or B-1 is trained."""
        return DictionaryTraining(DICTIONARIES[name], LATENTS_A_TOKEN, seed=self.seed)

    def model(self, name: str) -> GPT2LMHeadModel:
        """A trained model as it is shipped (stored in float16), in float32."""
        return _float32(self.out / name)

    def model_before_rounding(self, name: str) -> GPT2LMHeadModel:
        """The same model as it was trained."""
        return _float32(self.work / f"model-{name}")

    def training_contexts(self) -> Tensor:
        """Contexts of the training text, int64 [n, 128]."""
        return torch.load(self.work / "contexts.pt", weights_only=True).long()

    def note(self, stage: str, **facts: object) -> None:
        """Keep what a stage says of itself, for the record."""
        (self.work / f"{stage}.json").write_text(json.dumps(facts), encoding="utf-8")

    def notes(self, stage: str) -> dict[str, Any]:
        """What a stage said of itself."""
        return dict(json.loads((self.work / f"{stage}.json").read_text(encoding="utf-8")))


def _float32(folder: Path) -> GPT2LMHeadModel:
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
