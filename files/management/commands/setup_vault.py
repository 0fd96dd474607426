"""`manage.py setup_vault`: what a migrated database still lacks before people can use the vault."""

import os
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import IntegrityError

import audit
from accounts import powers
from accounts.members import ensure_members_group
from accounts.models import User
from files.management.failures import told_to_the_operator
from files.storage import StoreError, StoreRefused
from files.vault import stored_objects
from runtime.commands import CHECKED


class Command(BaseCommand):
    help = (
        "Create what is missing: the bucket, the cache table, the group Members, and the first "
        "administrator (DJANGO_SUPERUSER_USERNAME, _EMAIL, _PASSWORD; without a password, a "
        "random one is printed once). Safe to run again."
    )
    requires_system_checks = CHECKED

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            stored_objects.storage().ensure_bucket()
        except StoreError as error:
            remedy = error.remedy if isinstance(error, StoreRefused) else ""
            raise CommandError(
                f"The object store cannot be used ({error}). "
                + (remedy or "Check S3_ENDPOINT_URL, S3_BUCKET and the AWS_* credentials.")
            ) from None
        with told_to_the_operator():
            call_command("createcachetable", verbosity=0)
            self._set_up()

    def _set_up(self) -> None:
        with audit.command("setup_vault") as run:
            group = ensure_members_group()
            has_one = User.objects.filter(is_superuser=True).exists()
            if not has_one:
                with powers.as_one():
                    self._create_administrator().groups.add(group)
            run.tell(administrator_created=not has_one)

    def _create_administrator(self) -> User:
        username = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
        email = os.environ.get("DJANGO_SUPERUSER_EMAIL") or ""
        given = os.environ.get("DJANGO_SUPERUSER_PASSWORD") or ""
        password = given or secrets.token_urlsafe(18)
        try:
            if email:
                validate_email(email)
            user = User.objects.create_superuser(username, email, password)
        except (IntegrityError, ValidationError, ValueError) as error:
            raise CommandError(
                f"The first administrator {username!r} cannot be created: {error}. Choose other "
                "values for DJANGO_SUPERUSER_USERNAME and DJANGO_SUPERUSER_EMAIL."
            ) from None
        if given:
            self.stdout.write(f"Administrator {username} created with the password given.")
        else:
            self.stdout.write(f"First administrator: {username}")
            self.stdout.write(f"Password (shown only now): {password}")
        return user
