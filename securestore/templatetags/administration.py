"""Where a page of the administration stands, for the way that its top shows."""

from __future__ import annotations

from typing import Any

from django import template

from securestore.administration import area_of

register = template.Library()


@register.simple_tag
def area(opts: Any) -> str:
    """The name of the area in which a model stands."""
    return str(area_of(opts.label_lower).name)


@register.simple_tag
def listed_as(opts: Any) -> str:
    """What a model's list is called, as the menu calls it."""
    names = area_of(opts.label_lower).models
    return str(names.get(opts.label_lower, opts.verbose_name_plural))
