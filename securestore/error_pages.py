"""The words of the site's error pages: what is the matter, and what to do.

None of them may tell a detail of a failure. Which of them answers what is in `securestore.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy


@dataclass(frozen=True)
class Page:
    """One error, in the words that people read."""

    status: int
    title: str | Promise
    text: str | Promise


BAD_REQUEST = Page(
    400,
    gettext_lazy("That request could not be understood"),
    gettext_lazy("Go back, reload the page and try again."),
)
UNKNOWN_HOST = Page(
    400,
    gettext_lazy("This site has another name"),
    gettext_lazy(
        "It does not answer under the name in this address. Use the address that you "
        "were given; who runs the site names it in ALLOWED_HOSTS."
    ),
)
NO_FILES = Page(
    400,
    gettext_lazy("This page takes no files"),
    gettext_lazy(
        "Nothing was stored. Files are uploaded on the page Upload, or by tus to /uploads/."
    ),
)
UNREADABLE_FORM = Page(
    400,
    gettext_lazy("The form could not be read"),
    gettext_lazy(
        "Nothing was changed. It says that it is multipart/form-data (RFC 7578), and "
        "is not: its boundary is missing, or its parts are. Go back, reload the page "
        "and try again."
    ),
)
PERMISSION_DENIED = Page(
    403,
    gettext_lazy("You may not do that"),
    gettext_lazy("If you need to, ask an administrator for the permission."),
)
CSRF = Page(
    403,
    gettext_lazy("The page was open for too long"),
    gettext_lazy(
        "Nothing was changed. Go back, reload the page and try again. If that does not "
        "help, allow this site to set cookies."
    ),
)
NO_FORM = Page(
    403,
    gettext_lazy("The request was empty"),
    gettext_lazy(
        "Nothing was changed. The form of this page, with the token in it, did not "
        "arrive. Go back, reload the page and try again."
    ),
)
NO_COOKIE = Page(
    403,
    gettext_lazy("The cookie of this site did not come along"),
    gettext_lazy(
        "Nothing was changed. Allow this site to set cookies, go back, reload the page "
        "and try again."
    ),
)
FOREIGN_FORM = Page(
    403,
    gettext_lazy("That form is not of this site"),
    gettext_lazy(
        "Nothing was changed. The page that it was sent from has another address than "
        "this one. Open this site by its own address and try again. If that is what "
        "you did, tell an administrator: the proxy before the site may not tell it its "
        "address."
    ),
)
NO_TOKEN_IN_FORM = Page(
    403,
    gettext_lazy("The form came without its token"),
    gettext_lazy(
        "Nothing was changed. Go back, reload the page and send the form from there. "
        "Programs send the token of a page's form along, as csrfmiddlewaretoken or in "
        "the header X-CSRFToken."
    ),
)
NO_TOKEN = Page(
    403,
    gettext_lazy("The token is missing"),
    gettext_lazy(
        "Nothing was changed. Send the token of a page's form as X-CSRFToken, with the "
        "cookies that came with it."
    ),
)
NOT_FOUND = Page(
    404,
    gettext_lazy("Not found"),
    gettext_lazy(
        "There is nothing at this address, or it was not shared with you. Sharing may "
        "have ended: ask the person who shared it."
    ),
)
CUT_OFF = Page(
    400,
    gettext_lazy("The request was cut off"),
    gettext_lazy("It ended before it was complete. Nothing was changed. Go back and try again."),
)
CROWDED = Page(
    503,
    gettext_lazy("Too many requests at once"),
    gettext_lazy(
        "The server waits for too many others to finish sending. Nothing was changed. "
        "Wait a few seconds, then try again."
    ),
)
SERVER_ERROR = Page(
    500,
    gettext_lazy("Something went wrong"),
    gettext_lazy(
        "The failure has been recorded. Try again; if it happens again, tell an administrator."
    ),
)
UNAVAILABLE = Page(
    503,
    gettext_lazy("Not available at the moment"),
    gettext_lazy(
        "The service is busy or a part of it cannot be reached. Nothing was stored. "
        "Wait a few seconds, then try again."
    ),
)
NOT_IN_SERVICE = Page(
    503,
    gettext_lazy("The vault is being moved"),
    gettext_lazy(
        "Nothing was changed. Files that are here stay, and what was uploaded in part "
        "can be gone on with. Try again later; if this lasts, ask an administrator."
    ),
)
TOO_BUSY = Page(
    503,
    gettext_lazy("Too busy at the moment"),
    gettext_lazy(
        "Too many passwords are being checked at once, so yours was not: nothing was "
        "done, and nothing counts against you. Wait a few seconds, then try again."
    ),
)
INTERRUPTED = replace(
    UNAVAILABLE,
    text=gettext_lazy(
        "The service is busy or a part of it cannot be reached. Nothing was stored as "
        "a file; what is safe of this upload stays safe. Wait a few seconds and try "
        "again: ask with HEAD where it stands, and go on from there."
    ),
)


def too_many_fields(most: int) -> Page:
    """A form, or an address, with more than so many fields."""
    return Page(
        400,
        gettext("That is more than a form may have"),
        gettext(
            "Nothing was changed. A form, or an address, may have {most} fields, and this "
            "one has more. Go back, choose fewer at a time and try again."
        ).format(most=most),
    )


def not_allowed(method: str, allowed: str) -> Page:
    """A method that is not among those that are taken here, which `allowed` lists."""
    return Page(
        405,
        gettext("That cannot be done at this address"),
        gettext("Nothing was done. {method} is not taken here, but {allowed}.").format(
            method=method, allowed=allowed
        ),
    )


def too_many_attempts(wait: str) -> Page:
    """None is left before so long a time, in words, has passed."""
    return Page(
        429,
        gettext("Too many attempts"),
        gettext("Nothing was done. Try again in {wait}.").format(wait=wait),
    )


def too_slow(reason: str) -> Page:
    """What was sent came too slowly to be waited for."""
    return Page(
        408,
        gettext("That took too long to arrive"),
        gettext(
            "%(reason)s Nothing was changed. Go back and try again, on a faster line if "
            "there is one."
        )
        % {"reason": reason},
    )


def too_many_transfers(number: int, *, is_own: bool) -> Page:
    """No transfer more may run at once: of this person, or of anybody."""
    if is_own:
        return Page(
            429,
            gettext("Too many transfers at once"),
            gettext(
                "%(number)s of your uploads and downloads are running, which is as many as one "
                "person may have at once. Nothing was changed. Wait until one of them has "
                "ended, then try again."
            )
            % {"number": number},
        )
    return Page(
        503,
        gettext("All places for transfers are taken"),
        gettext(
            "%(number)s uploads and downloads are running, which is as many as the server "
            "takes at once. Nothing was changed. Wait a few seconds, then try again."
        )
        % {"number": number},
    )
