"""Rare latents, in words."""

import pytest

from featureviz.dashboards.density import rarity


@pytest.mark.parametrize(
    ("n_active", "n_tokens", "word"),
    [
        (0, 450_000, "dead"),
        (3, 450_000, "ultralow"),
        (10, 450_000, "ultralow"),
        (11, 450_000, ""),
        (99, 100_000_000, "ultralow"),  # as in Bricken et al. 2023
        (100, 100_000_000, ""),
        (450_000, 450_000, ""),
    ],
)
def test_a_latent_is_dead_ultralow_or_neither(n_active, n_tokens, word):
    assert rarity(n_active, n_tokens) == word
