"""Tags, and the same verb on several jobs: one result line each, one exit status."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from smc_tui.cli.several import BARS, Group, GroupWatch
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.lifecycle import Phase, State, Status
from smc_tui.model.options import Config
from smc_tui.model.units import HOUR, MIB
from tests.cli.conftest import ROOT, Cli, end_engine
from tests.model.samples import job_in


@pytest.fixture
def two(smc: Cli, tmp_path: Path) -> Cli:
    """Return a home with two jobs that have a first image, and one that has not begun."""
    for name, tags in (("a1", ("--tag", "wave-1")), ("b2", ()), ("c3", ("--tag", "late"))):
        disk = tmp_path / f"{name}.img"
        disk.write_bytes(os.urandom(2 * MIB))
        smc.json("source", "import", name, "--local", disk, *tags)
    smc.json("job", "create", "a1", "--name", "mig-a", "--wait")
    smc.json("job", "create", "b2", "--name", "mig-b", "--tag", "wave-1", "--tag", "db", "--wait")
    smc.json("job", "create", "c3", "--name", "mig-c")
    return smc


def names(smc: Cli, *options: str) -> list[str]:
    return [job["name"] for job in smc.json("job", "list", *options)]


def test_a_job_answers_to_its_own_tags_and_its_sources(two: Cli) -> None:
    assert names(two, "--tag", "wave-1") == ["mig-a", "mig-b"]
    assert names(two, "--tag", "wave-1", "--tag", "db") == ["mig-b"]
    assert names(two, "--status", "Waiting") == ["mig-a", "mig-b"]
    assert names(two, "--status", "not started", "--status", "InError") == ["mig-c"]
    assert names(two, "--tag", "db", "--status", "Ready") == []
    assert "No job is like that" in two("job", "list", "--tag", "nothing").err
    assert [each["name"] for each in two.json("source", "list", "--tag", "late")] == ["c3"]
    assert two.json("job", "tag", "mig-c", "wave-1", "x")["tags"] == ["wave-1", "x"]
    assert two.json("job", "tag", "mig-c", "wave-1", "--remove")["tags"] == ["x"]
    assert two.json("source", "tag", "c3", "late", "--remove")["tags"] == []
    assert "no tags" in two("source", "tag", "c3", "none", "--remove").out
    assert "Tags          x" in two("job", "show", "mig-c").out


@pytest.mark.parametrize(
    ("typed", "code", "status"),
    [
        (("job", "start"), "InvalidParameter.Missing", 2),
        (("job", "start", "x", "--all"), "InvalidParameter.Combination", 2),
        (("job", "start", "--tag", "-x"), "InvalidParameter.Tag", 2),
        (("job", "start", "--tag", "nobody"), "ReplicationJob.NotFound", 4),
        (("job", "list", "--tag", "a b"), "InvalidParameter.Tag", 2),
        (("job", "tag", "x"), "InvalidParameter.Missing", 2),
        (("source", "import", "web", "--local", "/x", "--tag", "a b"), "InvalidParameter.Tag", 2),
    ],
)
def test_slips_start_nothing(smc: Cli, typed: tuple[str, ...], code: str, status: int) -> None:
    said = smc(*typed, "--json")
    assert (said.code, said.error["code"]) == (status, code)
    assert not (smc.home / "engine.lock").exists()


def test_everything_when_there_is_nothing(smc: Cli) -> None:
    assert smc.json("job", "pause", "--all") == []


def test_one_result_line_each_and_the_others_go_on(two: Cli) -> None:
    said = two("job", "sync", "mig-a", "mig-c", "nobody", "mig-b", "mig-a")
    lines = said.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["mig-a", "mig-c", "nobody", "mig-b"]
    told = dict(line.split(": ", 1) for line in lines)
    assert told["mig-a"] == told["mig-b"] == "started"
    assert told["mig-c"].startswith("ReplicationJob.InvalidStatus: ")
    assert told["mig-c"].endswith("Next: see smc-tui job show mig-c")
    assert told["nobody"].startswith("ReplicationJob.NotFound: ")
    assert said.code == ExitCode.FAILED  # two failures that do not agree


def test_the_status_is_that_on_which_all_failures_agree(two: Cli) -> None:
    said = two("job", "retry", "--all", "--json")
    assert said.code == ExitCode.NOT_ALLOWED
    assert [each["ok"] for each in said.document] == [False] * 3
    assert {each["error"]["code"] for each in said.document} == {"ReplicationJob.InvalidStatus"}
    assert said.document[0]["error"]["job"]["status"] == "Waiting"
    mixed = two("job", "pause", "--all", "--json")
    assert [each["ok"] for each in mixed.document] == [True, True, False]
    assert mixed.code == ExitCode.NOT_ALLOWED
    assert mixed.document[0]["result"]["status"] == "Stopped"


def test_all_are_waited_for(two: Cli) -> None:
    said = two("job", "sync", "--tag", "wave-1", "--wait")
    assert said.code == 0
    ended = sorted(said.out.splitlines())
    assert [line.split(", ")[0] for line in ended] == ["mig-a: Waiting", "mig-b: Waiting"]
    assert all("Manual run in" in line for line in ended)
    document = two.json("job", "sync", "--tag", "wave-1", "--wait")
    assert [len(each["result"]["runs"]) for each in document] == [3, 3]
    assert "jobs ended" in two("job", "sync", "--tag", "wave-1", "--wait").err


def test_intervals_of_several(two: Cli) -> None:
    found = two.json("job", "interval", "mig-a", "mig-b", "12h", "--keep", "2")
    assert [each["result"]["interval"] for each in found] == [12 * HOUR] * 2
    assert two.json("job", "interval", "--tag", "db", "6h")[0]["result"]["interval"] == 6 * HOUR
    assert two.json("job", "interval", "mig-a", "9h")["interval"] == 9 * HOUR


def test_modify_says_which_images_a_lower_maximum_takes(two: Cli) -> None:
    (first,) = two.json("job", "show", "mig-a")["images"]
    told = f"mig-a: images go after the next image, the oldest unused beyond 1: {first['name']}"
    assert told in two("job", "modify", "mig-a", "--keep", "1").err
    assert "images go" not in two("job", "modify", "mig-a", "--limit", "5").err


def test_a_lower_maximum_says_which_images_go(two: Cli) -> None:
    (first,) = two.json("job", "show", "mig-a")["images"]
    told = f"mig-a: images go after the next image, the oldest unused beyond 1: {first['name']}"
    assert told in two("job", "interval", "mig-a", "6h", "--keep", "1").err
    assert told in two("job", "interval", "--tag", "wave-1", "6h", "--keep", "1").err
    assert "images go" not in two("job", "interval", "mig-a", "6h", "--keep", "2").err


def test_what_is_final_wants_each_name_or_the_tag(two: Cli) -> None:
    for typed, missing in (
        (("mig-a", "mig-b"), "--yes mig-a --yes mig-b"),
        (("mig-a", "mig-b", "--yes", "mig-b"), "--yes mig-a"),
        (("--tag", "wave-1"), "--yes wave-1"),
        (("--tag", "wave-1", "--tag", "db", "--yes", "db"), "--yes wave-1"),
        (("--all",), "--yes all"),
    ):
        said = two("job", "cancel", *typed, "--json")
        assert (said.code, said.error["code"]) == (2, "InvalidParameter.Confirmation"), typed
        assert missing in said.error["detail"]
    said = two("job", "cancel", "mig-a", "mig-b", "--yes", "mig-a", "--yes", "mig-z", "--json")
    assert "nothing was done" in said.error["detail"]
    assert len(names(two)) == 3
    done = two.json("job", "cancel", "--tag", "wave-1", "--yes", "wave-1", "--wait")
    assert [each["result"]["deleted"] for each in done] == [True, True]
    said = two("job", "cancel", "mig-c", "nobody", "--yes", "mig-c", "--wait")
    assert "mig-c: deleted; its images stay" in said.out
    assert said.code == ExitCode.NO_SUCH_OBJECT
    assert names(two) == []


def test_what_would_be_refused_is_not_asked_about(two: Cli) -> None:
    said = two("job", "complete", "mig-c", "mig-c", "nobody", "--json")
    assert [each["error"]["code"] for each in said.document] == [
        "ReplicationJob.InvalidStatus",
        "ReplicationJob.NotFound",
    ]
    done = two.json("job", "complete", "--tag", "wave-1", "--yes", "wave-1", "--wait")
    assert [each["result"]["status"] for each in done] == ["Finished"] * 2


def test_a_release_of_several_starts_them_again(two: Cli) -> None:
    two.json("job", "pause", "mig-a", "mig-b", "--wait")
    done = two.json("job", "release", "mig-a", "mig-b", "--yes", "mig-a", "--yes", "mig-b")
    assert [each["result"]["intermediate"] for each in done] == [None, None]
    assert two.json("resource", "list") == []


def test_a_time_out_names_those_that_go_on(two: Cli) -> None:
    for name in ("mig-a", "mig-b"):
        two.json("job", "modify", name, "--limit", "1", "--compression", "0")
    for name in ("a1", "b2"):
        (two.home.parent / f"{name}.img").write_bytes(os.urandom(2 * MIB))
    said = two("job", "sync", "mig-a", "mig-b", "--wait", "--timeout", "0.5", "--json")
    assert said.code == ExitCode.TIMED_OUT
    assert {each["error"]["code"] for each in said.document} == {"Request.TimedOut"}
    assert all(each["error"]["job"]["status"] == "Running" for each in said.document)


def test_an_engine_that_ends_meanwhile_ends_the_waiting(
    two: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mig-a", "mig-b"):
        two.json("job", "modify", name, "--limit", "1", "--compression", "0")
    for name in ("a1", "b2"):
        (two.home.parent / f"{name}.img").write_bytes(os.urandom(2 * MIB))
    looked = Group.title.fget
    assert looked is not None

    def title(self: Group) -> str:
        end_engine(two.home)
        return looked(self)

    monkeypatch.setattr(Group, "title", property(title))
    said = two("job", "sync", "mig-a", "mig-b", "--wait", "--json")
    assert said.code == ExitCode.NO_ENGINE
    assert {each["error"]["code"] for each in said.document} == {"Engine.NotReachable"}


def test_a_bar_for_each_that_runs() -> None:
    syncing = State(Status.RUNNING, Phase.SYNCING)
    jobs = [replace(job_in(syncing), id=f"j-{n}", name=f"mig-{n}") for n in range(BARS + 2)]
    jobs.append(replace(job_in(State(Status.WAITING)), id="j-x"))
    store = SimpleNamespace(jobs=lambda: [replace(job, progress=40.0) for job in jobs])
    group = SimpleNamespace(title="Start: 0 ended", under_way=[job.id for job in jobs[1:]])
    frame = GroupWatch(store, group).frame()  # type: ignore[arg-type]
    assert frame.title == "Start: 0 ended, 1 more"
    assert len(frame.bars) == BARS
    assert (frame.bars[0].label, frame.bars[0].facts) == ("mig-1", "Syncing, 40 %")
    assert frame.bars[0].share == 0.4


def test_a_tag_is_typed_on_the_terminal_after_all_was_told(two: Cli) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "smc_tui", "--home", str(two.home)]
    process = subprocess.Popen(
        [*command, "job", "cancel", "--tag", "wave-1", "--wait", "--ascii"],
        stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, close_fds=True,
    )  # fmt: skip
    os.close(slave)
    seen = _until(master, b"type wave-1 to go on:")
    assert b"mig-a: Cancelling" in seen
    assert b"mig-b: Cancelling" in seen
    assert b"Stays:" in seen
    os.write(master, b"wave-1\n")
    seen = _until(master, b"mig-b: deleted") if b"mig-b: deleted" not in seen else seen
    assert process.wait(30) == 0
    os.close(master)
    assert names(two) == ["mig-c"]


def _until(master: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([master], [], [], 30)
        assert ready, seen
        try:
            seen += os.read(master, 65536)
        except OSError:
            raise AssertionError(seen) from None
    return seen


def test_what_was_configured_is_what_a_new_job_gets(
    smc: Cli, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smc.imported(disk)
    config = Config(interval=9 * HOUR, keep=7, limit_mbit=50, compression="3", valid=9 * 86400)
    monkeypatch.setattr("smc_tui.cli.session.Session.config", config)
    job = smc.json("job", "create", "web01", "--name", "mig", "--keep", "2")
    chosen = (job["interval"], job["keep"], job["limit_mbit"], job["compression"])
    assert chosen == (9 * HOUR, 2, 50, "3")
    smc.json("job", "cancel", "mig", "--yes", "mig", "--wait")
    once = smc.json("job", "create", "web01", "--name", "mig", "--once")
    assert (once["interval"], once["keep"]) == (None, 7)
