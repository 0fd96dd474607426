"""Pages for people outside, who come with a link or a request and have no account.

Of what is not there, and of what is over, ended or asleep, there is one page, the same to the byte.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.outside import guesses


def over(request: HttpRequest) -> HttpResponse:
    """The answer at a door that leads nowhere, whatever the reason. Raises LimitReached."""
    guesses.note_unknown(request)
    return render(request, "outside/over.html", status=404)
