"""The one rule of who may do what with which file and folder.

A person sees a file when the person is active and owns it, or holds a live grant to it or to a
folder above it, themselves or through a group; and while neither it nor a folder above it was put
away. Nothing below takes away what a grant on a folder gives. Being a superuser adds nothing:
content is for those who were granted it. Every view, command and admin page that touches content
fetches through the querysets here; a second copy of the rule anywhere else is a bug.

Who asks is a principal, made by the door: a person, a program with a token of a person's, or
somebody outside with a link or a request of a person's. Kinds of principals are added, rules are
not: a program has its person's access, less what its token takes away from it by its scopes and its
folder; who comes with a link reads what its maker manages of what it is for, and with a request
adds to it, while its maker still may have made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.models import Permission as Granted
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from files.access.permissions import Permission
from files.access.principals import Link, Outsider, Person, Principal, Program, Request, Scope
from files.models import Ancestry, FileRecord, Folder, Grant, GrantQuerySet

LEVELS: Final = {"download": 0, "add": 1, "manage": 2}
"""The levels of a grant, and how wide each is."""

TO_ADD: Final = ("add", "manage")
"""The levels that let somebody put things into a folder."""

_MANAGE: Final = ("manage",)

_READS: Final = frozenset({Scope.READ, Scope.SHARE, Scope.MANAGE})
GOES_IN: Final = frozenset({Scope.READ, Scope.ADD, Scope.SHARE, Scope.MANAGE})
_ADDS: Final = frozenset({Scope.ADD, Scope.MANAGE})
_DECIDES: Final = frozenset({Scope.SHARE, Scope.MANAGE})
_LOOKS_BACK: Final = frozenset({Scope.READ, Scope.MANAGE})
"""The scopes of which a token needs one for a part of the rule. What each operation takes besides,
its door asks."""


# --- Files -------------------------------------------------------------------------------------


def visible_to(principal: Principal) -> QuerySet[FileRecord]:
    """Files that the principal may see and, with the function's permission, download."""
    user = principal.user
    reached = Q(owner_id=user.pk) | _granted(user, _levels(principal, None))
    return _narrowed(_awake_files(user).filter(reached), principal, _READS, "folder", Link)


def managed_by(principal: Principal) -> QuerySet[FileRecord]:
    """Files that the principal may share, rename and put away: the owner's, `manage` grants."""
    user = principal.user
    files = _awake_files(user).filter(Q(owner_id=user.pk) | _granted(user, _MANAGE))
    return _narrowed(files, principal, _DECIDES, "folder")


def former_visible_to(principal: Principal) -> QuerySet[FileRecord]:
    """Files whose former versions and history the principal may read: those managed."""
    user = principal.user
    files = _awake_files(user).filter(Q(owner_id=user.pk) | _granted(user, _MANAGE))
    return _narrowed(files, principal, _LOOKS_BACK, "folder")


def covered_by(folder: Folder) -> QuerySet[FileRecord]:
    """Files that whoever may see that folder may see with it: what is in it and below, awake."""
    awake = Folder.objects.filter(~_sleeping(OuterRef("pk")), above__ancestor=folder)
    return FileRecord.objects.filter(folder__in=awake.order_by().values("pk"), trashed_at=None)


def removable_by(principal: Principal) -> QuerySet[FileRecord]:
    """Files that the principal may put away: those managed, and one's own additions.

    What somebody added is theirs to take back for as long as they may still add there.
    """
    user = principal.user
    managed = Q(owner_id=user.pk) | _granted(user, _MANAGE)
    added = Q(uploaded_by=user.pk) & _granted(user, TO_ADD)
    if isinstance(principal, Program) and Scope.MANAGE not in principal.scopes:
        # To add takes back what was added, among one's own files as well, and nothing else.
        managed = Q(owner_id=user.pk, uploaded_by=user.pk)
    return _narrowed(_awake_files(user).filter(managed | added), principal, _ADDS, "folder")


def replaceable_by(principal: Principal) -> QuerySet[FileRecord]:
    """Files that the principal may upload a new version of: as `removable_by`.

    Those managed, and those whose current version is their own, while they may still add there.
    """
    return removable_by(principal)


def _awake_files(user: User | AnonymousUser) -> QuerySet[FileRecord]:
    # Anonymous users are not active either.
    if not user.is_active:
        return FileRecord.objects.none()
    return FileRecord.objects.filter(~_sleeping(OuterRef("folder")), trashed_at=None)


def _granted(user: User | AnonymousUser, levels: Iterable[str] | None) -> Q:
    """Files that a live grant reaches, by itself or on a folder above."""
    grants = _live(levels)
    # Looked for by its place: a database that had the choice might look at all grants of a
    # file, or all of a person, and these may be many.
    personal, shared = (
        way.values("file") for way in grants.filter(file_place=OuterRef("place")).by_way(user)
    )
    return Q(pk__in=personal) | Q(pk__in=shared) | _through(user, levels, "folder")


def _through(user: User | AnonymousUser, levels: Iterable[str] | None, folder: str) -> Q:
    """What a live grant reaches that is on the folder of that field, or on one above it."""
    reached = Q()
    for way in _live(levels).filter(folder__below__descendant=OuterRef(folder)).by_way(user):
        reached |= Q(Exists(way))
    return reached


# --- Folders -----------------------------------------------------------------------------------


def folders_visible_to(principal: Principal) -> QuerySet[Folder]:
    """Folders that the principal may see, with all that is in them."""
    user = principal.user
    reached = Q(owner_id=user.pk) | _through(user, _levels(principal, None), "pk")
    return _narrowed(_awake_folders(user).filter(reached), principal, GOES_IN, "pk", Link)


def addable_by(principal: Principal) -> QuerySet[Folder]:
    """Folders that the principal may put files into, and make folders in."""
    user = principal.user
    reached = Q(owner_id=user.pk) | _through(user, _levels(principal, TO_ADD), "pk")
    return _narrowed(_awake_folders(user).filter(reached), principal, _ADDS, "pk", Request)


def folders_managed_by(principal: Principal) -> QuerySet[Folder]:
    """Folders that the principal may share, rename and put away; never somebody's root."""
    user = principal.user
    managed = Q(owner_id=user.pk) | _through(user, _MANAGE, "pk")
    folders = _awake_folders(user).filter(managed, parent__isnull=False)
    return _narrowed(folders, principal, _DECIDES, "pk")


def folders_accounted_to(principal: Principal) -> QuerySet[Folder]:
    """Folders of which the principal may know who has read what is in them: those managed.

    As `former_visible_to` of files.
    """
    user = principal.user
    managed = Q(owner_id=user.pk) | _through(user, _MANAGE, "pk")
    folders = _awake_folders(user).filter(managed, parent__isnull=False)
    return _narrowed(folders, principal, _LOOKS_BACK, "pk")


def folders_removable_by(principal: Principal) -> QuerySet[Folder]:
    """Folders that the principal may put away: those managed, and one's own additions.

    A folder that one added is one's own as long as everything in it is, too.
    """
    user = principal.user
    below = Ancestry.objects.filter(ancestor=OuterRef("pk"))
    of_others = below.exclude(descendant__added_by=user.pk)
    files = FileRecord.objects.filter(folder__above__ancestor=OuterRef("pk"))
    added = Q(
        ~Exists(of_others), ~Exists(files.exclude(uploaded_by=user.pk)), added_by=user.pk
    ) & _through(user, TO_ADD, "parent")
    managed = Q(owner_id=user.pk) | _through(user, _MANAGE, "pk")
    folders = _awake_folders(user).filter(managed | added, parent__isnull=False)
    return _narrowed(folders, principal, frozenset({Scope.MANAGE}), "pk")


def _awake_folders(user: User | AnonymousUser) -> QuerySet[Folder]:
    if not user.is_active:
        return Folder.objects.none()
    return Folder.objects.filter(~_sleeping(OuterRef("pk")))


def covered_by_one_grant(principal: Principal, one: Folder, other: Folder) -> bool:
    """Whether a single live grant to manage covers both folders: what a move by a manager takes."""
    user = principal.user
    if not user.is_active or isinstance(principal, Outsider):
        return False
    if isinstance(principal, Program):
        within = _narrowed(Folder.objects.all(), principal, frozenset({Scope.MANAGE}), "pk")
        if within.filter(pk__in={one.pk, other.pk}).count() < len({one.pk, other.pk}):
            return False
    # By name: a database that was asked in one would begin at all grants of the person.
    above = Ancestry.objects.filter(descendant__in={one.pk, other.pk}).order_by("ancestor")
    shared = above.values_list("ancestor").annotate(ends=Count("descendant"))
    over_both = [pk for pk, ends in shared if ends == len({one.pk, other.pk})]
    grants = _live(_MANAGE).filter(folder__in=over_both)
    return any(way.exists() for way in grants.by_way(user))


# --- What was put away -------------------------------------------------------------------------


def trashed_files_of(principal: Principal) -> QuerySet[FileRecord]:
    """Files that were put away and that the principal may bring back.

    The owner's; and, while the folder that they were in is awake, of who manages that folder, and
    of who put them away and may still add there.
    """
    user = principal.user
    if not user.is_active:
        return FileRecord.objects.none()
    put_away = FileRecord.objects.filter(trashed_at__isnull=False)
    found = put_away.filter(Q(owner_id=user.pk) | _brings_back(user, "folder"))
    return _narrowed(found, principal, _LOOKS_BACK, "folder")


def trashed_folders_of(principal: Principal) -> QuerySet[Folder]:
    """The same of folders: those that carry the mark themselves, and not what is in them."""
    user = principal.user
    if not user.is_active:
        return Folder.objects.none()
    put_away = Folder.objects.filter(trashed_at__isnull=False, purged_at=None, waits_for=None)
    found = put_away.filter(Q(owner_id=user.pk) | _brings_back(user, "parent"))
    return _narrowed(found, principal, _LOOKS_BACK, "parent")


def _brings_back(user: User | AnonymousUser, parent: str) -> Q:
    added = Q(trashed_by=user.pk) & _through(user, TO_ADD, parent)
    return Q(~_sleeping(OuterRef(parent))) & (_through(user, _MANAGE, parent) | added)


# --- What waits --------------------------------------------------------------------------------


def waiting_for(principal: Principal) -> QuerySet[FileRecord]:
    """Files from outside that wait to be accepted, in a folder that sleeps: nobody else sees them.

    Of who made the request, and of the folder's owner, while they manage the request's folder.
    """
    user = principal.user
    managed = folders_managed_by(principal).values("pk")
    waiting = FileRecord.objects.filter(
        trashed_at=None,
        folder__waits_for__isnull=False,
        received__accepted_at=None,
        received__declined_at=None,
        received__sender__request__folder__in=managed,
    )
    return waiting.filter(Q(received__sender__request__maker=user.pk) | Q(owner_id=user.pk))


# --- The parts of the rule ---------------------------------------------------------------------


Rows = TypeVar("Rows", FileRecord, Folder)


def _narrowed(
    rows: QuerySet[Rows],
    principal: Principal,
    scopes: frozenset[str],
    folder: str,
    outside: type[Outsider] | None = None,
) -> QuerySet[Rows]:
    """What is left of a person's rows to a program with one of those scopes, or to who is outside.

    `folder` is the field that says in which folder they are; `outside`, which of those outside have
    this part of the rule at all.
    """
    if isinstance(principal, Person):
        return rows
    if isinstance(principal, Outsider):
        if outside is None or not isinstance(principal, outside):
            return rows.none()
        return _left_to(principal, rows, folder)
    if not principal.scopes & scopes:
        return rows.none()
    if principal.folder is None:
        return rows
    over = Ancestry.objects.filter(ancestor=principal.folder, descendant=OuterRef(folder))
    return rows.filter(Exists(over))


def _left_to(who: Outsider, rows: QuerySet[Rows], folder: str) -> QuerySet[Rows]:
    """What is left to somebody outside: at and below the root, while its maker may let them in."""
    if who.until <= timezone.now():
        return rows.none()
    if isinstance(who, Link) and who.file is not None:
        rows = rows.filter(pk=who.file)  # No folder has the id of a file.
    else:
        over = Ancestry.objects.filter(ancestor=who.folder, descendant=OuterRef(folder))
        rows = rows.filter(Exists(over))
    needed = Permission.LINK if isinstance(who, Link) else Permission.REQUEST
    return rows.filter(Exists(_makers(who, needed)))


def _makers(who: Outsider, needed: Permission) -> QuerySet[User]:
    """The maker, if they are active and may make one now: as `User.has_perm`, in the same query."""
    app, _dot, codename = needed.partition(".")
    given = Granted.objects.filter(codename=codename, content_type__app_label=app)
    may = Q(is_superuser=True) | Q(user_permissions__in=given) | Q(groups__permissions__in=given)
    return User.objects.filter(may, pk=who.user.pk, is_active=True)


def may_let_in(who: Outsider) -> bool:
    """Whether its maker may let anybody in by such a thing now. One query."""
    needed = Permission.LINK if isinstance(who, Link) else Permission.REQUEST
    return who.until > timezone.now() and _makers(who, needed).exists()


def _levels(principal: Principal, levels: Iterable[str] | None) -> Iterable[str] | None:
    """The levels of grants that count: to let others in, one manages."""
    return _MANAGE if isinstance(principal, Outsider) else levels


def _live(levels: Iterable[str] | None) -> GrantQuerySet:
    live = Grant.objects.live().order_by()
    return live if levels is None else live.filter(level__in=list(levels))


def _sleeping(folder: Any) -> Exists:
    """Whether that folder was put away, or one above it."""
    return Exists(Ancestry.objects.filter(descendant=folder, ancestor__trashed_at__isnull=False))
