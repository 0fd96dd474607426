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

import enum
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard, TypeVar, cast
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.models import Permission as Granted
from django.db.models import Count, Exists, F, Field, OuterRef, Q, QuerySet
from django.db.models.lookups import In
from django.utils import timezone

from accounts.models import Token, User
from files.models import Ancestry, FileRecord, Folder, Grant, GrantQuerySet, Item
from runtime.statements import IDS, NUMBER, NUMBERS, Many, Somebody, statement

LEVELS: Final = {"download": 0, "add": 1, "manage": 2}
"""The levels of a grant, and how wide each is."""

TO_ADD: Final = ("add", "manage")
"""The levels that let somebody put things into a folder."""

_MANAGE: Final = ("manage",)


class Permission(enum.StrEnum):
    """Who may use a function at all. Grants then decide on which file or folder."""

    UPLOAD = "files.add_filerecord"
    DOWNLOAD = "files.download_filerecord"
    SHARE = "files.add_grant"
    SHARE_OWN = "files.share_filerecord"
    """As SHARE, on the pages of files alone: in the administration it means nothing."""
    READ_LOG = "audit.view_auditevent"
    LINK = "files.add_link"
    """Make links for people outside to what one manages: nobody's, unless they are given it."""
    REQUEST = "files.add_request"
    """Have people outside add to folders that one manages."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in, or nobody in particular."""

    user: User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Program:
    """A program with a token: its person, within the token's scopes and, if it has one, its folder.

    It reaches that folder and all below it.
    """

    user: User
    scopes: frozenset[str]
    folder: UUID | None = None

    @classmethod
    def of(cls, token: Token) -> Program:
        """Who asks that presents this token."""
        return cls(token.user, token.scope_set, token.folder_id)


@dataclass(frozen=True, slots=True)
class Link:
    """Somebody outside with a link: reads the one file, or the folder and all below, until then.

    `user` made it. What they do not manage any more sleeps for who has the link, all of it while
    their account or their permission to make links does.
    """

    user: User
    number: int
    until: datetime
    file: UUID | None = None
    folder: UUID | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody outside with a request: adds to that folder, and to those below, and sees nothing.

    As with `Link`, it sleeps while its maker could not make it.
    """

    user: User
    number: int
    until: datetime
    folder: UUID


Outsider = Link | Request
Principal = Person | Program | Outsider
"""Who asks. `user` is whose access it is that the rest of the rule takes away from."""

Scope = Token.Scope
_READS: Final = frozenset({Scope.READ, Scope.SHARE, Scope.MANAGE})
_GOES_IN: Final = frozenset({Scope.READ, Scope.ADD, Scope.SHARE, Scope.MANAGE})
_ADDS: Final = frozenset({Scope.ADD, Scope.MANAGE})
_DECIDES: Final = frozenset({Scope.SHARE, Scope.MANAGE})
_LOOKS_BACK: Final = frozenset({Scope.READ, Scope.MANAGE})
"""The scopes of which a token needs one for a part of the rule. What each operation takes besides,
its door asks."""


def may_share(user: User | AnonymousUser) -> bool:
    """Whether the user may share at all what they own or manage."""
    return user.has_perm(Permission.SHARE) or user.has_perm(Permission.SHARE_OWN)


Found = TypeVar("Found")


def asked(
    **given: Field[Any, Any] | Many,
) -> Callable[[Callable[..., QuerySet[Any, Found]]], Callable[..., list[Found]]]:
    """A question that pages ask by the rule: a queryset of who asks, written once for people.

    `given` are its values besides (`runtime.statements`). Of others than active people, who all
    differ in what the rule leaves them, it is written each time.
    """

    def decorate(write: Callable[..., QuerySet[Any, Found]]) -> Callable[..., list[Found]]:
        @statement(user=NUMBER, **given)
        def of_person(user: Any, **values: Any) -> QuerySet[Any, Found]:
            return write(Person(cast("User", Somebody(user))), **values)

        def ask(who: Principal, **values: Any) -> list[Found]:
            if isinstance(who, Person) and who.user.is_active:
                return of_person(user=who.user.pk, **values)
            return list(write(who, **values))

        return ask

    return decorate


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
    return _narrowed(_awake_folders(user).filter(reached), principal, _GOES_IN, "pk", Link)


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


@dataclass(frozen=True, slots=True)
class Access:
    """Why a principal may reach something: as its owner, or by the widest of the live grants.

    `folder` is the folder that the grant is on, where that is another one than what was asked for.
    """

    is_owner: bool
    level: str
    until: datetime | None = None
    via: str = ""
    grant_id: int | None = None
    folder: Folder | None = None

    @property
    def may_manage(self) -> bool:
        """Whether it reaches as far as `managed_by`."""
        return self.is_owner or self.level == "manage"

    @property
    def may_add(self) -> bool:
        """Whether it reaches as far as `addable_by`, where it is a folder's."""
        return self.is_owner or self.level in TO_ADD


def access_of(principal: Principal, item: Item) -> Access | None:
    """Explain the rule for one file or folder; None where the principal cannot see it.

    Three queries at most.
    """
    return accesses_of(principal, [item]).get(item.pk)


def accesses_of(principal: Principal, items: Collection[Item]) -> dict[UUID, Access]:
    """The same of several, by their ids; what the principal cannot see is not in it.

    Three queries at most, however many they are; of somebody outside one more.
    """
    if isinstance(principal, Outsider):
        return _accesses_outside(principal, items)
    user = principal.user
    if not user.is_active:
        return {}
    above = _above(items)
    seen = [
        item
        for item in items
        if item.trashed_at is None
        and not any(above[item.covered_from_id].values())
        and _is_reached(principal, above[item.covered_from_id])
    ]
    found = {item.pk: Access(True, "owner") for item in seen if item.owner_id == user.pk}
    rest = [item for item in seen if item.pk not in found]
    for item, grants in _reaching(user, rest, above):
        best = max(grants, key=_width)
        via = best.recipient_name if best.group_id else ""
        through = best.folder if best.folder_id not in {None, item.pk} else None
        found[item.pk] = Access(False, best.level, best.expires_at, via, best.pk, through)
    return found


def _accesses_outside(who: Outsider, items: Collection[Item]) -> dict[UUID, Access]:
    """What somebody outside has: the maker's access, where it is to manage, and what it is for."""
    if not may_let_in(who):
        return {}
    above = _above(items)
    reached = [
        one
        for one in items
        if (one.pk == who.file if _is_of_a_file(who) else who.folder in above[one.covered_from_id])
    ]
    found = accesses_of(Person(who.user), reached)
    level = "download" if isinstance(who, Link) else "add"
    return {
        pk: Access(
            False,
            level,
            min(who.until, access.until or who.until),
            access.via,
            access.grant_id,
            access.folder,
        )
        for pk, access in found.items()
        if access.may_manage
    }


def _is_of_a_file(who: Outsider) -> TypeGuard[Link]:
    return isinstance(who, Link) and who.file is not None


def _is_reached(principal: Person | Program, above: Mapping[UUID, object]) -> bool:
    """Whether a program's token lets it go where these folders are above."""
    if isinstance(principal, Person):
        return True
    within = principal.folder is None or principal.folder in above
    return within and bool(principal.scopes & _GOES_IN)


_Above = dict[UUID | None, dict[UUID, datetime | None]]
"""Of each folder those above it and itself, and when each was put away."""


def _above(items: Collection[Item]) -> _Above:
    above: _Above = defaultdict(dict)
    folders = {one.covered_from_id for one in items} - {None}
    for folder, one, trashed_at in _ancestors(folders=sorted(folders)) if folders else ():
        above[folder][one] = trashed_at
    return above


@statement(folders=IDS)
def _ancestors(folders: Any) -> QuerySet[Any, tuple[UUID, UUID, datetime | None]]:
    rows = Ancestry.objects.filter(In(F("descendant"), folders)).order_by()
    return rows.values_list("descendant", "ancestor", "ancestor__trashed_at")


def _reaching(
    user: User | AnonymousUser, items: Collection[Item], above: _Above
) -> Iterator[tuple[Item, list[Grant]]]:
    """Each of these that live grants to the user reach, with the grants. Two queries."""
    if not items:
        return
    # By name, folders and groups: a database that had the choice might begin at all grants of a
    # folder, and these may be many.
    groups = sorted(_groups_of(user=user.pk))
    folders = {one for item in items for one in above[item.covered_from_id]}
    places = {item.place for item in items if isinstance(item, FileRecord)}
    grants = _grants_reaching(
        user=user.pk,
        groups=groups or _NONE,
        folders=sorted(folders) or _NO_IDS,
        places=sorted(places) or _NONE,
    )
    for item in items:
        over = above[item.covered_from_id]
        if reaching := [one for one in grants if one.file_id == item.pk or one.folder_id in over]:
            yield item, reaching


_NONE: Final = [0]
"""In the place of no numbers at all: no group has it, and no place."""

_NO_IDS: Final = [UUID(int=0)]


@statement(user=NUMBER)
def _groups_of(user: Any) -> QuerySet[Any, int]:
    return User.groups.through.objects.filter(user=user).order_by().values_list("group", flat=True)


@statement(user=NUMBER, groups=NUMBERS, folders=IDS, places=NUMBERS)
def _grants_reaching(user: Any, groups: Any, folders: Any, places: Any) -> QuerySet[Grant]:
    live = Grant.objects.live().order_by().select_related("group", "folder")
    in_groups = In(F("group"), groups)
    # Not by their numbers: of one that thousands may open, PostgreSQL knows that, and would rather
    # read all that the groups have than which groups it is shared with (`grant_folder_groups`).
    named = Folder.objects.filter(In(F("pk"), folders)).order_by().values("pk")
    on_folders = live.filter(folder__in=named)
    of_files = live.filter(In(F("file_place"), places))
    ways = [on_folders.filter(user=user), on_folders.filter(in_groups)]
    ways += [of_files.filter(user=user), of_files.filter(in_groups)]
    return ways[0].union(*ways[1:], all=True)


def _width(grant: Grant) -> tuple[int, bool, float]:
    until = grant.expires_at.timestamp() if grant.expires_at else 0.0
    return LEVELS[grant.level], grant.expires_at is None, until


_TO_MANAGE = {
    "files.change_filerecord",
    "files.delete_filerecord",
    Permission.SHARE,
    Permission.SHARE_OWN,
}


class FileBackend(BaseBackend):
    """`user.has_perm("files.download_filerecord", record)`: the same answer as the querysets.

    Django asks no backend for an active superuser, and answers yes: `accounts.User.has_perm`
    sends every question about one file here alone.
    """

    def has_perm(
        self, user_obj: AbstractBaseUser | AnonymousUser, perm: str, obj: Any = None
    ) -> bool:
        user: Any = user_obj
        reachable = _reachable_for(perm, Person(user), obj)
        if reachable is None:
            return False
        if perm in set(Permission) and not user.has_perm(perm):
            return False
        return reachable.filter(pk=obj.pk).exists()


def _reachable_for(perm: str, who: Principal, obj: Any) -> QuerySet[Any] | None:
    """What the permission may be used on, of the kind that `obj` is; None where that is nothing."""
    if isinstance(obj, FileRecord):
        if perm in {Permission.DOWNLOAD, "files.view_filerecord"}:
            return visible_to(who)
        return managed_by(who) if perm in _TO_MANAGE else None
    if isinstance(obj, Folder):
        if perm in {Permission.DOWNLOAD, "files.view_folder"}:
            return folders_visible_to(who)
        if perm in {Permission.UPLOAD, "files.add_folder"}:
            return addable_by(who)
        may_manage = {"files.change_folder", "files.delete_folder"}
        if perm in {Permission.SHARE, Permission.SHARE_OWN, *may_manage}:
            return folders_managed_by(who)
    return None
