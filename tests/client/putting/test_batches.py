"""Many small files: few requests, and the same files there whatever becomes of a batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.securestore_client.putting.batches import BYTES, MOST, SMALL, Waiting, batches_of
from tests.client.conftest import Run, content
from tests.client.small_site import SmallSite

MANY = 60


@pytest.fixture
def many(at_home: Path) -> dict[str, bytes]:
    """A folder `Many` with small files, one of them empty; the bytes of each by its name."""
    (at_home / "Many").mkdir()
    made = {f"{number}.bin": content(number * 7, number) for number in range(MANY)}
    for name, data in made.items():
        (at_home / "Many" / name).write_bytes(data)
    return made


def all_are_there(site: SmallSite, made: dict[str, bytes]) -> None:
    assert {name: site.content(f"Many/{name}") for name in made} == made
    folder = site.at("Many")
    assert folder is not None
    assert sum(one.parent == folder.id for one in site.kept.values()) == len(made)
    assert {one.version for one in site.kept.values()} == {1}


def batches(site: SmallSite) -> int:
    return sum(path.endswith("/files") for _method, path in site.asked)


def test_they_go_in_few_requests(
    run: Run, small_site: SmallSite, many: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("put", "Many", "--json") == 0
    all_are_there(small_site, many)
    assert (batches(small_site), small_site.count("PUT")) == (2, 0)
    told = json.loads(capsys.readouterr().out)
    assert {one["path"] for one in told["items"]} == {f"Many/{name}" for name in many}
    assert {one["outcome"] for one in told["items"]} == {"stored"}
    # Once more, and nothing is sent.
    assert run("put", "Many") == 0
    assert (batches(small_site), small_site.count("PUT")) == (2, 0)
    all_are_there(small_site, many)


def test_few_files_and_large_ones_go_by_themselves(
    run: Run, small_site: SmallSite, at_home: Path, many: dict[str, bytes]
) -> None:
    for name in "abc":
        (at_home / f"{name}.bin").write_bytes(b"x")
    assert run("put", "a.bin", "b.bin", "c.bin") == 0
    assert (batches(small_site), small_site.count("PUT")) == (0, 3)
    (at_home / "Many" / "large.bin").write_bytes(bytes(SMALL + 1))
    assert run("put", "Many") == 0
    assert (batches(small_site), small_site.count("PUT")) == (2, 4)
    assert small_site.content("Many/large.bin") == bytes(SMALL + 1)


def test_what_is_there_with_other_bytes_becomes_a_version_beside_them(
    run: Run, small_site: SmallSite, many: dict[str, bytes]
) -> None:
    small_site.add("Many/7.BIN", b"other")
    assert run("put", "Many") == 0
    assert small_site.content("Many/7.bin") == many["7.bin"]
    assert (batches(small_site), small_site.count("PUT")) == (2, 1)


def test_a_site_that_knows_no_batches_is_asked_once(
    run: Run, small_site: SmallSite, many: dict[str, bytes]
) -> None:
    small_site.knows_no_batches = True
    assert run("put", "Many", "--at-once", "1") == 0
    all_are_there(small_site, many)
    assert (batches(small_site), small_site.count("PUT")) == (1, MANY)


def test_an_answer_that_was_lost_is_given_again_and_nothing_stored_twice(
    run: Run, small_site: SmallSite, many: dict[str, bytes]
) -> None:
    small_site.lose_answers, small_site.lose_answers_to = 1, "/files"
    assert run("put", "Many", "--at-once", "1") == 0
    all_are_there(small_site, many)
    done = sum("/files " in asked for asked, *_told in small_site.answered.values())
    assert (batches(small_site), done, small_site.count("PUT")) == (3, 2, 0)
    # Nobody had to look whether they are there.
    assert not [path for _method, path in small_site.asked if "/item?" in path]


def test_a_cut_batch_is_sent_again(run: Run, small_site: SmallSite, many: dict[str, bytes]) -> None:
    small_site.cuts = [300]
    assert run("put", "Many", "--at-once", "1") == 0
    all_are_there(small_site, many)
    assert (batches(small_site), small_site.count("PUT")) == (3, 0)


def test_a_batch_that_never_comes_through_goes_one_by_one(
    run: Run, small_site: SmallSite, many: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0.05")
    small_site.cuts = [300]
    assert run("put", "Many", "--at-once", "1") == 0
    all_are_there(small_site, many)
    assert (batches(small_site), small_site.count("PUT")) == (2, MOST)


def test_a_site_that_is_gone_costs_the_patience_twice_and_not_for_each_file(
    run: Run,
    small_site: SmallSite,
    many: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0.05")
    # Who asks, the folder, what is in it; from then on nothing any more.
    small_site.gone_after = 3
    assert run("put", "Many", "--at-once", "1") == 8
    assert capsys.readouterr().err.count("cannot be reached") == MANY
    # Of each batch the request, and one that looks for its first file; both a few times.
    assert len(small_site.asked) <= 3 + 2 * 4


def test_what_is_told_as_something_else_is_looked_at(
    run: Run, small_site: SmallSite, many: dict[str, bytes]
) -> None:
    small_site.spoil = True
    assert run("put", "Many") == 0
    all_are_there(small_site, many)
    assert sum(path.endswith("/digests") for _method, path in small_site.asked) == MANY


def test_a_file_that_cannot_be_read_is_named_and_the_others_go_on(
    run: Run,
    small_site: SmallSite,
    at_home: Path,
    many: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (at_home / "Many" / "0.bin").unlink()
    (at_home / "Many" / "0.bin").symlink_to("nowhere")
    assert run("put", *(f"Many/{name}" for name in many), "--to", "Many") != 0
    assert "0.bin" in capsys.readouterr().err
    del many["0.bin"]
    all_are_there(small_site, many)


def test_a_batch_has_two_bounds() -> None:
    files = [Waiting(Path("x"), str(n), SMALL) for n in range(20)]
    sizes = [sum(one.size for one in batch) for batch in batches_of(files)]
    assert (max(sizes), sum(sizes)) == (BYTES, 20 * SMALL)
    files = [Waiting(Path("x"), str(n), 0) for n in range(MOST + 1)]
    assert [len(batch) for batch in batches_of(files)] == [MOST, 1]
