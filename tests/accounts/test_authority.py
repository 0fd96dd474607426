"""Nobody in the administration gains a power, or becomes somebody who has more than they have.

Every model that is registered is tried, by every way that the administration has to change it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts import authority
from accounts.administration import Guarded
from accounts.authority import RULES, Who
from accounts.models import Invitation, User
from audit.models import AuditEvent
from files.models import Grant
from tests.files.test_models import filed

admin.autodiscover()
PASSWORD = "quite another password"  # What an attacker would like it to be.


def staff(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name, f"{name}@example.org", "as it was", is_staff=True)
    found = Permission.objects.all()
    if permissions:
        found = found.filter(content_type__app_label__in=permissions)
    user.user_permissions.set(found)
    return user


@pytest.fixture
def delegate(db: None) -> User:
    """Staff with every permission that there is, who is no superuser."""
    return staff("delegate")


@pytest.fixture
def desk(db: None) -> User:
    """Staff who look after accounts, and have no business with the log or with files."""
    return staff("desk", "accounts", "account", "auth", "mfa")


@pytest.fixture
def auditor(db: None) -> User:
    return staff("auditor", "audit")


@pytest.fixture(autouse=True)
def _world(root: User, alice: User) -> None:
    """At least one row of everything, all of it a superuser's where it can be."""
    group = Group.objects.create(name="Powerful")
    group.permissions.set(Permission.objects.all())
    EmailAddress.objects.create(user=root, email=root.email, verified=True, primary=True)
    Authenticator.objects.create(user=root, type=Authenticator.Type.TOTP, data={})
    record = filed(root)
    Grant.objects.create(file=record, group=group, granted_by=root)
    soon = timezone.now() + timedelta(days=1)
    invited = Invitation.objects.create(
        email="new@example.org", token_hash="0" * 64, sent_at=soon, expires_at=soon
    )
    invited.groups.add(group)


# --- The table ---------------------------------------------------------------------------------


def test_every_model_of_the_administration_has_an_entry() -> None:
    registered = {model._meta.label_lower for model in admin.site._registry}
    assert registered == RULES.keys(), "say in accounts/authority.py who may decide about it"
    assert all(isinstance(one, Guarded) for one in admin.site._registry.values())


def test_a_model_without_an_entry_is_closed_to_everybody(
    monkeypatch: pytest.MonkeyPatch, client: Client, root: User
) -> None:
    rest = {name: rule for name, rule in RULES.items() if name != "auth.group"}
    monkeypatch.setattr(authority, "RULES", rest)
    client.force_login(root)
    for page in ("changelist", "add"):
        assert client.get(reverse(f"admin:auth_group_{page}")).status_code == 403
    number = Group.objects.latest("pk").pk
    assert client.get(reverse("admin:auth_group_change", args=[number])).status_code in {302, 403}


def test_what_decides_about_powers_or_identities_is_not_left_to_all_staff() -> None:
    for label, rule in RULES.items():
        if rule.identity:
            assert rule.who is not Who.STAFF or rule.powers, label


# --- Every way in ------------------------------------------------------------------------------


def state_of(person: User) -> dict[str, Any]:
    """Who that is, and what they may do."""
    fresh = User.objects.get(pk=person.pk)
    return {
        "is": [fresh.username, fresh.email, fresh.password, fresh.is_active],
        "may": [fresh.is_staff, fresh.is_superuser, sorted(fresh.get_all_permissions())],
        "in": sorted(fresh.groups.values_list("name", flat=True)),
        "addresses": list(
            EmailAddress.objects.filter(user=fresh).order_by("pk").values("email", "verified")
        ),
        "factors": list(Authenticator.objects.filter(user=fresh).values_list("pk", flat=True)),
    }


def groups() -> dict[str, list[str]]:
    return {
        group.name: sorted(group.permissions.values_list("codename", flat=True))
        for group in Group.objects.all()
    }


def hostile(model: type[models.Model], attacker: User, target: User) -> Iterator[dict[str, Any]]:
    """Forms with every field of the model in it, whether its page shows it or not."""
    for person in (attacker, target):
        form: dict[str, Any] = {
            "email": "evil@example.org",
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
            "password": "argon2$evil",
            "post": "yes",
            "_save": "Save",
            "grants-TOTAL_FORMS": "1",
            "grants-INITIAL_FORMS": "0",
            "grants-0-user": str(person.pk),
            "grants-0-level": "manage",
        }
        for field in model._meta.get_fields():
            if isinstance(field, models.ManyToManyField):
                everything = field.remote_field.model._default_manager
                form[field.name] = [str(pk) for pk in everything.values_list("pk", flat=True)]
            elif isinstance(field, models.BooleanField):
                form[field.name] = "on"
            elif isinstance(field, models.ForeignKey) and field.remote_field.model is User:
                form[field.name] = str(person.pk)
            elif isinstance(field, models.DateTimeField):
                form[f"{field.name}_0"], form[f"{field.name}_1"] = "2030-01-01", "00:00:00"
        form.setdefault("username", attacker.username)
        form.setdefault("name", "Powerful")
        yield form


def attack(client: Client, attacker: User, target: User) -> None:
    """Post all of that to every page of every model, for every row, and try every action."""
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        rows = model._default_manager.exclude(pk=attacker.pk) if model is User else None
        found = (rows or model._default_manager).order_by("pk")
        numbers = [str(pk) for pk in found.values_list("pk", flat=True)[:3]]
        chosen = {"_selected_action": numbers, "select_across": "1", "post": "yes"}
        for form in hostile(model, attacker, target):
            client.force_login(attacker)
            pages: list[Any] = ["add"]
            pages += [(page, pk) for pk in numbers for page in ("change", "delete")]
            if model is User:
                pages += [("password", pk) for pk in numbers] + [("change", str(attacker.pk))]
            for page in pages:
                what, *rest = page if isinstance(page, tuple) else (page,)
                try:
                    url = reverse(f"{name}_{what}", args=rest)
                except NoReverseMatch:
                    if what != "password":
                        continue
                    url = reverse("admin:auth_user_password_change", args=rest)
                client.post(url, form)
            listed = reverse(f"{name}_changelist")
            actions = {*(getattr(model_admin, "actions", None) or ()), "delete_selected"}
            for action in actions:
                for across in "01":
                    asked = {**chosen, "select_across": across, "action": str(action)}
                    client.post(listed, {**form, **asked, "confirmed": "1"})


@pytest.mark.integration
@pytest.mark.parametrize("who", ["delegate", "desk", "auditor"])
def test_staff_gain_no_power_and_nobody_elses_identity(
    client: Client,
    root: User,
    auditor: User,
    who: str,
    request: pytest.FixtureRequest,
) -> None:
    attacker: User = request.getfixturevalue(who)
    above = [root, *([auditor] if who == "desk" else [])]
    was, may = [state_of(one) for one in above], state_of(attacker)
    of_groups = groups()
    client.force_login(attacker)
    attack(client, attacker, root)
    assert [state_of(one) for one in above] == was
    now = state_of(attacker)
    assert now["may"][1] is False
    assert set(now["may"][2]) <= set(may["may"][2])
    assert now["in"] == may["in"]
    assert groups() == of_groups
    for powerful in User.objects.filter(is_superuser=True):
        assert powerful.pk == root.pk
    # Whoever was made meanwhile may do no more than its maker says: nothing.
    for made in User.objects.exclude(pk__in=[root.pk, attacker.pk, auditor.pk]):
        assert not made.is_staff
        assert not made.user_permissions.exists()
    assert not EmailAddress.objects.filter(email="evil@example.org", user=root).exists()


@pytest.mark.integration
def test_people_without_business_there_change_nothing(
    client: Client, root: User, alice: User
) -> None:
    was, may, of_groups = state_of(root), state_of(alice), groups()
    client.force_login(alice)
    attack(client, alice, root)
    assert (state_of(root), state_of(alice), groups()) == (was, may, of_groups)


# --- One by one --------------------------------------------------------------------------------


def test_a_group_is_a_superusers_to_change(client: Client, delegate: User, root: User) -> None:
    mine = Group.objects.create(name="Mine")
    delegate.groups.add(mine)
    everything = [str(pk) for pk in Permission.objects.values_list("pk", flat=True)]
    page = reverse("admin:auth_group_change", args=[mine.pk])
    client.force_login(delegate)
    assert client.get(page).status_code == 200  # To look at.
    assert client.post(page, {"name": "Mine", "permissions": everything}).status_code == 403
    assert not mine.permissions.exists()
    client.force_login(root)
    assert client.post(page, {"name": "Mine", "permissions": everything}).status_code == 302
    assert mine.permissions.exists()


@pytest.mark.parametrize("verified", ["on", ""])
def test_an_address_of_somebody_above_is_not_added(
    client: Client, desk: User, root: User, alice: User, verified: str
) -> None:
    client.force_login(desk)
    page, form = reverse("admin:account_emailaddress_add"), {"email": "evil@example.org"}
    answer = client.post(page, {**form, "user": root.pk, "verified": verified})
    assert "has powers that you do not have" in answer.content.decode()
    assert not EmailAddress.objects.filter(email="evil@example.org").exists()
    assert client.post(page, {**form, "user": alice.pk}).status_code == 302


def test_an_address_is_not_handed_to_somebody_above_or_taken_from_them(
    client: Client, desk: User, root: User
) -> None:
    own = EmailAddress.objects.create(user=desk, email="d@example.org")
    client.force_login(desk)
    page = reverse("admin:account_emailaddress_change", args=[own.pk])
    client.post(page, {"user": root.pk, "email": own.email, "verified": "on"})
    own.refresh_from_db()
    assert (own.user_id, own.verified) == (desk.pk, False)
    theirs = EmailAddress.objects.get(user=root)
    page = reverse("admin:account_emailaddress_change", args=[theirs.pk])
    assert client.post(page, {"user": desk.pk, "email": theirs.email}).status_code == 403
    EmailAddress.objects.filter(pk=theirs.pk).update(verified=False)
    chosen = {"action": "make_verified", "_selected_action": [theirs.pk]}
    client.post(reverse("admin:account_emailaddress_changelist"), chosen)
    theirs.refresh_from_db()
    assert not theirs.verified


def test_nobody_becomes_who_has_more_power(client: Client, desk: User, auditor: User) -> None:
    """Also where neither is a superuser, and where the account sleeps."""
    User.objects.filter(pk=auditor.pk).update(is_active=False)
    was = state_of(auditor)
    client.force_login(desk)
    password = reverse("admin:auth_user_password_change", args=[auditor.pk])
    passwords = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert client.post(password, passwords).status_code == 403
    page = reverse("admin:accounts_user_change", args=[auditor.pk])
    form = {"username": "auditor", "email": "desk2@example.org", "is_active": "on"}
    assert client.post(page, form).status_code == 403
    assert state_of(auditor) == was


def test_members_may_be_looked_after_by_who_is_no_member(
    client: Client, desk: User, alice: User
) -> None:
    """What every member may do is no power over others; also once members may share."""
    client.force_login(desk)
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    assert not authority.exceeds(alice, desk)
    alice.groups.get().permissions.add(Permission.objects.get(codename="add_grant"))
    assert not authority.exceeds(alice, desk)
    form = {"username": "alice", "email": "alice@example.net", "is_active": "on"}
    assert client.post(page, form).status_code == 302


def test_a_factor_is_a_superusers_to_remove(client: Client, delegate: User, root: User) -> None:
    row = Authenticator.objects.get(user=root)
    client.force_login(delegate)
    delete = reverse("admin:mfa_authenticator_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    client.post(reverse("admin:mfa_authenticator_changelist"), chosen)
    assert Authenticator.objects.filter(pk=row.pk).exists()


def test_no_secret_is_guessed_at_by_filters(client: Client, root: User) -> None:
    client.force_login(root)
    for page, hidden in (
        ("accounts_invitation", "token_hash__startswith"),
        ("mfa_authenticator", "data__secret__startswith"),
        ("accounts_user", "password__startswith"),
        ("files_grant", "user__password__startswith"),
    ):
        listed = reverse(f"admin:{page}_changelist")
        assert client.get(listed, {hidden: "a"}).status_code == 400, page


def test_the_log_stays_out_of_reach(client: Client, delegate: User) -> None:
    before = AuditEvent.objects.count()
    client.force_login(delegate)
    number = AuditEvent.objects.latest("id").pk
    for page in ("change", "delete"):
        url = reverse(f"admin:audit_auditevent_{page}", args=[number])
        assert client.post(url, {"post": "yes"}).status_code == 403
    assert AuditEvent.objects.count() >= before
