"""A small file in one request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.conftest import Run, content
from tests.client.small_site import SmallSite


@pytest.mark.parametrize("size", [0, 1, 4096, 262_144, 262_145, 900_000])
def test_a_small_file_goes_in_one_request(
    run: Run, small_site: SmallSite, at_home: Path, size: int
) -> None:
    (at_home / "a.bin").write_bytes(content(size))
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(size)
    assert small_site.count("PUT") == 1


def test_a_busy_site_is_waited_for(run: Run, small_site: SmallSite, at_home: Path) -> None:
    (at_home / "a.txt").write_text("a")
    small_site.refuse = [(503, {}), (429, {"Retry_After": "0"})]
    assert run("put", "a.txt") == 0
    assert small_site.content("a.txt") == b"a"


def test_what_arrives_as_something_else_is_told(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "a.bin").write_bytes(content(5000))
    small_site.spoil = True
    assert run("put", "a.bin") == 7
    assert "not what was sent" in capsys.readouterr().err


def test_an_answer_that_was_lost_is_given_again_and_makes_no_second_version(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    (at_home / "a.bin").write_bytes(content(5000))
    small_site.add("a.bin", b"before")
    small_site.lose_answers, small_site.lose_answers_to = 2, "/content/a.bin"
    assert run("put", "a.bin") == 0
    found = small_site.at("a.bin")
    assert found is not None
    assert (found.data, found.version) == (content(5000), 2)
    assert small_site.count("PUT") == 3
    assert len([key for key, told in small_site.answered.items() if "PUT" in told[0]]) == 1


def test_each_file_has_a_key_of_its_own(run: Run, small_site: SmallSite, at_home: Path) -> None:
    """The same bytes under the same name, put away meanwhile, are stored anew."""
    (at_home / "a.bin").write_bytes(b"a")
    for _ in range(2):
        assert run("put", "a.bin") == 0
        assert run("rm", "a.bin") == 0
    assert small_site.count("PUT") == 2
    assert len([one for one in small_site.kept.values() if one.trashed]) == 2


def test_a_replay_without_a_digest_is_of_these_very_bytes(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    (at_home / "a.bin").write_bytes(content(5000))
    small_site.lose_answers, small_site.lose_answers_to = 1, "/content/a.bin"
    small_site.forgets_digests = True
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(5000)
