"""The device that a model runs on."""

from __future__ import annotations

import torch

from featureviz.engine.errors import DeviceError

AUTO = "auto"


def found(named: str = AUTO) -> str:
    """A device by its name (`cpu`, `cuda`, `cuda:1`); `auto` is a GPU where torch sees one.

    Raises: DeviceError when what is named is not there.
    """
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if named == AUTO:
        return "cuda" if n_gpus else "cpu"
    kind, _, number = named.partition(":")
    if kind == "cuda" and int(number or 0) >= n_gpus:
        raise DeviceError(
            f"{named}: torch {torch.__version__} sees {n_gpus} GPUs here. Set FEATUREVIZ_DEVICE to "
            "cpu or to one of them, or install a build of torch for this machine's GPU."
        )
    return named
