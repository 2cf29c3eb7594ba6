"""The words of what people write about latents."""

from django.db import models

from featureviz.annotate.models import Comment, Explanation, Tag


class Word(models.Model):
    """A word of a text, folded as dashboards/words.py folds it.

    Kept as bytes: they are compared alike by every database, whatever its collation.
    """

    word = models.BinaryField(max_length=200)  # UTF-8, the first LONGEST bytes

    LONGEST = 200

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return bytes(self.word).decode(errors="replace")


class ExplanationWord(Word):
    """A word of an explanation."""

    explanation = models.ForeignKey(Explanation, models.CASCADE, related_name="found_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["word", "explanation"], name="explanation_word_once")
        ]


class CommentWord(Word):
    """A word of a comment."""

    comment = models.ForeignKey(Comment, models.CASCADE, related_name="found_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["word", "comment"], name="comment_word_once")
        ]


class TagWord(Word):
    """A word of a tag."""

    tag = models.ForeignKey(Tag, models.CASCADE, related_name="found_by")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["word", "tag"], name="tag_word_once")]
