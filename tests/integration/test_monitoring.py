"""What is shipped for Prometheus, tried on a deployment that runs: targets, rules, the proxy."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from launcher.ports import LOOPBACK
from tests.conftest import Weed
from tests.integration.deployment import HOST, Address, Deployment, Pool, Visitor, people
from tests.integration.installation import ROOT

TOKEN = "a-token-of-twenty-characters"
DEPLOY = ROOT / "deploy"
_METRIC = re.compile(r"\b(securestore_[a-z_]+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Deployment]:
    found = Deployment(tmp_path_factory.mktemp("monitored"), weed, servers=1, METRICS_TOKEN=TOKEN)
    with found.running():
        people(found.installation, 0)
        yield found


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def scrape(pool: Pool) -> str:
    """As Prometheus does what `deploy/prometheus.yml` says: by address, with the token."""
    [job] = load(DEPLOY / "prometheus.yml")["scrape_configs"]
    connection = http.client.HTTPConnection(LOOPBACK, pool.port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connection.request("GET", job["metrics_path"], headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    assert answer.status == 200, text
    return text


def rules() -> list[Mapping[str, Any]]:
    [group] = load(DEPLOY / "alerts.yml")["groups"]
    return list(group["rules"])


def test_every_pool_is_a_target() -> None:
    [job] = load(DEPLOY / "prometheus.yml")["scrape_configs"]
    targets = {one["labels"]["pool"]: one["targets"] for one in job["static_configs"]}
    proxy = (DEPLOY / "nginx.conf").read_text()
    for pool, [target] in targets.items():
        [upstream] = re.findall(rf"upstream securestore_{pool} \{{\s+server (\S+) ", proxy)
        assert target == upstream
    assert set(targets) == {"pages", "transfers"}


def test_what_the_rules_ask_for_is_there(deployment: Deployment) -> None:
    """Every metric of the rules with every label, from the site as it runs."""
    visitor = Visitor(Address(deployment.port, HOST, deployment.context))
    assert visitor.post("/accounts/login/", login="visitor", password="wrong") != 302
    for command in ("sweep", "verify_files", "backup"):
        deployment.installation.run(f"manage.py {command}")
    [server] = deployment.servers
    told: dict[str, set[str]] = {}
    commands, states = set(), set()
    for family in text_string_to_metric_families(scrape(server.pages)):
        for sample in family.samples:
            told.setdefault(sample.name, set()).update(sample.labels)
            commands.add(sample.labels.get("command"))
            states.add(sample.labels.get("state"))
    asked = [found for rule in rules() for found in _METRIC.findall(rule["expr"])]
    assert len({name for name, _ in asked}) > 5
    for name, labels in asked:
        assert name in told, name
        assert set(_LABEL.findall(labels)) <= told[name], (name, labels)
    everything = " ".join(rule["expr"] for rule in rules())
    assert set(re.findall(r'command="(\w+)"', everything)) <= commands
    assert set(re.findall(r'state="(\w+)"', everything)) <= states
    # Nothing of ours is called anything else.
    assert not re.search(r"(?<![\w_])(objects|command_|failures_|audit_head|requests_)", everything)


def test_each_rule_says_what_it_is_about() -> None:
    for rule in rules():
        assert rule["alert"].startswith("Securestore")
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_each_pool_counts_what_it_does(deployment: Deployment) -> None:
    [server] = deployment.servers
    for pool, route in ((server.pages, "files:list"), (server.transfers, "uploads")):
        visitor = Visitor(Address(deployment.port, HOST, deployment.context))
        visitor.ask("GET", {"files:list": "/files/", "uploads": "/uploads/"}[route])
        assert f'route="{route}"' in scrape(pool)


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/%6detrics", "//metrics", "/./metrics", "/x/../metrics", "/metrics?a=b"],
)
def test_the_proxy_shows_it_to_nobody(deployment: Deployment, path: str) -> None:
    visitor = Visitor(Address(deployment.port, HOST, deployment.context))
    status, _, page = visitor.ask("GET", path, Authorization=f"Bearer {TOKEN}")
    assert status == 404
    assert b"securestore_" not in page


def test_who_has_no_token_is_shown_nothing_at_the_server_either(deployment: Deployment) -> None:
    [server] = deployment.servers
    for host in (HOST, f"{LOOPBACK}:{server.pages.port}"):
        connection = http.client.HTTPConnection(LOOPBACK, server.pages.port, timeout=60)
        connection.request("GET", "/metrics", headers={"Host": host})
        answer = connection.getresponse()
        page = answer.read()
        connection.close()
        assert answer.status in {400, 401}
        assert b"securestore_" not in page
