"""Words and addresses of templates that are always the same, looked up once for each language.

`translate` of words that stand in the template, and `url` of a page that takes no argument: a page
has a hundred of them, and each is looked up in catalogues or in all addresses of the site. As
Django's in all else.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.template import defaulttags
from django.template.base import Node, Parser, Token
from django.templatetags import i18n
from django.urls import get_script_prefix, get_urlconf
from django.utils.translation import get_language

register = template.Library()


class Constant(Node):
    """A node that always gives the same in one language, at one place."""

    child_nodelists = ()

    def __init__(self, node: Any) -> None:
        self._node = node
        self._kept: dict[Any, Any] = {}

    def render(self, context: Any) -> Any:
        """What the node gave the first time; what it names is named again."""
        name = self._node.asvar
        key = (
            *(get_language(), context.autoescape),
            *(get_script_prefix(), get_urlconf(), settings.ROOT_URLCONF),
        )
        if key not in self._kept:
            shown = self._node.render(context)
            self._kept[key] = context[name] if name else shown
        if not name:
            return self._kept[key]
        context[name] = self._kept[key]
        return ""


def translate(parser: Parser, token: Token) -> Node:
    """Django's, kept where the words stand in the template."""
    node: Any = i18n.do_translate(parser, token)
    words = node.filter_expression
    stands_there = getattr(words.var, "literal", None) is not None and not words.filters
    return Constant(node) if stands_there and _is_literal(node.message_context) else node


@register.tag
def url(parser: Parser, token: Token) -> Node:
    """Django's, kept where it names a page that takes nothing."""
    node: Any = defaulttags.url(parser, token)
    takes_nothing = not node.args and not node.kwargs
    return Constant(node) if takes_nothing and _is_literal(node.view_name) else node


def _is_literal(expression: Any) -> bool:
    return expression is None or (isinstance(expression.var, str) and not expression.filters)


# Into Django's own library: what `{% load i18n %}` loads stands before what every template has.
django_library: Any = i18n.register
for name in ("translate", "trans"):
    django_library.tag(name, translate)
