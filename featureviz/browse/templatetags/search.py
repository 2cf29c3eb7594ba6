"""Tags of the search page: text with what matched marked in it."""

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from featureviz.browse.search.excerpts import Excerpt, Segment

register = template.Library()


@register.simple_tag
def marked_excerpt(excerpt: Excerpt, url: str = "", elsewhere: str = "") -> SafeString:
    """A line of text; that of an example links to it, another where it is told to."""
    parts = format_html_join("", "{}", ((_segment(each),) for each in excerpt.segments))
    before, after = ("…" if is_cut else "" for is_cut in excerpt.is_cut)
    script = excerpt.script
    line = format_html(
        '<bdi class="line" dir="{}"{}>{}{}{}</bdi>',
        script.direction,
        format_html(' lang="{}"', script.lang) if script.lang else "",
        before,
        parts,
        after,
    )
    if excerpt.place:
        elsewhere = f"{url}?ex={excerpt.place}#ex"
    return format_html('<a class="quiet" href="{}">{}</a>', elsewhere, line) if elsewhere else line


def _segment(segment: Segment) -> SafeString:
    inner = format_html("{}", segment.text)
    if segment.level:
        inner = format_html('<b class="l{} peak">{}</b>', segment.level, inner)
    return format_html("<mark>{}</mark>", inner) if segment.is_match else inner
