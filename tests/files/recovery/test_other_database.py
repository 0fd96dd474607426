"""The other database: how it is called, and that its password is not told."""

from __future__ import annotations

from files.recovery import other_database

SECRET = "hunter2"


def test_a_target_is_called_without_its_password() -> None:
    try:
        called = other_database.connect(f"postgres://me:{SECRET}@db.example.org:5432/vault")
        assert called == "postgres://db.example.org:5432/vault"
    finally:
        other_database.forget()
    assert other_database.has_password(f"postgres://me:{SECRET}@h/n")
    assert not other_database.has_password("postgres://me@h/n")
