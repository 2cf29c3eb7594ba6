"""The rubric: its sums, and answers that exclude each other."""

import pytest

from featureviz.annotate import rubric
from featureviz.annotate.rubric import Answers
from featureviz.annotate.texts import AnnotateError


@pytest.mark.parametrize(
    ("answers", "points"),
    [((2, 4, 2, 1, 3), 12), ((3, 5, 3, 0, 3), 14), ((0, 0, 0, 0, 0), 0), ((3, 5, 2, 1, 3), 14)],
)
def test_the_score_is_the_sum_of_the_answers(answers, points):
    assert rubric.score(*answers) == points


def test_there_is_no_gap_where_all_logits_agree():
    with pytest.raises(AnnotateError, match="no gap to rate"):
        rubric.score(3, 5, 3, 1, 3)


def test_each_group_has_a_score_and_the_latent_their_median():
    answers = Answers("Dates", 2, 2, 1, 3, {"top": 5, "10": 4, "9": 1, "1": 0})
    assert rubric.scores(answers) == {"top": 13, "10": 12, "9": 9, "1": 8}
    assert rubric.overall(answers) == 10.5


def test_answers_are_whole_once_every_group_with_examples_is_rated():
    answers = Answers("Dates", 2, 2, 1, 3, {"top": 5})
    assert rubric.checked(answers, ("top",)) == answers
    with pytest.raises(AnnotateError, match="2 questions are not answered"):
        rubric.checked(answers, ("top", "10", "9"))


def test_points_of_a_group_without_examples_do_not_count():
    answers = Answers("Dates", 2, 2, 1, 3, {"top": 5, "1": 0})
    assert rubric.checked(answers, ("top",)).tokens == {"top": 5}


def test_where_all_logits_agree_the_gap_is_not_asked():
    answers = Answers("Dates", 2, 3, None, 3, {"top": 5})
    assert rubric.checked(answers, ("top",)).gap == 0


def test_a_hypothesis_is_asked_for():
    with pytest.raises(AnnotateError, match="say that you find none"):
        rubric.checked(Answers("", 2, 2, 1, 3, {"top": 5}), ("top",))


def test_without_a_hypothesis_there_are_no_points():
    answers = rubric.without_hypothesis(("top", "10"))
    assert rubric.scores(answers) == {"top": 0, "10": 0}
    assert rubric.overall(answers) == 0
