"""The words of explanations."""

from django.db import models

from featureviz.annotate.models import Explanation


class ExplanationWord(models.Model):
    """A word of an explanation, folded as dashboards/words.py folds it.

    Kept as bytes: they are compared alike by every database, whatever its collation.
    """

    explanation = models.ForeignKey(Explanation, models.CASCADE, related_name="found_by")
    word = models.BinaryField(max_length=200)  # UTF-8, the first LONGEST bytes

    LONGEST = 200

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["word", "explanation"], name="explanation_word_once")
        ]

    def __str__(self) -> str:
        return bytes(self.word).decode(errors="replace")
