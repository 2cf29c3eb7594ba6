"""Tags and filters of every template: numbers, tokens, strips, plots."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from django import template
from django.template.base import FilterExpression, Parser, Token
from django.template.context import Context
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from featureviz.browse import formats, plots
from featureviz.browse.by_text import ByText
from featureviz.browse.ends import Ends, two_ended
from featureviz.browse.example_rows import ExampleRows
from featureviz.browse.kept import KEPT
from featureviz.browse.profile import Shown
from featureviz.browse.rows import Row
from featureviz.browse.strips import Strip
from featureviz.browse.switches import Switches
from featureviz.catalog.comparison import Compared
from featureviz.dashboards.schema import Dashboard, Histogram
from featureviz.dashboards.text import main_script, visible

register = template.Library()

for _format in (formats.whole, formats.fixed, formats.signed, formats.percent, formats.one_in,
                formats.duration, formats.rate, formats.activation,
                formats.decimals_for):  # fmt: skip
    register.filter(_format.__name__, _format)


@register.filter
def told(problem: str) -> SafeString:
    """What went wrong, in words for people; `commands` in it as code."""
    parts = enumerate(re.split(r"`([^`\n]+)`", problem))
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", part) if at % 2 else part,) for at, part in parts),
    )


@register.filter
@lru_cache(maxsize=1 << 16)  # a vocabulary: what is worked out once for each token
def token(text: str) -> SafeString:
    """A token on its chip: isolated, in its own language, blanks at its ends shown as ␣."""
    shown = visible(text)
    inner = shown.strip(" ")
    before = len(shown) - len(shown.lstrip(" "))
    after = len(shown) - before - len(inner) if inner else 0
    language = main_script(inner).lang
    lang = f' lang="{language}"' if language else ""
    text = f"{_blanks(before)}{escape(inner)}{_blanks(after)}"
    return mark_safe(f'<bdi class="tok"{lang}>{text}</bdi>')  # noqa: S308 - escaped right here


@register.simple_tag
def token_strip(row: Row, switches: Switches) -> SafeString:
    """One text."""
    strip = Strip(row, spaces=switches.sp == "on")
    return mark_safe(strip.html())  # noqa: S308 - escapes its text


@register.simple_tag(takes_context=True)
def example_rows(context: Context, rows: Iterable[Row]) -> SafeString:
    """Examples as list items, the way the page is drawn."""
    page = context["page"]
    elsewhere = str(context.get("elsewhere") or "")
    drawn = ExampleRows(page.switches, page.effects, page.latent.index, elsewhere)
    return mark_safe(drawn.html(rows))  # noqa: S308 - escapes its text


@register.simple_tag
def activation_histogram(dashboard: Dashboard) -> SafeString:
    """The histogram of a latent's activations."""
    return mark_safe(plots.activation_histogram(dashboard))  # noqa: S308 - numbers only


@register.simple_tag
def two_ends_histogram(ends: Ends) -> SafeString:
    """The histogram of both ends of a signed latent."""
    return mark_safe(two_ended(ends))  # noqa: S308 - numbers, and addresses escaped there


@register.simple_tag
def facing_histogram(each: Compared, scale: str, top: float) -> SafeString:
    """The histogram of one of several latents, on an axis of its own or on theirs."""
    axis = top if scale == "shared" else abs(each.dashboard.max_activation)
    plot = plots.facing_histogram(each.dashboard, axis)
    return mark_safe(plot)  # noqa: S308 - numbers only


@register.simple_tag
def logit_histogram(histogram: Histogram) -> SafeString:
    """The histogram of a latent's logit weights."""
    return mark_safe(plots.logit_histogram(histogram))  # noqa: S308 - numbers only


@register.simple_tag
def class_histogram(shown: Shown, top: float) -> SafeString:
    """Active tokens by level of activation, in a class and not."""
    plot = plots.class_histogram(shown.weakest_first, top)
    return mark_safe(plot)  # noqa: S308 - numbers only


@register.simple_tag
def class_shares(shown: Shown, top: float) -> SafeString:
    """The share in a class by level of activation."""
    plot = plots.class_shares(shown.weakest_first, top, shown.base)
    return mark_safe(plot)  # noqa: S308 - numbers only


@register.simple_tag
def count_histogram(histogram: Histogram, unit: str) -> SafeString:
    """How many there are between edges."""
    return mark_safe(plots.count_histogram(histogram, unit))  # noqa: S308 - numbers and our words


@register.simple_tag
def length_bar(value: float, longest: float, classes: str = "") -> SafeString:
    """A thin bar for a number beside it."""
    share = abs(value) / abs(longest) if longest else 0.0
    return mark_safe(plots.length_bar(share, classes))  # noqa: S308 - numbers only


@register.simple_tag
def level_strip(levels: Sequence[int]) -> SafeString:
    """Where on a text a latent fires."""
    return mark_safe(plots.level_strip(levels))  # noqa: S308 - numbers only


@register.simple_tag
def by_text_query(by_text: ByText, **changes: object) -> str:
    """The address of the latents of a text, with changes."""
    return by_text.address(**{name: str(value) for name, value in changes.items()})


@register.simple_tag
def figure(value: float | None, leads_by: frozenset[str], name: str) -> SafeString:
    """A figure of two latents; bold where it is one of the largest of its kind."""
    if value is None:
        return mark_safe('<span title="not defined here">–</span>')
    text = "<0.01" if 0 < value < 0.005 else formats.fixed(value, 2)
    text = escape(text)
    return mark_safe(f"<b>{text}</b>" if name in leads_by else text)  # noqa: S308 - numbers only


@register.simple_tag
def switch_query(switches: Switches, **changes: str) -> str:
    """The end of an address with some switches changed."""
    return switches.query(**changes)


@register.simple_tag
def flip_query(switches: Switches, name: str) -> str:
    """The end of an address with one switch flipped."""
    return switches.query(**{name: switches.flipped(name)})


@register.tag
def kept(parser: Parser, token: Token) -> template.Node:
    """`{% kept "name" %} … {% endkept %}`: a part of a latent's page that is drawn once.

    Only what `page.decided_by` names may decide how it looks, or what a second argument names;
    where that is none, it is drawn anew.
    """
    _, name, *decided_by = token.split_contents()
    nodes = parser.parse(("endkept",))
    parser.delete_first_token()
    by = parser.compile_filter(decided_by[0] if decided_by else "page.decided_by")
    return _Kept(name.strip('"'), by, nodes)


class _Kept(template.Node):
    def __init__(self, name: str, by: FilterExpression, nodelist: template.NodeList) -> None:
        self.name = name
        self.by = by
        self.nodelist = nodelist

    def render(self, context: Context) -> SafeString:
        decided_by = self.by.resolve(context)
        if decided_by is None:
            return self.nodelist.render(context)
        return KEPT.part((self.name, decided_by), lambda: self.nodelist.render(context))


def _blanks(count: int) -> str:
    return f"<i>{'␣' * count}</i>" if count else ""
