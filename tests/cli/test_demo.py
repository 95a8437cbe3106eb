"""The demo: proven, or not zero; nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smc_tui.cli import demo
from smc_tui.cli.sample import SampleDisk, first_difference
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.units import KIB, MIB
from tests.cli.conftest import ROOT, Cli


def shown(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as a stranger would, with a temporary folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "smc_tui", "demo", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "SMC_TUI_HOME": str(tmp_path / "mine")},
        timeout=120,
        check=False,
    )


def test_the_demo_proves_its_image_and_leaves_nothing(tmp_path: Path) -> None:
    said = shown(tmp_path, "--headless", "--size", "48")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "PROVEN: the newest image equals the server's disk, all 50,331,648 bytes" in said.stdout
    kinds = [line.split()[0] for line in said.stdout.splitlines() if " m-" in line]
    # On a slow machine the scheduler may come in once more between two steps.
    assert kinds[0] == "Full"
    assert kinds[1:3] == ["Schedule", "Schedule"]
    assert kinds[-1] == "Last"
    for word in ("COMPARED", "CHANGED", "SENT", "WIRE", "STORED"):
        assert word in said.stdout
    assert "\x1b" not in said.stdout + said.stderr
    # Its temporary home is gone, and the home of the environment was never touched.
    assert list(tmp_path.iterdir()) == []


def test_its_receipt_is_a_document_and_its_home_can_be_kept(
    smc: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "TIME_LAPSE", 3600.0)
    receipt = smc.json("demo", "--headless", "--size", "32")
    assert (receipt["equal"], receipt["bytes_proven"]) == (True, 32 * MIB)
    assert len(receipt["images"]) == demo.KEEP
    full, *later = receipt["runs"]
    assert full["bytes_changed"] == 16 * MIB
    assert {run["bytes_compared"] for run in later} == {32 * MIB}
    sent, changed = (sum(run[f"bytes_{what}"] for run in later) for what in ("sent", "changed"))
    # Each place written is a block or two of 64 KiB, and zeros are never sent.
    most = sum(each["written"] + 2 * 64 * KIB * each["places"] for each in receipt["changes"])
    assert 0 < sent < changed <= most
    assert receipt["store"]["images"] == demo.KEEP
    assert smc.engine() is None
    job = smc.json("job", "list")[0]
    assert job["status"] == "Finished"
    # Once more in the same home: what was there stays.
    assert smc.json("demo", "--headless", "--size", "16")["equal"] is True
    assert [source["name"] for source in smc.json("source", "list")] == [
        "demo-server", "demo-server-1",
    ]  # fmt: skip


def test_it_does_not_say_proven_when_it_is_not(smc: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCHEDULED", 0)
    monkeypatch.setattr(demo, "first_difference", lambda *_: 4711)
    said = smc("demo", "--headless", "--size", "16")
    assert said.code == ExitCode.FAILED
    assert "NOT EQUAL: image and disk differ at byte 4711." in said.out
    assert "PROVEN" not in said.out
    assert said.err.splitlines()[-1].startswith("Demo.NotEqual: ")


def test_it_does_not_take_over_an_engine_that_runs(smc: Cli) -> None:
    pid = smc.json("engine", "start")["pid"]
    said = smc("demo", "--headless", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Engine.AlreadyRunning")
    assert smc.engine() == pid


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "smc_tui", "demo", "--headless", "--size", "32"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    step = {signal.SIGINT: " 4  ", signal.SIGTERM: " 3  ", signal.SIGHUP: " 2  "}[number]
    assert any(line.startswith(step) for line in process.stdout)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the demo was interrupted and is over" in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_the_sample_disk_is_text_random_and_holes(tmp_path: Path) -> None:
    disk = SampleDisk(tmp_path / "disk", 32 * MIB)
    disk.make()
    content = disk.path.read_bytes()
    assert len(content) == 32 * MIB
    assert content[: 8 * MIB].isascii()
    assert not content[8 * MIB : 16 * MIB].isascii()
    assert not content[16 * MIB :].strip(b"\0")
    assert disk.path.stat().st_blocks * 512 < 18 * MIB
    pieces = [content[at : at + 64 * KIB] for at in range(0, 16 * MIB, 64 * KIB)]
    assert len(set(pieces)) == len(pieces)


def test_the_sample_disk_changes_as_it_says(tmp_path: Path) -> None:
    disk = SampleDisk(tmp_path / "disk", 32 * MIB)
    disk.make()
    before = disk.path.read_bytes()
    said = disk.change()
    after = disk.path.read_bytes()
    assert len(after) == len(before)
    differing = sum(
        before[at : at + 4096] != after[at : at + 4096] for at in range(0, len(before), 4096)
    )
    assert 0 < differing * 4096 <= said.written + said.zeroed
    assert said.zeroed == 64 * KIB


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        (b"", b"", None),
        (b"abc" * MIB, b"abc" * MIB, None),
        (b"abc", b"abd", 2),
        (b"abc", b"ab", 2),
        (b"", b"a", 0),
        (bytes(2 * MIB), bytes(2 * MIB - 1) + b"\1", 2 * MIB - 1),
        (bytes(MIB), bytes(MIB + 1), MIB),
    ],
    ids=["empty", "equal", "a byte", "an end", "nothing", "the last byte", "a longer one"],
)
def test_the_first_difference(tmp_path: Path, left: bytes, right: bytes, found: int | None) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(left)
    other.write_bytes(right)
    assert first_difference(one, other) == found
