"""The rubric for how well a latent can be understood: six steps, 0 to 14 points.

After Bricken et al. 2023, "Feature Interpretability Rubric". One hypothesis is formed of the whole
latent; the consistency of its strong tokens is rated group by group, so each group has a score.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median

from featureviz.annotate.texts import AnnotateError

TOP = "top"  # the group of the strongest contexts; intervals are named 10, strongest, to 1
GROUPS = (TOP, *(str(number) for number in range(10, 0, -1)))
MOST_CONFIDENCE, MOST_TOKENS, MOST_LOGITS, MOST_GAP, MOST_SPECIFICITY = 3, 5, 3, 1, 3
MOST = 14  # not 15: where all logits agree there is no gap to rate
QUITE = 8  # more than this the paper reads as quite interpretable
LONGEST = 2000  # characters of a hypothesis


@dataclass(frozen=True, slots=True)
class Answers:
    """What a rater answered; none: not yet."""

    hypothesis: str = ""
    confidence: int | None = None
    logits: int | None = None  # consistency of the tokens it promotes
    gap: int | None = None  # 1: those that disagree are set apart by a smaller effect
    specificity: int | None = None
    tokens: Mapping[str, int] = field(default_factory=dict)  # strong ones, by group


def score(confidence: int, tokens: int, logits: int, gap: int, specificity: int) -> int:
    """The points of one group, 0 to 14. Raises: AnnotateError when answers exclude each other."""
    if logits == MOST_LOGITS and gap:
        raise AnnotateError("All logits agree (3 points), so there is no gap to rate: answer 0.")
    return confidence + tokens + logits + gap + specificity


def checked(answers: Answers, asked: tuple[str, ...]) -> Answers:
    """Whole answers, about the groups that have examples and no others. Raises: AnnotateError."""
    if not answers.hypothesis:
        raise AnnotateError("Write your hypothesis, or say that you find none.")
    if answers.logits == MOST_LOGITS and answers.gap is None:
        answers = replace(answers, gap=0)
    rated = [answers.tokens.get(group) for group in asked]
    shared = (answers.confidence, answers.logits, answers.gap, answers.specificity)
    missing = sum(each is None for each in (*shared, *rated))
    if missing:
        raise AnnotateError(f"{missing} question{'s are' if missing > 1 else ' is'} not answered.")
    whole = replace(answers, tokens={group: answers.tokens[group] for group in asked})
    scores(whole)
    return whole


def without_hypothesis(asked: tuple[str, ...]) -> Answers:
    """Of a latent the rater can make nothing of: no points."""
    return Answers("", 0, 0, 0, 0, dict.fromkeys(asked, 0))


def scores(answers: Answers) -> dict[str, int]:
    """The points of each group, of whole answers. Raises: AnnotateError."""
    shared = (answers.confidence, answers.logits, answers.gap, answers.specificity)
    confidence, logits, gap, specificity = (points or 0 for points in shared)
    return {
        group: score(confidence, tokens, logits, gap, specificity)
        for group, tokens in answers.tokens.items()
    }


def overall(answers: Answers) -> float:
    """The points of the latent: the median over its groups, so perhaps a half. 0 without groups."""
    return float(median(scores(answers).values())) if answers.tokens else 0.0
