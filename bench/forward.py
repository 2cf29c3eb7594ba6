"""What TransformerLens's hooks cost beside the plain transformer with fused attention."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import GPT2LMHeadModel

from bench.rows import Row, ratio, seconds
from bench.subjects import Size, write_model
from featureviz.engine.subject import load_subject

_REPEATS = 5
_BATCHES = 8


def rows() -> Iterator[Row]:
    """Our forward pass to the hook against transformers' own up to the same layer."""
    size = Size(n_layers=5)
    with TemporaryDirectory(prefix="featureviz-bench-") as name:
        folder = Path(name)
        write_model(folder, size)
        subject = load_subject(str(folder))
        plain = _plain(folder, size.n_layers - 1)
        batches = [torch.randint(0, size.d_vocab, (32, size.n_ctx)) for _ in range(_BATCHES)]

        def ours() -> None:
            for tokens in batches:
                subject.activations(tokens, size.hook)

        def theirs() -> None:
            with torch.inference_mode():
                for tokens in batches:
                    plain(tokens)

        ours()
        theirs()
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(_REPEATS)]
    note = "4 layers of width 256 to a hook; eager attention and one call a hook point remain"
    yield ratio("tl_overhead", pairs, None, note)


def _plain(folder: Path, n_layers: int) -> Any:
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="sdpa").eval().transformer
    model.h = model.h[:n_layers]
    model.ln_f = torch.nn.Identity()
    return model
