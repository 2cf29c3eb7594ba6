"""Numbers as people read them: thin thousands, a true minus, never 0 % for what is not nothing."""

import math
from functools import lru_cache

THIN = "\u202f"  # between thousands, and before a percent sign
MINUS = "\u2212"


def whole(number: int) -> str:
    """A count: 260 096."""
    return f"{number:,}".replace(",", THIN).replace("-", MINUS)


def fixed(number: float, decimals: int) -> str:
    """A number with a set count of decimals; no sign on a rounded zero."""
    text = f"{number:,.{decimals}f}".replace(",", THIN)
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", MINUS)


def signed(number: float, decimals: int) -> str:
    """A number whose sign matters: +1.91, −0.64."""
    text = fixed(number, decimals)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


@lru_cache(maxsize=4096)
def decimals_for(scale: float, figures: int = 4) -> int:
    """Decimals that give numbers up to `scale` that many figures, so that a column lines up."""
    if not scale or not math.isfinite(scale):
        return 0
    return min(9, max(0, figures - 1 - math.floor(math.log10(abs(scale)))))


def activation(number: float, top: float) -> str:
    """An activation, with the decimals its latent's maximum asks for."""
    return fixed(number, decimals_for(top)) if number else "0"


def percent(share: float) -> str:
    """A share of one: 38 %, 0.361 %, 0.0005 %; neither 0 nor 100 % unless it is exactly that."""
    if share <= 0 or share >= 1:
        return f"{100 * min(1, max(0, share)):.0f}{THIN}%"
    hundredth = 100 * share
    if hundredth > 99.99:
        return f">99.99{THIN}%"
    nearest = min(hundredth, 100 - hundredth)
    figures = 3 if hundredth < 1 else 2
    return f"{fixed(hundredth, max(0, decimals_for(nearest, figures)))}{THIN}%"


def one_in(share: float) -> str:
    """A share as 1 in 277."""
    return f"1 in {whole(round(1 / share))}" if share else "never"


def rate(per_second: float) -> str:
    """A speed: 1 204, 12, 0.35; never 0 while something moves."""
    return whole(round(per_second)) if per_second >= 10 else fixed(per_second, 2)


def duration(seconds: float) -> str:
    """A time that is left: 40 s, 6 min, 2 h."""
    for limit, unit, length in ((90, "s", 1), (5400, "min", 60)):
        if seconds < limit:
            return f"{max(1, round(seconds / length))}{THIN}{unit}"
    return f"{round(seconds / 3600)}{THIN}h"
