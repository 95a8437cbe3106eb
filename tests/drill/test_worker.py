"""The drill's process: lines in, lines out, an end at once when it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from smc_tui.model.drill import Report

ROOT = Path(__file__).resolve().parents[2]


def description(home: Path, disk: Path, **ssh) -> dict:
    found = disk.stat()
    return {
        "home": str(home),
        "job": "j-00000001",
        "at": "2026-11-22T21:48:03.000Z",
        "keep": 3,
        "once": False,
        "limit_mbit": 0,
        "source": {
            "id": "s-00000001",
            "name": "web01",
            "ssh": ssh or None,
            "disks": [{"index": 0, "path": str(disk), "size": found.st_size, "identity": {}}],
        },
    }


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(4 << 20))
    return path


def worker() -> subprocess.Popen:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "smc_tui.drill"]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


def test_it_says_what_it_does_and_one_report(tmp_path, disk):
    process = worker()
    process.stdin.write(json.dumps(description(tmp_path, disk)) + "\n")
    process.stdin.flush()
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1]["kind"] != "progress":
            break
    out, log = process.communicate(timeout=20)
    assert out == ""
    assert process.returncode == 0
    assert [line["kind"] for line in lines].count("result") == 1
    assert all(line["step"] for line in lines[:-1])
    assert str(Report.of(lines[-1]["report"]).result) == "Passed"
    assert "Passed: Disks" in log


def test_a_source_that_cannot_be_reached_is_an_error(tmp_path, disk):
    told = description(tmp_path, disk, target="nowhere.invalid", alias="s-1", port=None)
    process = worker()
    process.stdin.write(json.dumps(told) + "\n")
    process.stdin.flush()
    last = json.loads(process.stdout.readlines()[-1])
    process.communicate(timeout=20)
    assert last["kind"] == "error"
    assert last["code"] in ("Source.UnknownHost", "SourceServer.Offline")
    assert process.returncode == 1


def test_nonsense_is_an_error_of_its_own(tmp_path):
    process = worker()
    out, log = process.communicate("{}\n", timeout=20)
    assert json.loads(out)["code"] == "Drill.Failed"
    assert "KeyError" in log


@pytest.mark.parametrize("last_words", ["", '{"do": "cancel"}\n'])
def test_it_ends_at_once_with_its_input_or_a_cancel(tmp_path, disk, last_words):
    told = description(tmp_path, disk, target="x", alias="s-1", port=None)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "ssh").write_text("#!/bin/sh\nexec sleep 60\n")
    (bin_ / "ssh").chmod(0o755)
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-m", "smc_tui.drill"],
        stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env={**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"},
    )  # fmt: skip
    process.stdin.write(json.dumps(told) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["kind"] == "progress"
    process.stdin.write(last_words)
    if last_words:
        process.stdin.flush()
    else:
        process.stdin.close()
    assert process.wait(10) == 1
    process.stdout.close()
    if not process.stdin.closed:
        process.stdin.close()
