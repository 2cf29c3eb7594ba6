"""The toy model of superposition (Elhage et al. 2022): a ground truth that was planted.

n sparse features pass through m < n dimensions: h = W x, x' = ReLU(Wᵀ h + b). Trained by weighted
squared error; the more important and the sparser its features, the more of them it represents.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

N_FEATURES, N_DIMENSIONS = 20, 5
IMPORTANCE = 0.7 ** torch.arange(N_FEATURES)


@dataclass(frozen=True)
class Toy:
    """A trained toy model."""

    W: Tensor  # [n_dimensions, n_features]; column i is where feature i points
    b: Tensor  # [n_features]

    def hidden(self, x: Tensor) -> Tensor:
        """What the bottleneck carries [n, n_dimensions]."""
        return x @ self.W.T

    def readout(self, x: Tensor) -> Tensor:
        """Its reconstruction of every feature [n, n_features]."""
        return torch.relu(self.hidden(x) @ self.W + self.b)

    @property
    def represented(self) -> list[int]:
        """The features it gave a direction of their own."""
        return [i for i in range(self.W.shape[1]) if float(self.W[:, i].norm()) > 0.7]


def draw(n: int, sparsity: float, seed: int, n_features: int = N_FEATURES) -> Tensor:
    """Feature vectors [n, n_features]: each feature uniform in (0, 1], silent with `sparsity`."""
    generator = torch.Generator().manual_seed(seed)
    values = 1 - torch.rand(n, n_features, generator=generator)
    return values * (torch.rand(n, n_features, generator=generator) >= sparsity)


def train(sparsity: float, seed: int = 0, steps: int = 1000, batch: int = 256) -> Toy:
    """Train a toy model; the same arguments give the same weights."""
    generator = torch.Generator().manual_seed(seed)
    W = (torch.randn(N_DIMENSIONS, N_FEATURES, generator=generator) * 0.3).requires_grad_()
    b = torch.zeros(N_FEATURES, requires_grad=True)
    optimizer = torch.optim.Adam([W, b], lr=1e-2)
    for step in range(steps):
        x = draw(batch, sparsity, seed * 1_000_003 + step)
        loss = (IMPORTANCE * (torch.relu(x @ W.T @ W + b) - x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Toy(W.detach(), b.detach())


def orthogonal(n: int = N_DIMENSIONS, seed: int = 0) -> Toy:
    """As many features as dimensions, one axis each in a shuffled order: nothing interferes."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return Toy(torch.eye(n)[:, order].contiguous(), torch.zeros(n))
