"""Tags of the search page: text with what matched marked in it."""

from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from featureviz.browse.search.excerpts import Excerpt, Segment

register = template.Library()


@register.simple_tag
def marked_excerpt(excerpt: Excerpt, url: str = "", elsewhere: str = "") -> SafeString:
    """A line of text; that of an example links to it, another where it is told to."""
    before, after = ("…" if is_cut else "" for is_cut in excerpt.is_cut)
    script = excerpt.script
    lang = f' lang="{script.lang}"' if script.lang else ""
    parts = "".join(map(_segment, excerpt.segments))
    line = f'<bdi class="line" dir="{script.direction}"{lang}>{before}{parts}{after}</bdi>'
    if excerpt.place:
        elsewhere = f"{url}?ex={excerpt.place}#ex"
    if elsewhere:
        line = f'<a class="quiet" href="{escape(elsewhere)}">{line}</a>'
    return mark_safe(line)  # noqa: S308 - its text is escaped in this file


def _segment(segment: Segment) -> str:
    inner = escape(segment.text)
    if segment.level:
        inner = f'<b class="l{segment.level} peak">{inner}</b>'
    return f"<mark>{inner}</mark>" if segment.is_match else inner
