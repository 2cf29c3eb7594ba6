"""Density in words: which latents fire so rarely that little can be said of them."""

FEW = 10  # active tokens: Cunningham et al. 2023 call a latent active from 11 on
ULTRALOW = 1e-6  # density, Bricken et al. 2023 (there over 100 million tokens)


def rarity(n_active: int, n_tokens: int) -> str:
    """`dead` when it never fired, `ultralow` when hardly ever, else nothing.

    Ultralow: on ten tokens or fewer, or on less than one in a million. In a corpus of under ten
    million tokens the first decides.
    """
    if not n_active:
        return "dead"
    return "ultralow" if n_active <= FEW or n_active < ULTRALOW * n_tokens else ""
