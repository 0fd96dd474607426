"""The table of every use case: which event it writes, or why it writes none.

Every module of the applications is classified in `MODULES`, and every public function and method of
a module of use cases stands in `WRITES` or in `NO_EVENT`. One without an entry fails the tests.

To add a use case: if it changes something that a person may ask about later, it records an event in
the transaction that does it; give it a `Case` in `WRITES`, whose scenario prepares everything and
returns the one call. If it writes none, say why in `NO_EVENT`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone

from accounts import (
    invitations,
    lockouts,
    members,
    powers,
    profiles,
    program_sign_in,
    sessions,
    signals,
    token_text,
    tokens,
)
from accounts.models import Invitation, ProgramRequest, User
from accounts.outside import codes
from audit import Event, exports
from audit.models import AuditEvent
from files.access.principals import Person
from files.crypto.errors import Damaged
from files.crypto.fernetkey import generate_master_key
from files.errors import WrongFileKey
from files.folders import making, moving, ownership, purging, trash
from files.keys.wrapping_history import with_past
from files.models import AccessRequest, Conflict, FileRecord, Folder, Grant, Link, StoredObject
from files.recovery import database_closing
from files.rotation import reencryption, retirement
from files.sharing import asking, delegating, denials, granting, requests, senders
from files.sharing.links import ending, visiting
from files.sharing.links import making as link_making
from files.sharing.read_by import table
from files.tree import placing
from files.upkeep import verification
from files.vault import (
    batches,
    continuing,
    counting,
    downloading,
    emptying,
    held,
    opening,
    removing,
    resumable,
    storing,
    versions,
)
from files.vault.destinations import Destination
from tests.files.asked import ask, may_ask, sender_of
from tests.files.conftest import CONTENT, KEY

ROOT = Path(__file__).parents[2]
PACKAGES = ("accounts", "audit", "files", "notices")

WALKED = "its use cases are in the table"
PAGES = "parses, calls a use case, answers"
RULES = "decides, and changes nothing"
READS = "reads only"
WIRING = "wiring: Django calls it"
TELLS = "tells people of what has an event of its own, in the transaction of that"
SUMMARY = "its steps are use cases of their own, or one summary at the end tells of all of them"

MODULES: dict[str, str] = {
    "accounts.accounting": READS,
    "accounts.adapter": PAGES,
    "accounts.command": READS,
    "accounts.email_addresses": WALKED,
    "accounts.user_agents": READS,
    "accounts.admin.changes": PAGES,
    "accounts.admin.entrance": PAGES,
    "accounts.admin.invitations": PAGES,
    "accounts.admin.people": PAGES,
    "accounts.admin.sign_in": PAGES,
    "accounts.admin.tokens": PAGES,
    "accounts.apps": WIRING,
    "accounts.authority": RULES,
    "accounts.backends": RULES,
    "accounts.finding": "keeps words of names, which say nothing that the names do not",
    "accounts.forms": PAGES,
    "accounts.hashers": RULES,
    "accounts.invitations": WALKED,
    "accounts.limits": RULES,
    "accounts.session_activity": WIRING,
    "accounts.lockouts": WALKED,
    "accounts.members": WALKED,
    "accounts.middleware": WIRING,
    "accounts.models.invitations": WALKED,
    "accounts.models.names": WALKED,
    "accounts.models.outside": WALKED,
    "accounts.models.tokens": WALKED,
    "accounts.models.users": WALKED,
    "accounts.names": RULES,
    "accounts.outside.capability": RULES,
    "accounts.outside.codes": "keeps codes for minutes; the door that sends and takes them tells",
    "accounts.outside.guesses": RULES,
    "accounts.outside.passes": "a cookie; the door that gives it tells",
    "accounts.outside.passwords": RULES,
    "accounts.powers": WALKED,
    "accounts.preferences": READS,
    "accounts.profiles": WALKED,
    "accounts.program_sign_in": WALKED,
    "accounts.program_views": PAGES,
    "accounts.reauthentication": RULES,
    "files.keys.second_factors": WALKED,
    "files.keys.waiting_mails": "wraps keys of mails; `rewrapping` tells of those wrapped anew",
    "accounts.session_store": "keeps sessions; what begins and ends them is in accounts.sessions",
    "accounts.sessions": WALKED,
    "accounts.signals": WALKED,
    "accounts.token_text": RULES,
    "accounts.tokens": WALKED,
    "accounts.totp": RULES,
    "accounts.urls": WIRING,
    "accounts.views": PAGES,
    "audit.appending": "is the log",
    "audit.client_addresses": READS,
    "audit.admin": PAGES,
    "audit.anchors": READS,
    "audit.announcements": "tells of events",
    "audit.apps": WIRING,
    "audit.chain": "is the log",
    "audit.commands": "is the log",
    "audit.context": READS,
    "audit.details": READS,
    "audit.events": "the names of events",
    "audit.exports": WALKED,
    "audit.filters": READS,
    "audit.middleware": WIRING,
    "audit.models": "is the log",
    "audit.reading": READS,
    "audit.spreadsheet": READS,
    "audit.triggers": READS,
    "files.access.backend": RULES,
    "files.access.explaining": RULES,
    "files.access.permissions": RULES,
    "files.access.principals": RULES,
    "files.access.rule": RULES,
    "files.access.statements": RULES,
    "files.upkeep.accounting": READS,
    "files.upkeep.whereabouts": READS,
    "files.upkeep.given_out": READS,
    "files.recovery.placing_back": "puts back what an import brings; `key_import` tells of it",
    "files.admin": WIRING,
    "files.administration.bounds": PAGES,
    "files.administration.dashboard": READS,
    "files.administration.events": READS,
    "files.administration.files": PAGES,
    "files.administration.grants": PAGES,
    "files.administration.links": PAGES,
    "files.administration.effective_access": READS,
    "files.administration.folders": PAGES,
    "files.administration.requests": PAGES,
    "files.administration.bulk_actions": PAGES,
    "files.administration.people": PAGES,
    "files.administration.mails": PAGES,
    "files.administration.tokens": PAGES,
    "files.vault.quota": WALKED,
    "files.apps": WIRING,
    "files.recovery.backups": "copies the database; the command's run is the event",
    "files.rotation.bulk_reencryption": SUMMARY,
    "files.upkeep.bulk_verification": SUMMARY,
    "files.checks": READS,
    "files.recovery.database_closing": WALKED,
    "files.upkeep.attention": READS,
    "files.upkeep.diagnosis": READS,
    "files.keys.custody": WALKED,
    "files.sharing.denials": WALKED,
    "files.vault.counting": WALKED,
    "files.vault.downloading": WALKED,
    "files.recovery.drill": "works on a copy, apart from the vault",
    "files.sharing.effective_access": READS,
    "files.errors": RULES,
    "files.web.forms": PAGES,
    "files.vault.held": WALKED,
    "files.sharing.history": READS,
    "files.vault.intervals": RULES,
    "files.administration.master_keys": READS,
    "files.recovery.key_export": SUMMARY,
    "files.recovery.key_import": SUMMARY,
    "files.rotation.key_report": READS,
    "files.web.held_keys": PAGES,
    "files.keys.kms": "changes nothing here",
    "files.lists.paging": READS,
    "files.keys.master_keys": READS,
    "accounts.administration": RULES,
    "files.models.answers": "rows and their constraints",
    "files.models.database": "rows and their constraints",
    "files.models.entries": "rows and their constraints",
    "files.models.folders": "rows and their constraints",
    "files.models.recent": "rows and their constraints",
    "files.models.versions": "rows and their constraints",
    "files.folders.events": "is the log",
    "files.folders.making": WALKED,
    "files.folders.moving": WALKED,
    "files.folders.several": "each of its steps is a use case, with an event of its own",
    "files.folders.standing": READS,
    "files.folders.trash": WALKED,
    "files.tree.adoption": "gives rows a place that they had by the release before; nobody's doing",
    "files.tree.placing": "the rows of the tree; what is done with them is in files.folders",
    "files.models.links": "rows and their constraints",
    "files.models.grants": "rows and their constraints",
    "files.models.keys": "rows and their constraints",
    "files.models.records": "rows and their constraints",
    "files.models.requests": "rows and their constraints",
    "files.models.stored_objects": "rows and their constraints",
    "files.models.transfers": "rows and their constraints",
    "files.models.verifications": "rows and their constraints",
    "files.recovery.fitting": READS,
    "files.recovery.database_move": SUMMARY,
    "files.recovery.other_database": "tells Django of the database that a move goes to",
    "files.recovery.row_comparing": READS,
    "files.recovery.row_copying": "a part of the move, of which the log of the target tells",
    "files.records.kinds": RULES,
    "files.records.names": RULES,
    "files.records.pictures": RULES,
    "files.folders.ownership": WALKED,
    "files.keys.passphrases": RULES,
    "files.keys.wrapping_history": RULES,
    "files.records.ordering": RULES,
    "files.records.postgresql": "runs programs for backups",
    "files.upkeep.pulse": "writes a row that says nothing, to find out whether it can",
    "files.sharing.recipients": READS,
    "files.sharing.asking": WALKED,
    "files.models.asked": "rows and their constraints",
    "files.administration.access_requests": READS,
    "files.web.access_requests": PAGES,
    "files.sharing.read_by.answers": READS,
    "files.sharing.read_by.counting": READS,
    "files.sharing.read_by.of_file": WALKED,
    "files.sharing.read_by.of_folder": WALKED,
    "files.sharing.read_by.table": WALKED,
    "files.upkeep.reconciliation": SUMMARY,
    "files.rotation.reencryption": WALKED,
    "files.vault.resumable": WALKED,
    "files.vault.continuing": WALKED,
    "files.vault.upload_leases": WALKED,
    "files.vault.upload_state": WALKED,
    "files.rotation.retirement": WALKED,
    "files.rotation.rewrapping": SUMMARY,
    "files.recovery.scratch": "works on a copy, apart from the vault",
    "files.lists.name_search": READS,
    "files.lists.contents": READS,
    "files.lists.cursors": RULES,
    "files.lists.places": READS,
    "files.lists.recent": READS,
    "files.lists.filters": READS,
    "files.lists.rows": READS,
    "files.lists.shared": READS,
    "files.lists.trash": READS,
    "files.lists.trees": READS,
    "files.vault.recent": "notes what a person had to do with, for a list of their own",
    "files.sharing.inheritance": READS,
    "files.sharing.named": READS,
    "files.sharing.delegating": WALKED,
    "files.sharing.granting": WALKED,
    "files.sharing.links.ending": WALKED,
    "files.sharing.links.events": "the words of an event; who changes something calls it",
    "files.sharing.links.listing": WALKED,
    "files.sharing.links.making": WALKED,
    "files.sharing.links.visiting": WALKED,
    "files.upkeep.sweeping": SUMMARY,
    "files.records.derived": READS,
    "notices.apps": WIRING,
    "notices.bell": READS,
    "notices.choosing": "keeps what one wants to hear of oneself",
    "notices.digests": TELLS,
    "notices.familiar": "keeps from where one signed in, which the event of each sign-in tells",
    "notices.finders": "calls who tells of what an event told of already",
    "notices.html": READS,
    "notices.kinds": RULES,
    "notices.mail": TELLS,
    "notices.models": "rows and their constraints",
    "notices.queue": "sends what an event told of already, and keeps what the mail server said",
    "notices.readers": READS,
    "notices.reading": "keeps which of one's own notices one has read",
    "notices.sealing": READS,
    "notices.sentences": READS,
    "notices.state": READS,
    "notices.subjects": READS,
    "notices.sweeping": "removes what was told long ago; `sweep` says how much",
    "notices.telling": TELLS,
    "notices.urls": WIRING,
    "notices.views": PAGES,
    "files.sharing.ending": TELLS,
    "files.sharing.subjects": READS,
    "files.tree.plain_names": "keeps what a search compares, as the names have it",
    "files.web.filtering": PAGES,
    "files.web.uploads": PAGES,
    "files.urls": WIRING,
    "files.folder_urls": WIRING,
    "files.link_urls": WIRING,
    "files.vault.storing": WALKED,
    "files.vault.publishing": WALKED,
    "files.vault.batches": WALKED,
    "files.vault.opening": WALKED,
    "files.vault.stored_objects": WALKED,
    "files.vault.removing": WALKED,
    "files.vault.purging": RULES,
    "files.vault.destinations": RULES,
    "files.vault.outside": RULES,
    "files.sharing.requests": WALKED,
    "files.sharing.senders": WALKED,
    "files.web.asking": PAGES,
    "files.web.api.asking": PAGES,
    "files.web.api.batches": PAGES,
    "files.web.outside.asked": PAGES,
    "files.web.outside.asked_transfers": PAGES,
    "files.vault.versions": WALKED,
    "files.vault.emptying": WALKED,
    "files.folders.purging": WALKED,
    "files.web.transfers.destinations": PAGES,
    "files.keys.wrapping": WALKED,
    "files.upkeep.verification": WALKED,
    "files.upkeep.verification_queue": "claims objects, and notes when each was verified",
    "files.web.arranging": PAGES,
    "files.web.api.answers": PAGES,
    "files.web.api.access_requests": PAGES,
    "files.web.api.content.receiving": PAGES,
    "files.web.api.content.sending": PAGES,
    "files.web.api.content.storing": PAGES,
    "files.web.api.content.targets": PAGES,
    "files.web.api.content.views": PAGES,
    "files.web.api.entrance": PAGES,
    "files.web.api.files": PAGES,
    "files.web.api.folders": PAGES,
    "files.web.api.keys": PAGES,
    "files.web.api.links": PAGES,
    "files.web.api.lists": PAGES,
    "files.web.api.paths": PAGES,
    "files.web.api.problems": PAGES,
    "files.web.api.reports": PAGES,
    "files.web.api.schema": PAGES,
    "files.web.api.shapes.access_requests": PAGES,
    "files.web.api.shapes.common": PAGES,
    "files.web.api.shapes.contents": PAGES,
    "files.web.api.shapes.events": PAGES,
    "files.web.api.shapes.grants": PAGES,
    "files.web.api.shapes.items": PAGES,
    "files.web.api.shapes.links": PAGES,
    "files.web.api.shapes.me": PAGES,
    "files.web.api.shapes.read_by": PAGES,
    "files.web.api.shapes.requests": PAGES,
    "files.web.api.sharing": PAGES,
    "files.web.api.urls": WIRING,
    "files.web.chosen": PAGES,
    "files.web.undoing": PAGES,
    "files.web.details": PAGES,
    "files.web.folders": PAGES,
    "files.web.refusals": PAGES,
    "files.web.tokens": PAGES,
    "files.web.trash": PAGES,
    "files.web.downloads": PAGES,
    "files.web.grants": PAGES,
    "files.web.readers": PAGES,
    "files.web.read_by": PAGES,
    "files.web.share_form": PAGES,
    "files.web.share_several": PAGES,
    "files.web.shared": PAGES,
    "files.web.words": PAGES,
    "files.web.key_pages": PAGES,
    "files.web.links": PAGES,
    "files.web.lists": PAGES,
    "files.web.own_links": PAGES,
    "files.web.outside.links.door": PAGES,
    "files.web.outside.links.pages": PAGES,
    "files.web.outside.links.sending": PAGES,
    "files.web.outside.links.visits": PAGES,
    "files.web.people": PAGES,
    "files.web.requested": PAGES,
    "files.web.rows": PAGES,
    "files.web.viewing": PAGES,
    "files.web.upload_form": PAGES,
    "files.web.versions": PAGES,
    "files.web.transfers.archive": PAGES,
    "files.web.transfers.bodies": PAGES,
    "files.web.transfers.boundaries": PAGES,
    "files.web.transfers.byteranges": PAGES,
    "files.web.transfers.downloads": PAGES,
    "files.web.transfers.forms": PAGES,
    "files.web.transfers.moments": PAGES,
    "files.web.transfers.raw_path": PAGES,
    "files.web.transfers.refuse": PAGES,
    "files.web.transfers.structured": PAGES,
    "files.web.transfers.tus.answers": PAGES,
    "files.web.transfers.tus.headers": PAGES,
    "files.web.transfers.tus.operations": PAGES,
    "files.web.transfers.tus.protocol": PAGES,
    "files.web.transfers.tus.receiving": PAGES,
    "files.web.transfers.unlocking": PAGES,
}

SUMMARIES = {
    "files.rotation.bulk_reencryption": "file_reencrypted",
    "files.upkeep.bulk_verification": "files_verified",
    "files.recovery.key_export": "keys_exported",
    "files.recovery.key_import": "keys_imported",
    "files.recovery.database_move": "database_moved",
    "files.upkeep.reconciliation": "swept",
    "files.rotation.rewrapping": "key_rewrapped",
    "files.upkeep.sweeping": "swept",
}
"""What the modules of long work write; tests of their own show that they do."""

STEP = "a step of one that writes an event, in its transaction"
BYTES = "moves bytes; nobody sees a file before it is published"

NO_EVENT: dict[str, str] = {
    "files.sharing.granting.notices_of": "says whom to tell, and changes nothing",
    "files.vault.upload_state.chain_in": READS,
    "files.vault.upload_state.safe_chain": READS,
    "files.vault.upload_state.unwrapped": READS,
    "files.vault.upload_state.progress_of": READS,
    "files.keys.second_factors.MFAAdapter.decrypt": READS,
    "files.keys.second_factors.MFAAdapter.encrypt": RULES,
    "files.keys.second_factors.MFAAdapter.still_readable": READS,
    "files.vault.stored_objects.object_key": READS,
    "accounts.email_addresses.note_former": READS,
    "accounts.program_sign_in.begin": "asks; what tells is that somebody answers",
    "accounts.program_sign_in.find": READS,
    "accounts.program_sign_in.waiting": READS,
    "accounts.program_sign_in.digest_of": RULES,
    "accounts.program_sign_in.Asked.of": RULES,
    "accounts.invitations.find": READS,
    "accounts.invitations.hash_of": RULES,
    "accounts.invitations.may_invite": RULES,
    "accounts.invitations.refuse_address": RULES,
    "accounts.lockouts.wait_of": READS,
    "accounts.models.invitations.Invitation.state": READS,
    "accounts.models.invitations.InvitationQuerySet.open": READS,
    "accounts.models.invitations.InvitationQuerySet.waiting": READS,
    "accounts.models.users.User.username_validators": RULES,
    "accounts.sessions.begin": "a step of the sign-in, which is an event",
    "accounts.sessions.current": READS,
    "accounts.sessions.end": "a step of the sign-out, which is an event",
    "accounts.sessions.note": "notes when a session was last seen",
    "accounts.sessions.note_again": "notes when a session was last seen",
    "accounts.sessions.of": READS,
    "accounts.sessions.why_over": READS,
    "accounts.models.tokens.Token.fingerprint": READS,
    "accounts.models.tokens.Token.scope_set": READS,
    "accounts.models.tokens.Token.state": READS,
    "accounts.models.tokens.Token.note_revoked": "is the event",
    "accounts.models.tokens.TokenQuerySet.live": READS,
    "accounts.tokens.is_live": READS,
    "accounts.tokens.networks_of": RULES,
    "accounts.tokens.note_use": "notes when a token was last used",
    "accounts.tokens.of": READS,
    "accounts.tokens.presented": READS,
    "accounts.members.ensure_members_group": "what it gives is an event of `accounts.powers`",
    "accounts.models.users.User.has_perm": READS,
    "accounts.models.names.WordField.db_parameters": RULES,
    "accounts.models.users.UserManager.normalize_email": RULES,
    "accounts.members.may_share": READS,
    "accounts.powers.as_one": "the changes inside of it are the events",
    "accounts.powers.mark": RULES,
    "accounts.powers.marks_of": READS,
    "accounts.powers.told": RULES,
    "files.keys.second_factors.decrypt": READS,
    "files.keys.second_factors.encrypt": RULES,
    "files.keys.second_factors.rewrap_secrets": STEP,
    "files.keys.second_factors.secrets_by_key": READS,
    "files.keys.second_factors.unreadable_by_key": READS,
    "files.sharing.requests.may_ask": RULES,
    "files.sharing.requests.usual_end": RULES,
    "files.sharing.requests.summed": READS,
    "files.sharing.requests.requests_managed_by": READS,
    "files.sharing.requests.made_by": READS,
    "files.sharing.requests.beyond_bounds": READS,
    "files.sharing.senders.may_have_code": RULES,
    "files.sharing.requests.with_numbers": READS,
    "files.sharing.senders.open_by": READS,
    "files.sharing.senders.send_code": "asks; what tells is that somebody types the code",
    "files.sharing.senders.senders_of": READS,
    "files.sharing.senders.mark_browser": "whose receipt it is on; that it came is an event",
    "files.sharing.senders.receipt": READS,
    "files.sharing.requests.waiting_through": READS,
    "files.vault.quota.held": READS,
    "files.vault.quota.Allowance.admit": RULES,
    "files.vault.quota.Allowance.check": RULES,
    "files.vault.quota.Allowance.check_quota": RULES,
    "files.vault.quota.Allowance.cover": "reserves room for an upload under way",
    "files.vault.quota.require_active": RULES,
    "files.vault.quota.standing_still": RULES,
    "files.keys.custody.UserKey.from_passphrase": RULES,
    "files.keys.custody.UserKey.generated": RULES,
    "files.keys.custody.carry_over": STEP,
    "files.keys.custody.confirm": STEP,
    "files.keys.custody.derivation_of": READS,
    "files.recovery.database_closing.as_default": RULES,
    "files.recovery.database_closing.as_made": READS,
    "files.recovery.database_closing.mark_moved": (
        "between database_closed here and the other's database_moved"
    ),
    "files.recovery.database_closing.moved_models": READS,
    "files.recovery.database_closing.state_of": READS,
    "files.recovery.database_closing.turn": "part of the move that database_closed began",
    "files.keys.custody.forget_lapsed": "the clock decides; the key was offered until then",
    "files.keys.custody.lock": RULES,
    "files.keys.custody.note": STEP,
    "files.keys.custody.offer_ends": READS,
    "files.keys.custody.offered_key": READS,
    "files.keys.custody.offers_by_key": READS,
    "files.keys.custody.renote": STEP,
    "files.keys.custody.rewrap_offers": STEP,
    "files.keys.custody.typed_key": RULES,
    "files.keys.custody.unlock": RULES,
    "files.sharing.links.making.hashed": RULES,
    "files.sharing.links.listing.may_make": READS,
    "files.sharing.links.visiting.door_of": READS,
    "files.sharing.links.making.path_of": READS,
    "files.sharing.links.ending.may_end": READS,
    "files.sharing.links.listing.links_of": READS,
    "files.sharing.links.listing.links_reaching": READS,
    "files.sharing.links.listing.awake": READS,
    "files.sharing.links.listing.awake_by": READS,
    "files.sharing.links.listing.made_by": READS,
    "files.sharing.links.listing.beyond_bounds": READS,
    "files.sharing.links.visiting.principal_of": READS,
    "files.sharing.links.visiting.find": READS,
    "files.sharing.links.visiting.still_works": READS,
    "files.sharing.links.visiting.Standing.door": READS,
    "files.vault.counting.idle_time": READS,
    "files.vault.counting.told": READS,
    "files.vault.counting.Wanted.is_whole": READS,
    "files.vault.counting.reserve": "part of a download, which is an event",
    "files.vault.counting.Reservation.beat": "says that a download goes on, which is an event",
    "files.vault.counting.Reservation.is_alive": "the same",
    "files.vault.counting.Reservation.lets": "the same",
    "files.vault.downloading.Sending.sent": "notes how far a download is that will be an event",
    "files.vault.downloading.idle": READS,
    "files.vault.downloading.begin": "notes a download that will be an event",
    "files.vault.held.is_fresh": READS,
    "files.vault.held.just_made": "part of the answer that completes the upload",
    "files.rotation.reencryption.remove_dead": (
        "takes away what killed runs left, which nobody could read"
    ),
    "files.rotation.reencryption.select": READS,
    "files.rotation.reencryption.select_former": READS,
    "files.vault.continuing.Continuation.write": BYTES,
    "files.vault.continuing.Continuation.chain": READS,
    "files.vault.upload_state.chain_of": READS,
    "files.vault.resumable.create": BYTES,
    "files.vault.upload_leases.acquire": STEP,
    "files.vault.upload_leases.settled": READS,
    "files.rotation.retirement.check_known": READS,
    "files.rotation.retirement.configured_and_retired": READS,
    "files.rotation.retirement.needs_of": READS,
    "files.rotation.retirement.retired": READS,
    "files.sharing.granting.describe_left": RULES,
    "files.folders.moving.changes_hands": RULES,
    "files.vault.quota.taken_by": READS,
    "files.folders.moving.touched": RULES,
    "files.folders.moving.record_transfer": "is the event",
    "files.sharing.granting.give": "within `grant_many` and `delegating.share`",
    "files.sharing.granting.given_by": READS,
    "files.sharing.granting.locked": "within `grant` and `make` of a link",
    "files.sharing.delegating.may_withdraw": RULES,
    "files.sharing.granting.remaining": READS,
    "files.sharing.asking.answerable_by": READS,
    "files.sharing.asking.deciders": READS,
    "files.sharing.asking.item_of": READS,
    "files.sharing.asking.own": READS,
    "files.sharing.asking.tell": "tells people of what `ask` has written an event of",
    "files.sharing.asking.waiting_for": READS,
    "files.sharing.read_by.of_folder.files_of": READS,
    "files.sharing.read_by.of_file.of_file": READS,
    "files.sharing.read_by.of_folder.of_folder": READS,
    "files.sharing.read_by.of_folder.person_in": READS,
    "files.vault.opening.OpenFile.chunks": (
        "damage is marked by mark_damaged; the download is an event"
    ),
    "files.vault.opening.OpenFile.size": READS,
    "files.vault.stored_objects.StoredObjectKeys.find": READS,
    "files.vault.stored_objects.StoredObjectKeys.forget": "of objects that belong to no file",
    "files.vault.stored_objects.StoredObjectKeys.issue": "of objects that belong to no file",
    "files.vault.stored_objects.StoredObjectKeys.seal": "of objects that belong to no file",
    "files.vault.storing.Upload.file_id": READS,
    "files.vault.storing.Upload.direct": BYTES,
    "files.vault.storing.Upload.row": READS,
    "files.vault.storing.Upload.seal": STEP,
    "files.vault.storing.Upload.is_over": BYTES,
    "files.vault.publishing.new_record": STEP,
    "files.vault.publishing.tell_uploaded": STEP,
    "files.vault.stored_objects.begin_objects": BYTES,
    "files.vault.stored_objects.ring_for": STEP,
    "files.vault.storing.Upload.publish_as": STEP,
    "files.vault.storing.written_again": BYTES,
    "files.vault.opening.version_told": READS,
    "files.vault.versions.of": READS,
    "files.vault.versions.as_it_was": READS,
    "files.vault.versions.find": READS,
    "files.vault.versions.lock": READS,
    "files.vault.versions.step_aside": STEP,
    "files.vault.versions.prunable": READS,
    "files.vault.emptying.finish": "goes on with what folder_deleted told of; each file is told",
    "files.vault.emptying.overdue_folders": READS,
    "files.vault.emptying.overdue_files": READS,
    "files.vault.quota.Allowance.admit_complete": RULES,
    "files.vault.quota.Allowance.admit_all": RULES,
    "files.vault.quota.trash_bytes": READS,
    "files.vault.storing.Upload.finish": BYTES,
    "files.vault.storing.Upload.size": READS,
    "files.vault.storing.Upload.write": BYTES,
    "files.vault.stored_objects.begin_object": BYTES,
    "files.vault.opening.OpenFile.digests": READS,
    "files.keys.wrapping.check_keyring": READS,
    "files.vault.stored_objects.digest_token": RULES,
    "files.vault.opening.digests_of": READS,
    "files.vault.stored_objects.check_store": READS,
    "files.vault.removing.doom": STEP,
    "files.vault.held.exchange_key": STEP,
    "files.keys.wrapping.keys_needed": READS,
    "files.keys.wrapping.needing_keys": READS,
    "files.vault.opening.open_file": READS,
    "files.vault.removing.purge": "removes what was doomed by one that wrote an event",
    "files.keys.wrapping.refuse_retired": RULES,
    "files.keys.wrapping.remember_wrapping": STEP,
    "files.vault.stored_objects.seal_object": STEP,
    "files.vault.stored_objects.storage": READS,
    "files.keys.wrapping.wrapping_keyring": READS,
    "files.upkeep.verification.examine": READS,
}


# --- What each writes ---------------------------------------------------------------------------


@dataclass
class World:
    """What scenarios work with: people, a file of Alice's, a held one of hers."""

    alice: User
    bob: User
    record: FileRecord
    held: FileRecord
    request: Any

    def folder(self, of: User | None = None) -> Folder:
        """An empty folder in somebody's root, by default Alice's."""
        return placing.add_folder(placing.root_of(of or self.alice), "case", added_by=None)

    def given(self, **fields: Any) -> Grant:
        """A grant for Bob that is there already."""
        return Grant.objects.create(
            file=self.record, user=self.bob, granted_by=self.alice, **fields
        )

    def new(self, **fields: Any) -> Grant:
        """A grant for Bob that is yet to be made."""
        return Grant(file=self.record, user=self.bob, **fields)

    def upload(self) -> storing.Upload:
        """An upload of which all bytes are in the store."""
        upload = storing.Upload(self.alice, name="new.txt")
        upload.write(CONTENT)
        upload.finish()
        return upload


Call = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """The event of one use case, and a scenario that returns the call that writes it."""

    event: Event
    prepare: Callable[[World], Call]
    apart: str = ""
    """Why the event is not in one transaction of ours with the change, where it is not."""


def _make_request(world: World) -> Call:
    alice = may_ask(world.alice)
    terms = requests.Terms("papers")
    return partial(requests.make, world.folder(), terms, by=Person(alice), actor=alice)


def _end_request(world: World) -> Call:
    return partial(requests.end, ask(world.alice, world.folder())[0], actor=world.alice)


def _admit_sender(world: World) -> Call:
    return partial(senders.admit, ask(world.alice, world.folder())[0], name="Ann")


def _wrong_code(world: World) -> Call:
    asked = ask(world.alice, world.folder())[0]
    return partial(senders.note_wrong_code, asked, "ann@example.org")


def _accept_upload(world: World) -> Call:
    return _decide(world, requests.accept)


def _decline_upload(world: World) -> Call:
    return _decide(world, requests.decline)


def _decide(world: World, act: Callable[..., object]) -> Call:
    asked, _token = ask(world.alice, world.folder(), accept_first=True)
    destination = Destination.through(sender_of(asked))
    waits = storing.store(world.alice, [CONTENT], name="a", destination=destination)
    return partial(act, asked, [waits.pk], by=Person(world.alice), actor=world.alice)


def _reopen(world: World) -> Call:
    database_closing.close(uuid4(), "elsewhere")
    return database_closing.reopen


def _create_folder(world: World) -> Call:
    root = placing.root_of(world.alice)
    return partial(making.create_folder, root, "new", by=Person(world.alice), actor=world.alice)


def _make_path(world: World) -> Call:
    root = placing.root_of(world.alice)
    by: dict[str, Any] = {"by": Person(world.alice), "actor": world.alice}
    return partial(making.make_path, root, ["a", "b"], **by)


def _store_batch(world: World) -> Call:
    small = [batches.Small("a.txt", CONTENT), batches.Small("b.txt", b"")]
    return partial(batches.store, world.alice, small, world.folder(), Person(world.alice))


def _rename(world: World) -> Call:
    return partial(making.rename, world.record, "b", by=Person(world.alice), actor=world.alice)


def _move(world: World) -> Call:
    folder = world.folder()
    return partial(moving.move, world.record, folder, by=Person(world.alice), actor=world.alice)


def _move_to_another(world: World) -> Call:
    target = world.folder(of=world.bob)
    Grant.objects.create(folder=target, user=world.alice, level="add")
    return partial(moving.move, world.record, target, by=Person(world.alice), actor=world.alice)


def _put_away(world: World) -> Call:
    return partial(trash.put_away, world.record, by=Person(world.alice), actor=world.alice)


def _restore(world: World) -> Call:
    trash.put_away(world.record, by=Person(world.alice), actor=world.alice)
    put_away = FileRecord.objects.get(pk=world.record.pk)
    return partial(trash.restore, put_away, by=Person(world.alice), actor=world.alice)


def _publish(world: World) -> Call:
    uploads = [world.upload()]
    return lambda: storing.publish(uploads)


def _publish_version(world: World) -> Call:
    version = Destination(conflict=Conflict.VERSION)
    upload = storing.Upload(world.alice, name=world.record.name, destination=version)
    upload.write(CONTENT)
    upload.finish()
    return lambda: storing.publish([upload])


def _former(world: World) -> UUID:
    _publish_version(world)()
    return world.record.versions.get().version


def _restore_version(world: World) -> Call:
    who, former = Person(world.alice), _former(world)
    return partial(versions.restore, world.record, former, by=who, actor=world.alice)


def _delete_version(world: World) -> Call:
    who, former = Person(world.alice), _former(world)
    return partial(versions.delete, world.record, former, by=who, actor=world.alice)


def _prune(world: World) -> Call:
    _former(world)
    # One that is old, and newer ones as many as are kept.
    for _ in range(settings.KEEP_VERSIONS):
        _publish_version(world)()
    in_time = timezone.now() + settings.KEEP_VERSIONS_TIME + timedelta(days=1)
    return lambda: list(versions.prune_all(in_time))


def _trashed_folder(world: World) -> Folder:
    folder = world.folder()
    trash.put_away(folder, by=Person(world.alice), actor=world.alice)
    return folder


def _end_tree(world: World) -> Call:
    who, folder = Person(world.alice), _trashed_folder(world)
    return partial(purging.delete_for_good, folder, by=who, actor=world.alice)


def _delete_for_good(world: World) -> Call:
    who = Person(world.alice)
    trash.put_away(world.record, by=who, actor=world.alice)
    return partial(purging.delete_for_good, world.record, by=who, actor=world.alice)


def _expire(world: World) -> Call:
    trash.put_away(world.record, by=Person(world.alice), actor=world.alice)
    in_time = timezone.now() + settings.TRASH_TIME + timedelta(days=1)
    return lambda: list(emptying.expire(in_time))


def _abort(world: World) -> Call:
    upload = storing.Upload(world.alice, name="new.txt")
    return upload.abort


def _damaged(world: World) -> StoredObject:
    row = world.record.current
    StoredObject.objects.filter(pk=row.pk).update(state="damaged")
    return row


def _clear(world: World) -> Call:
    row = _damaged(world)
    return lambda: verification.clear_damage(row)


def _verify(world: World) -> Call:
    _damaged(world)
    row = StoredObject.objects.select_related("file").get(pk=world.record.current_id)
    return lambda: verification.verify(row, unmark=[verification.Outcome.OK])


def _mark(world: World) -> Call:
    row = StoredObject.objects.select_related("file").get(pk=world.record.current_id)
    found = replace(
        verification.examine(row),
        outcome=verification.Outcome.DAMAGED,
        error=Damaged("it is"),
    )
    return lambda: verification.mark(row, found)


def _settle(world: World) -> Call:
    session = resumable.create(world.alice, name="new.txt", length=len(CONTENT))
    turn = continuing.Continuation(session, 0)
    turn.write(CONTENT)

    def settle() -> None:
        with turn:
            turn.settle()

    return settle


def _terminate(world: World) -> Call:
    session = resumable.create(world.alice, name="new.txt", length=10)
    return lambda: resumable.terminate(session)


def _sending(world: World) -> downloading.Sending:
    part = downloading.Part(0, world.record.size)
    return downloading.begin(world.record, part, user=world.bob, session=None)


def _end(world: World) -> Call:
    world.given()
    sending, size = _sending(world), world.record.size
    return lambda: sending.end(downloading.COMPLETE, size, size)


def _idle(world: World) -> Call:
    world.given()
    _sending(world)
    later = timezone.now() + timedelta(hours=1)
    return lambda: downloading.settle_idle(now=later)


def _wrong_key(world: World) -> Call:
    def unlock() -> None:
        try:
            held.unlock(world.held, generate_master_key(), actor=world.alice)
        except WrongFileKey:
            return
        raise AssertionError("it was taken")

    return unlock


def _retire(world: World) -> Call:
    past = StoredObject.objects.filter(pk=world.record.current_id)
    past.update(past_master_key_ids=with_past("", "local:0123456789abcdef"))
    return lambda: retirement.retire("local:0123456789abcdef")


def _revoke(world: World) -> Call:
    grant = world.given()
    return lambda: granting.revoke(grant, actor=world.alice)


def _withdraw(world: World) -> Call:
    grant = world.given()
    return lambda: delegating.withdraw(grant, actor=world.alice)


def _change(world: World) -> Call:
    grant = world.given()
    grant.reason = "another"
    return lambda: granting.change(grant, actor=world.alice)


def _share(world: World) -> Call:
    world.alice.user_permissions.add(Permission.objects.get(codename="add_grant"))
    alice = User.objects.get(pk=world.alice.pk)
    terms = granting.Terms("download")
    return lambda: delegating.share([world.record], [world.bob], terms, actor=alice)


def _grant_many(world: World) -> Call:
    group = Group.objects.create(name="Team")
    return lambda: granting.grant_many(
        [world.record, world.held],
        [world.bob, group],
        level="download",
        starts_at=None,
        expires_at=None,
        reason="",
        actor=world.alice,
    )


def _password(world: World) -> Call:
    world.bob.set_password("a new one, long enough")
    return world.bob.save


def _staff(world: World) -> Call:
    world.bob.is_staff = True
    return world.bob.save


def _joined(world: World) -> Call:
    group = Group.objects.create(name="Team")
    return lambda: _in_one(lambda: world.bob.groups.add(group))


def _permitted(world: World) -> Call:
    group = Group.objects.create(name="Team")
    share = Permission.objects.get(codename="add_grant")
    return lambda: _in_one(lambda: group.permissions.add(share))


def _person_deleted(world: World) -> Call:
    carol = User.objects.create_user("carol", is_staff=True)
    return carol.delete


def _in_one(call: Call) -> None:
    with transaction.atomic():
        call()


def _export(world: World) -> Call:
    everything = AuditEvent.objects.all()
    return lambda: exports.answer(everything, "csv", actor=world.alice, chosen_by="")


def _asked(world: World) -> tuple[AccessRequest, User]:
    world.alice.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    alice = User.objects.get(pk=world.alice.pk)
    return asking.ask(world.bob, "file", world.record.pk, "for the audit"), alice


def _answer_yes(world: World) -> Call:
    asked, alice = _asked(world)
    terms = granting.Terms("download")
    return lambda: asking.grant(asked, terms, by=Person(alice), actor=alice)


def _answer_no(world: World) -> Call:
    asked, alice = _asked(world)
    return lambda: asking.decline(asked, "not now", by=Person(alice), actor=alice)


def _note(world: World) -> Call:
    return lambda: denials.note(
        world.bob, [world.record.pk], reason=denials.NOT_VISIBLE, door="files:download"
    )


def _note_folder(world: World) -> Call:
    why = {"reason": denials.NOT_VISIBLE, "door": "folders:detail"}
    return partial(denials.note_folder, world.bob, world.folder().pk, **why)


def _note_upload(world: World) -> Call:
    session = resumable.create(world.alice, name="new.txt", length=10)
    return lambda: denials.note_upload(world.bob, session.pk)


def _address(world: World) -> EmailAddress:
    made = EmailAddress(user=world.bob, email="bobby@example.org")
    EmailAddress.objects.bulk_create([made])  # Without the signals.
    return EmailAddress.objects.get()


def _new_address(world: World) -> Call:
    return lambda: EmailAddress.objects.create(user=world.bob, email="bobby@example.org")


def _confirm_address(world: World) -> Call:
    address = _address(world)
    done: Call = address.set_verified
    return done


def _prefer_address(world: World) -> Call:
    address = _address(world)
    address.primary = True
    done: Call = address.save
    return done


def _remove_address(world: World) -> Call:
    address = _address(world)
    done: Call = address.delete
    return done


def _own_address(world: World) -> Call:
    world.bob.email = "bobby@example.org"
    return world.bob.save


def _invite(world: World) -> Call:
    return lambda: invitations.invite("c@example.org", actor=world.alice, request=world.request)


def _invited(world: World) -> Invitation:
    return invitations.invite("c@example.org", actor=world.alice, request=world.request)


def _resend(world: World) -> Call:
    invitation = _invited(world)
    return lambda: invitations.resend(invitation, actor=world.alice, request=world.request)


def _take_back(world: World) -> Call:
    invitation = _invited(world)
    return lambda: invitations.revoke(invitation, actor=world.alice)


def _accept(world: World) -> Call:
    token_hash = _invited(world).token_hash
    password = "seven green bottles on a wall"
    return lambda: invitations.accept(token_hash, username="carol", password=password)


def _session(world: World) -> int:
    sessions.begin(world.request, world.bob)
    return int(UserSession.objects.get(user=world.bob).pk)


def _end_session(world: World) -> Call:
    number = _session(world)
    return lambda: sessions.revoke(world.bob, number)


def _end_all_sessions(world: World) -> Call:
    _session(world)
    return lambda: sessions.revoke_all(world.bob)


def _end_other_sessions(world: World) -> Call:
    _session(world)
    UserSession.objects.update(session_key="another")
    return lambda: sessions.revoke_others(world.request, world.bob)


def _password_reset(world: World) -> Call:
    _session(world)
    return lambda: signals.end_all_sessions(world.request, world.bob)


def _password_set(world: World) -> Call:
    _session(world)
    UserSession.objects.update(session_key="another")
    sessions.begin(world.request, world.bob)
    return lambda: signals.end_other_sessions(world.request, world.bob)


def _over(world: World) -> Call:
    login(world.request, world.bob, backend="accounts.backends.PasswordBackend")
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=400))
    return lambda: sessions.user_of(world.request)


def _factor(world: World) -> Authenticator:
    made = Authenticator(user=world.bob, type=Authenticator.Type.RECOVERY_CODES, data={})
    Authenticator.objects.bulk_create([made])  # Without the signal.
    return Authenticator.objects.get()


def _new_factor(world: World) -> Call:
    kind = Authenticator.Type.TOTP
    return lambda: Authenticator.objects.create(user=world.bob, type=kind, data={})


def _of_factor(what: Callable[[Authenticator], object]) -> Callable[[World], Call]:
    def prepare(world: World) -> Call:
        row = _factor(world)
        return lambda: what(row)

    return prepare


def _token(world: World) -> tokens.Made:
    return tokens.make(
        world.alice,
        name="nightly",
        scopes=["read"],
        expires_at=timezone.now() + timedelta(days=1),
        actor=world.alice,
    )


def _unknown_token(world: World) -> Call:
    """Refused, and the log has it: nothing else is kept of it."""

    def present() -> None:
        with suppress(tokens.Refused):
            tokens.authenticate(world.request, token_text.generate())

    return present


_ASKED = program_sign_in.Asked("securestore on pc", ("read",))


def _program(world: World, *, answered: bool) -> tuple[str, ProgramRequest]:
    """A program that asks by a code: what it asks with, and its request."""
    begun = program_sign_in.begin(_ASKED, "192.0.2.1")
    found = program_sign_in.find(begun.user_code)
    if answered:
        until = timezone.now() + timedelta(days=1)
        program_sign_in.allow(found, world.alice, scopes=["read"], until=until)
    return begun.device_code, found


def _allow_program(world: World) -> Call:
    _code, found = _program(world, answered=False)
    until = timezone.now() + timedelta(days=1)
    return partial(program_sign_in.allow, found, world.alice, scopes=["read"], until=until)


def _allow_here(world: World) -> str:
    return program_sign_in.allow_here(
        world.alice,
        _ASKED,
        until=timezone.now() + timedelta(days=1),
        # Of the verifier "v" * 43.
        challenge="7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM",
        redirect_uri="http://127.0.0.1:8000/",
        address="192.0.2.1",
    )


def _redeem(world: World) -> Call:
    code = _allow_here(world)
    uri = "http://127.0.0.1:8000/"
    return partial(program_sign_in.redeem, code, verifier="v" * 43, redirect_uri=uri)


def _link(world: World, **terms: Any) -> link_making.Made:
    """A link to Alice's file, of hers."""
    world.alice.user_permissions.add(Permission.objects.get(codename="add_link"))
    alice = User.objects.get(pk=world.alice.pk)
    return link_making.make(world.record, link_making.Terms(**terms), actor=alice)


def _came(world: World, **terms: Any) -> visiting.Standing:
    found = visiting.find(_link(world, **terms).text)
    assert found is not None
    return found


def _over_by_time(world: World) -> Callable[[], object]:
    link = _link(world).link
    Link.objects.update(expires_at=timezone.now())
    return partial(ending.note_ended, now=link.expires_at)


def _wrong_link_code(world: World) -> Callable[[], object]:
    came = _came(world, addresses="ann@example.org")

    def try_it() -> None:
        with suppress(codes.WrongCode):
            visiting.take_code(came, "ann@example.org", "1")

    return try_it


def _last_download(world: World) -> Callable[[], object]:
    link, size = _link(world, most=1).link, world.record.size
    wanted = counting.Wanted("version", "ann", size, size, 0, size)
    return partial(counting.reserve(link.pk, wanted).end, size, size)


WRITES: dict[str, list[Case]] = {
    "files.sharing.links.making.make": [
        Case(Event.LINK_CREATED, lambda w: (_link(w), partial(_link, w))[1])
    ],
    "files.sharing.links.ending.end": [
        Case(Event.LINK_REVOKED, lambda w: partial(ending.end, _link(w).link, actor=w.alice))
    ],
    "files.sharing.links.ending.revoke": [
        Case(Event.LINK_REVOKED, lambda w: partial(ending.revoke, _link(w).link, actor=w.alice))
    ],
    "files.sharing.links.ending.note_ended": [Case(Event.LINK_ENDED, _over_by_time)],
    "files.sharing.links.visiting.note_opened": [
        Case(
            Event.LINK_OPENED,
            lambda w: partial(visiting.note_opened, _came(w), address="192.0.2.7"),
        )
    ],
    "files.sharing.links.visiting.note_refused": [
        Case(Event.LINK_REFUSED, lambda w: partial(visiting.note_refused, _link(w).link, "code"))
    ],
    "files.sharing.links.visiting.send_code": [
        Case(
            Event.LINK_CODE_SENT,
            lambda w: partial(
                visiting.send_code,
                _came(w, addresses="ann@example.org"),
                "ann@example.org",
                language="de",
            ),
        )
    ],
    "files.sharing.links.visiting.take_code": [
        Case(
            Event.LINK_REFUSED, _wrong_link_code, "a try is counted before it is known to be wrong"
        )
    ],
    "files.sharing.links.visiting.take_password": [
        Case(
            Event.LINK_REFUSED,
            lambda w: partial(visiting.take_password, _came(w, password="long enough"), "wrong"),
        )
    ],
    "files.vault.counting.Reservation.end": [Case(Event.LINK_EXHAUSTED, _last_download)],
    "accounts.program_sign_in.allow": [Case(Event.PROGRAM_ALLOWED, _allow_program)],
    "accounts.program_sign_in.allow_here": [
        Case(Event.PROGRAM_ALLOWED, lambda world: partial(_allow_here, world))
    ],
    "accounts.program_sign_in.refuse": [
        Case(
            Event.PROGRAM_REFUSED,
            lambda world: partial(
                program_sign_in.refuse, _program(world, answered=False)[1], world.alice
            ),
        )
    ],
    "accounts.program_sign_in.redeem": [Case(Event.TOKEN_CREATED, _redeem)],
    "accounts.program_sign_in.collect": [
        Case(
            Event.TOKEN_CREATED,
            lambda world: partial(program_sign_in.collect, _program(world, answered=True)[0]),
        )
    ],
    "accounts.tokens.make": [Case(Event.TOKEN_CREATED, lambda world: partial(_token, world))],
    "accounts.tokens.revoke": [
        Case(
            Event.TOKEN_REVOKED,
            lambda world: partial(tokens.revoke, _token(world).token, actor=world.alice),
        )
    ],
    "accounts.tokens.revoke_all": [
        Case(
            Event.TOKEN_REVOKED,
            lambda world: (
                _token(world),
                partial(tokens.revoke_all, world.alice, actor=world.alice),
            )[1],
        )
    ],
    "accounts.tokens.authenticate": [Case(Event.TOKEN_REFUSED, _unknown_token)],
    "accounts.email_addresses.record_removed": [
        Case(
            Event.EMAIL_CHANGED,
            _remove_address,
            "in the transaction that Django makes for a deletion",
        )
    ],
    "accounts.email_addresses.record_saved": [
        Case(Event.EMAIL_CHANGED, _new_address),
        Case(Event.EMAIL_CHANGED, _confirm_address),
        Case(Event.EMAIL_CHANGED, _prefer_address),
    ],
    "accounts.invitations.accept": [Case(Event.INVITATION_ACCEPTED, _accept)],
    "accounts.invitations.invite": [Case(Event.USER_INVITED, _invite)],
    "accounts.invitations.resend": [Case(Event.USER_INVITED, _resend)],
    "accounts.invitations.revoke": [Case(Event.INVITATION_REVOKED, _take_back)],
    "accounts.lockouts.note": [
        Case(Event.LOCKED_OUT, lambda w: lambda: lockouts.note(w.request, "sign_in", 60))
    ],
    "accounts.lockouts.refusal": [
        Case(
            Event.LOCKED_OUT,
            lambda w: lambda: lockouts.refusal(w.request, 60, action="a", code="b", key="c"),
        )
    ],
    "accounts.members.let_share": [
        Case(Event.GROUP_CHANGED, lambda w: lambda: members.let_share(on=True))
    ],
    "accounts.powers.note": [
        Case(Event.ACCOUNT_CHANGED, lambda w: lambda: powers.note(w.bob, "changed")),
        Case(Event.ACCOUNT_CHANGED, _staff),
        Case(Event.ACCOUNT_CHANGED, _joined),
        Case(Event.GROUP_CHANGED, _permitted),
        Case(
            Event.ACCOUNT_CHANGED,
            _person_deleted,
            "in the transaction that Django makes for a deletion",
        ),
    ],
    "accounts.profiles.change": [
        Case(
            Event.PROFILE_CHANGED,
            lambda w: partial(
                profiles.change, w.alice, full_name="Alice", language="de", time_zone=""
            ),
        )
    ],
    "accounts.sessions.revoke": [Case(Event.SESSION_REVOKED, _end_session)],
    "accounts.sessions.revoke_all": [Case(Event.SESSION_REVOKED, _end_all_sessions)],
    "accounts.sessions.revoke_others": [Case(Event.SESSION_REVOKED, _end_other_sessions)],
    "accounts.sessions.user_of": [Case(Event.SIGNED_OUT, _over)],
    "accounts.signals.end_all_sessions": [Case(Event.SESSION_REVOKED, _password_reset)],
    "accounts.signals.end_other_sessions": [Case(Event.SESSION_REVOKED, _password_set)],
    "accounts.signals.record_new_factor": [Case(Event.MFA_CHANGED, _new_factor)],
    "accounts.signals.record_regenerated": [
        Case(Event.MFA_CHANGED, _of_factor(signals.record_regenerated))
    ],
    "accounts.signals.record_removed_factor": [
        Case(
            Event.MFA_CHANGED,
            _of_factor(lambda row: row.delete()),
            "in the transaction that Django makes for a deletion",
        )
    ],
    "accounts.signals.record_used_up": [
        Case(Event.MFA_CHANGED, _of_factor(signals.record_used_up))
    ],
    "accounts.signals.record_wrong_code": [
        Case(Event.SIGN_IN_FAILED, _of_factor(lambda row: signals.record_wrong_code(row.user, row)))
    ],
    "accounts.models.users.User.save": [
        Case(Event.PASSWORD_CHANGED, _password),
        Case(Event.EMAIL_CHANGED, _own_address),
    ],
    "accounts.signals.record_failure": [
        Case(Event.SIGN_IN_FAILED, lambda w: lambda: signals.record_failure({"username": "bob"}))
    ],
    "accounts.signals.record_sign_in": [
        Case(Event.SIGNED_IN, lambda w: lambda: signals.record_sign_in(w.bob, w.request))
    ],
    "accounts.signals.record_sign_out": [
        Case(Event.SIGNED_OUT, lambda w: lambda: signals.record_sign_out(w.bob, request=w.request))
    ],
    "audit.exports.answer": [Case(Event.AUDIT_EXPORTED, _export)],
    "files.sharing.asking.ask": [
        Case(
            Event.ACCESS_ASKED,
            lambda w: lambda: asking.ask(w.bob, "file", w.record.pk, "for the audit"),
        )
    ],
    "files.sharing.asking.grant": [Case(Event.ACCESS_REQUEST_GRANTED, _answer_yes)],
    "files.sharing.asking.decline": [Case(Event.ACCESS_REQUEST_DECLINED, _answer_no)],
    "files.sharing.read_by.table.export": [
        Case(Event.AUDIT_EXPORTED, lambda w: lambda: table.export(w.record, asker=w.alice))
    ],
    "files.sharing.denials.note": [Case(Event.DOWNLOAD_DENIED, _note)],
    "files.sharing.denials.note_folder": [Case(Event.ACCESS_DENIED, _note_folder)],
    "files.sharing.denials.note_upload": [Case(Event.ACCESS_DENIED, _note_upload)],
    "files.vault.downloading.Sending.end": [Case(Event.FILE_DOWNLOADED, _end)],
    "files.vault.downloading.settle_idle": [Case(Event.FILE_DOWNLOADED, _idle)],
    "files.vault.held.confirm": [
        Case(Event.KEY_SAVED, lambda w: lambda: held.confirm(w.held, actor=w.alice))
    ],
    "files.rotation.reencryption.reencrypt_held": [
        Case(
            Event.FILE_REENCRYPTED,
            lambda w: lambda: reencryption.reencrypt_held(w.held, KEY, actor=w.alice),
        )
    ],
    "files.vault.held.set_passphrase": [
        Case(
            Event.PASSPHRASE_SET,
            lambda w: lambda: held.set_passphrase(w.held, "seven green bottles", actor=w.alice),
        )
    ],
    "files.vault.held.show": [
        Case(Event.KEY_SHOWN, lambda w: lambda: held.show(w.held, actor=w.alice))
    ],
    "files.vault.held.unlock": [
        Case(Event.FILE_UNLOCKED, lambda w: lambda: held.unlock(w.held, KEY, actor=w.alice)),
        Case(Event.WRONG_KEY, _wrong_key),
    ],
    "files.folders.making.create_folder": [Case(Event.FOLDER_CREATED, _create_folder)],
    "files.folders.making.make_path": [Case(Event.FOLDER_CREATED, _make_path)],
    "files.folders.making.rename": [Case(Event.RENAMED, _rename)],
    "files.folders.moving.move": [
        Case(Event.MOVED, _move),
        Case(Event.OWNERSHIP_TRANSFERRED, _move_to_another),
    ],
    "files.folders.trash.put_away": [Case(Event.PUT_AWAY, _put_away)],
    "files.folders.trash.restore": [Case(Event.RESTORED, _restore)],
    "files.folders.ownership.transfer_tree": [
        Case(
            Event.OWNERSHIP_TRANSFERRED,
            lambda w: partial(ownership.transfer_tree, w.folder(), to=w.bob, actor=w.alice),
        ),
        Case(
            Event.SELF_GRANTED,
            lambda w: partial(ownership.transfer_tree, w.folder(), to=w.bob, actor=w.bob),
        ),
    ],
    "files.folders.ownership.transfer": [
        Case(
            Event.OWNERSHIP_TRANSFERRED,
            lambda w: lambda: ownership.transfer([w.record], to=w.bob, actor=w.alice),
        ),
        Case(
            Event.SELF_GRANTED,
            lambda w: lambda: ownership.transfer([w.record], to=w.bob, actor=w.bob),
        ),
    ],
    "files.rotation.reencryption.reencrypt": [
        Case(
            Event.FILE_REENCRYPTED,
            lambda w: lambda: reencryption.reencrypt(w.record, actor=w.alice),
        )
    ],
    "files.vault.continuing.Continuation.settle": [Case(Event.FILE_UPLOADED, _settle)],
    "files.vault.resumable.terminate": [Case(Event.UPLOAD_ABORTED, _terminate)],
    "files.recovery.database_closing.close": [
        Case(Event.DATABASE_CLOSED, lambda w: lambda: database_closing.close(uuid4(), "elsewhere"))
    ],
    "files.recovery.database_closing.reopen": [Case(Event.DATABASE_REOPENED, _reopen)],
    "files.rotation.retirement.retire": [Case(Event.KEY_RETIRED, _retire)],
    "files.sharing.granting.change": [Case(Event.GRANT_CHANGED, _change)],
    "files.sharing.granting.grant": [
        Case(Event.GRANT_CREATED, lambda w: lambda: granting.grant(w.new(), actor=w.alice)),
        Case(Event.SELF_GRANTED, lambda w: lambda: granting.grant(w.new(), actor=w.bob)),
    ],
    "files.sharing.granting.grant_many": [Case(Event.GRANT_CREATED, _grant_many)],
    "files.sharing.granting.revoke": [Case(Event.GRANT_REVOKED, _revoke)],
    "files.sharing.delegating.share": [Case(Event.GRANT_CREATED, _share)],
    "files.sharing.delegating.withdraw": [Case(Event.GRANT_REVOKED, _withdraw)],
    "files.sharing.requests.make": [Case(Event.REQUEST_CREATED, _make_request)],
    "files.sharing.requests.end": [Case(Event.REQUEST_ENDED, _end_request)],
    "files.sharing.senders.admit": [Case(Event.SENDER_ADMITTED, _admit_sender)],
    "files.sharing.senders.note_wrong_code": [Case(Event.SENDER_REFUSED, _wrong_code)],
    "files.sharing.requests.accept": [Case(Event.UPLOAD_ACCEPTED, _accept_upload)],
    "files.sharing.requests.decline": [Case(Event.UPLOAD_DECLINED, _decline_upload)],
    "files.vault.storing.Upload.abort": [Case(Event.UPLOAD_ABORTED, _abort)],
    "files.vault.publishing.create_record": [Case(Event.FILE_UPLOADED, _publish)],
    "files.vault.opening.mark_damaged": [
        Case(
            Event.DAMAGE_FOUND,
            lambda w: lambda: opening.mark_damaged(w.record.current, Damaged("it is")),
        )
    ],
    "files.vault.storing.publish": [
        Case(Event.FILE_UPLOADED, _publish),
        Case(Event.VERSION_ADDED, _publish_version),
    ],
    "files.vault.publishing.publish_object": [Case(Event.FILE_UPLOADED, _publish)],
    "files.vault.versions.take_place": [Case(Event.VERSION_ADDED, _publish_version)],
    "files.vault.versions.restore": [Case(Event.VERSION_RESTORED, _restore_version)],
    "files.vault.versions.delete": [Case(Event.VERSION_DELETED, _delete_version)],
    "files.vault.versions.prune": [Case(Event.VERSION_DELETED, _prune)],
    "files.vault.versions.prune_all": [Case(Event.VERSION_DELETED, _prune)],
    "files.vault.emptying.end_tree": [Case(Event.FOLDER_DELETED, _end_tree)],
    "files.vault.emptying.expire": [Case(Event.FILE_DELETED, _expire)],
    "files.folders.purging.delete_for_good": [
        Case(Event.FILE_DELETED, _delete_for_good),
        Case(Event.FOLDER_DELETED, _end_tree),
    ],
    "files.vault.removing.remove": [
        Case(Event.FILE_DELETED, lambda w: lambda: removing.remove(w.record, actor=w.alice))
    ],
    "files.vault.storing.store": [
        Case(Event.FILE_UPLOADED, lambda w: lambda: storing.store(w.alice, [CONTENT], name="a.txt"))
    ],
    "files.vault.batches.store": [Case(Event.FILE_UPLOADED, _store_batch)],
    "files.upkeep.verification.clear_damage": [Case(Event.DAMAGE_CLEARED, _clear)],
    "files.upkeep.verification.mark": [Case(Event.DAMAGE_FOUND, _mark)],
    "files.upkeep.verification.verify": [Case(Event.DAMAGE_CLEARED, _verify)],
}


COMMANDS_WITHOUT_EVENT = {
    "move_database": "its start and end are events of their own, at the two databases",
    "audit_anchor": "prints the head of the log",
    "doctor": "looks, and leaves nothing",
    "generate_master_key": "stores nothing, and takes no database",
    "restore_drill": "works on a copy, and takes no database",
    "deliver": "runs all the time; what it sends was told of before, its outcome is kept",
    "migrate": "works on a database that has no log yet, at times",
    "verify_audit": "must not add to the log that it reads; its outcome is kept",
}


# --- What there is --------------------------------------------------------------------------------


APART = {"crypto", "storage", "management", "migrations", "templatetags"}
"""What knows no row, or has a table of its own."""


def modules() -> set[str]:
    """Every module of the applications, by its dotted name."""
    found = (path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return {
        ".".join(path.with_suffix("").parts)
        for path in found
        if path.stem != "__init__" and not APART & {*path.parts}
    }


def use_cases() -> Iterator[str]:
    """The public functions and methods of the modules of use cases, exceptions aside."""
    for module, kind in MODULES.items():
        if kind != WALKED:
            continue
        tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield f"{module}.{node.name}"
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield f"{module}.{node.name}.{inner.name}"


def commands() -> dict[str, str]:
    """The source of each management command of ours, by its name."""
    found = (
        path
        for package in (*PACKAGES, "securestore")
        for path in (ROOT / package / "management" / "commands").glob("*.py")
    )
    return {path.stem: path.read_text() for path in found if path.stem != "__init__"}
