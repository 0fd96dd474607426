"""What a passkey's form needs: its options as JSON in an attribute, since no script is inline."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.core.serializers.json import DjangoJSONEncoder

register = template.Library()


@register.filter
def as_json(value: Any) -> str:
    """The value as JSON text. The template escapes it for the attribute that it stands in."""
    return json.dumps(value, cls=DjangoJSONEncoder)
