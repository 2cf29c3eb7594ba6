"""Random dictionaries made and saved by SAELens, to compare ours with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from sae_lens import (
    SAE,
    GatedSAE,
    GatedSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
)
from sae_lens.saes.sae import SAEMetadata

from featureviz.engine.dictionaries.load import load_dictionary

D_IN, D_SAE, HOOK = 16, 48, "blocks.1.hook_resid_pre"

KINDS: dict[str, tuple[type[SAE[Any]], type[Any]]] = {
    "standard": (StandardSAE, StandardSAEConfig),
    "topk": (TopKSAE, TopKSAEConfig),
    "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig),
    "gated": (GatedSAE, GatedSAEConfig),
}


def save(architecture: str, folder: Path, seed: int = 0, **cfg: Any) -> Path:
    """A random dictionary of this architecture, all its tensors non-trivial, saved by SAELens."""
    make, make_config = KINDS[architecture]
    metadata = SAEMetadata(hook_name=HOOK, context_size=16)
    sae = make(make_config(d_in=D_IN, d_sae=D_SAE, metadata=metadata, **cfg))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sae.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 3)
            if name == "W_dec":
                weight.mul_(torch.rand(D_SAE, 1, generator=generator) * 3 + 0.2)
            if name == "threshold":
                weight.copy_(torch.rand(D_SAE, generator=generator) - 0.2)
    sae.save_model(folder)
    return folder


def points(n: int = 200) -> torch.Tensor:
    return torch.randn(n, D_IN, generator=torch.Generator().manual_seed(99)) * 2


def assert_same_as_saelens(folder: Path, x: torch.Tensor | None = None) -> None:
    """Codes and reconstruction of the folder agree between SAELens and us."""
    x = points() if x is None else x
    theirs = SAE.load_from_disk(folder, device="cpu")
    ours = load_dictionary(str(folder))
    with torch.inference_mode():
        codes = theirs.encode(x)
        found = ours.codes(x).dense()
        assert (codes > 0).any(), "a comparison of silence proves nothing"
        torch.testing.assert_close(found, codes, atol=1e-5, rtol=1e-5)
        assert torch.equal(found > 0, codes > 0)
        rebuilt = found @ ours.W_dec + ours.b_dec
        torch.testing.assert_close(rebuilt, theirs.decode(codes), atol=1e-4, rtol=1e-4)


def toy(folder: Path, write: Any, **changes: Any) -> Any:
    """METHODS 3's toy: decoder rows [1, 0], [0, 1], [.6, .8], the encoder their transpose."""
    W_dec = torch.tensor([[1, 0], [0, 1], [0.6, 0.8]])
    tensors = {
        "W_enc": W_dec.T.contiguous(),
        "b_enc": torch.zeros(3),
        "W_dec": W_dec,
        "b_dec": torch.zeros(2),
    }
    extra = {name: value for name, value in changes.items() if isinstance(value, torch.Tensor)}
    cfg = {name: value for name, value in changes.items() if name not in extra}
    write(folder, tensors | extra, **{"d_in": 2, "d_sae": 3, **cfg})
    return load_dictionary(str(folder))


def worked(dictionary: Any) -> tuple[list[float], list[float]]:
    """Codes and reconstruction of the toy at x = [3, 4], rounded to the sixth decimal."""
    codes = dictionary.codes(torch.tensor([[3.0, 4.0]])).dense()
    rebuilt = codes @ dictionary.W_dec + dictionary.b_dec
    return rounded(codes), rounded(rebuilt)


def rounded(row: torch.Tensor) -> list[float]:
    return [round(value, 6) for value in row[0].tolist()]
