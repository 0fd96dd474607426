"""What management commands check before they work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from runtime.commands import CHECKED

ROOT = Path(__file__).parents[2]

OWN = sorted(
    name
    for name, app in get_commands().items()
    if apps.is_installed(app) and Path(apps.get_app_config(app.split(".")[-1]).path).parent == ROOT
)
NOTHING = {
    "doctor": "it checks by itself, and goes on when it finds something",
    "generate_master_key": "it reads no settings: what it prints is there to mend them",
    "restore_drill": "it checks the copy, not the site",
    "migrate": "as Django's, which checks the database's side of everything",
}
"""Our commands that check something else."""


def test_every_command_of_ours_is_known() -> None:
    assert NOTHING.keys() < set(OWN)


@pytest.mark.parametrize("name", sorted(set(OWN) - NOTHING.keys()))
def test_it_checks_what_would_leak_or_lose_files(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, BaseCommand)
    assert command.requires_system_checks == CHECKED


def test_no_check_of_ours_is_left_out() -> None:
    """One under another tag would no longer stop a command. What checks pages is Django's."""
    ours = [
        check
        for check in checks.registry.registry.get_checks(include_deployment_checks=True)
        if (ROOT / check.__module__.split(".")[0]).is_dir()
        and check.__module__ != "securestore.apps"
    ]
    assert len(ours) > 10
    for check in ours:
        assert set(check.tags) & set(CHECKED), check


@pytest.mark.integration
def test_no_page_is_loaded_for_a_command() -> None:
    """Addresses, and the programs' interface behind them, took a third of each start."""
    code = (
        "import sys, django; django.setup()\n"
        "from django.core.checks import run_checks\n"
        "from runtime.commands import CHECKED\n"
        "run_checks(tags=CHECKED)\n"
        "print({'securestore.urls', 'files.admin', 'accounts.forms', 'ninja'} & set(sys.modules))"
    )
    options = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", code], env=options, capture_output=True, text=True, check=True
    )
    assert told.stdout == "set()\n"
