"""Downloads: nothing is ever under its own name that is not whole, and what is was compared."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.client.conftest import MIB, Run
from tests.client.small_site import SmallSite

LARGE = 5 * MIB + 12_345


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - content


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, 262_144, 1_000_000, LARGE])
def test_a_file_arrives_as_it_is_there(
    run: Run, small_site: SmallSite, at_home: Path, size: int
) -> None:
    small_site.add("Cases/a.bin", content(size))
    assert run("get", "Cases/a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(size)
    assert names(at_home) == ["a.bin"]
    assert (at_home / "a.bin").stat().st_mtime == 1_796_025_600


def test_a_large_one_comes_in_ranges(run: Run, small_site: SmallSite, at_home: Path) -> None:
    small_site.add("a.bin", content(LARGE))
    assert run("get", "a.bin") == 0
    assert small_site.count("GET") >= 5


@pytest.mark.parametrize("seed", range(5))
def test_cut_connections_are_gone_on_with(
    run: Run, small_site: SmallSite, at_home: Path, seed: int
) -> None:
    small_site.add("a.bin", content(LARGE))
    chance = random.Random(seed)  # noqa: S311 - where it is cut
    small_site.cuts = [chance.randrange(1, 2**19) for _ in range(8)]
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)
    assert not small_site.cuts


def test_what_was_fetched_before_a_kill_is_not_fetched_again(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_site.add("a.bin", content(LARGE))
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0")
    small_site.cuts = [MIB // 2 + 100_000] * 8
    assert run("get", "a.bin") == 8
    assert not (at_home / "a.bin").exists()
    small_site.cuts, small_site.asked = [], []
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)
    assert names(at_home) == ["a.bin"]


def test_what_lies_here_is_compared_before_it_is_believed(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    kept = small_site.add("a.bin", content(LARGE))
    (at_home / ".a.bin.securestore").write_bytes(content(LARGE, seed=1))
    (at_home / ".a.bin.securestore-note").write_text(
        json.dumps({"etag": kept.etag, "size": LARGE}) + f"\n0 {LARGE}\n"
    )
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)


def test_what_lies_here_of_another_version_is_not_used(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    small_site.add("a.bin", content(LARGE))
    (at_home / ".a.bin.securestore").write_bytes(content(LARGE, seed=1))
    (at_home / ".a.bin.securestore-note").write_text(
        json.dumps({"etag": '"another"', "size": LARGE}) + f"\n0 {LARGE}\n"
    )
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)


@pytest.mark.parametrize("size", [5000, LARGE])
def test_what_is_not_what_the_site_has_is_not_kept(
    run: Run, small_site: SmallSite, at_home: Path, size: int
) -> None:
    small_site.add("a.bin", content(size))
    small_site.spoil = True
    assert run("get", "a.bin") == 7
    assert not (at_home / "a.bin").exists()


def test_folders_come_with_all_below_them(run: Run, small_site: SmallSite, at_home: Path) -> None:
    for number in range(120):
        small_site.add(f"Cases/12/{number}.txt", b"%d" % number)
    small_site.add("Cases/12/inner/deep.txt", b"deep")
    small_site.add("Cases/12/empty", None)
    assert run("get", "Cases/12", "--to", "out") == 0
    assert (at_home / "out/12/inner/deep.txt").read_bytes() == b"deep"
    assert (at_home / "out/12/empty").is_dir()
    assert len(list((at_home / "out/12").glob("*.txt"))) == 120


def test_what_is_here_is_not_written_over(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("a.txt", b"theirs")
    (at_home / "a.txt").write_bytes(b"mine")
    assert run("get", "a.txt") == 6
    assert (at_home / "a.txt").read_bytes() == b"mine"
    assert run("get", "a.txt", "--force") == 0
    assert (at_home / "a.txt").read_bytes() == b"theirs"
    capsys.readouterr()
    assert run("get", "a.txt", "--json") == 0
    [told] = json.loads(capsys.readouterr().out)["items"]
    assert told["outcome"] == "unchanged"


@pytest.mark.parametrize("name", ["..", "a/b", "nul\0"])
def test_a_name_that_leads_elsewhere_is_refused(
    run: Run, small_site: SmallSite, at_home: Path, name: str
) -> None:
    small_site.add_to(small_site.add("Cases", None).id, name, b"x")
    assert run("get", "Cases") == 1
    assert names(at_home) == ["Cases"]
    assert names(at_home / "Cases") == []


def test_standard_output_is_compared_too(
    run: Run, small_site: SmallSite, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    small_site.add("a.bin", content(300_000))
    small_site.add("b.bin", content(300, seed=1))
    small_site.cuts = [70_000]
    assert run("cat", "a.bin", "b.bin") == 0
    assert capfdbinary.readouterr().out == content(300_000) + content(300, seed=1)
    small_site.spoil = True
    assert run("cat", "b.bin") == 7


def test_a_locked_file_opens_with_its_key_from_a_file(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    small_site.add("offer.pdf", content(300), locked_with="k" * 44)
    (at_home / "offer.pdf.key").write_text("k" * 44 + "\n")
    assert run("open", "offer.pdf", "--key-file", "offer.pdf.key") == 0
    assert (at_home / "offer.pdf").read_bytes() == content(300)
    (at_home / "wrong.key").write_text("w" * 44)
    assert run("open", "offer.pdf", "--key-file", "wrong.key", "--output", "other") == 4
    assert not (at_home / "other").exists()


def test_a_locked_file_opens_with_a_key_that_is_typed(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_site.add("offer.pdf", content(300), locked_with="four words of mine")
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "four words of mine")
    assert run("open", "offer.pdf") == 0
    assert (at_home / "offer.pdf").read_bytes() == content(300)


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="no full disk")
def test_a_disk_that_is_full_is_no_broken_connection(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("a.bin", content(5000))
    (at_home / ".a.bin.securestore").symlink_to("/dev/full")
    assert run("get", "a.bin") == 1
    assert "cannot be written here" in capsys.readouterr().err
    assert small_site.count("GET") <= 3
