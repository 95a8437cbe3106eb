"""Completion as the shells ask for it, beside an engine, without one, without anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smc_tui.cli.app import NOUNS, run
from smc_tui.cli.completion import SHELLS, script_of
from smc_tui.cli.grammar import COMPLETE
from smc_tui.jobstore import Home
from tests.cli.conftest import ROOT, Cli

BASH = shutil.which("bash")


class Shell:
    """What is offered for a line, the cursor at its end."""

    def __init__(
        self, home: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.home = home
        self.capture = capture
        self.patch = patch

    def __call__(self, line: str, breaks: str = "") -> list[str]:
        self.capture.readouterr()
        with self.patch.context() as patch:
            patch.setenv(COMPLETE, "bash_complete")
            patch.setenv("COMP_LINE", f"smc-tui --home {self.home} {line}")
            patch.setenv("COMP_BREAKS", breaks)
            assert run([]) == 0
        out, err = self.capture.readouterr()
        assert err == ""
        return [text.partition(",")[2] or text for text in out.split()]


@pytest.fixture
def shell(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(home, capsys, monkeypatch)


@pytest.fixture
def filled(smc: Cli, disk: Path) -> Cli:
    """Return a home with two sources, two jobs and an image."""
    smc.json("source", "import", "web01", "--local", disk, "--tag", "wave-1")
    smc.json("source", "import", "web02", "--local", disk, "--tag", "wave:2")
    smc.json("job", "create", "web01", "--name", "mig:a", "--tag", "mine")
    smc.json("job", "create", "web02", "--name", "mig:b", "--image-name", "img", "--wait")
    return smc


def test_nouns_verbs_and_options(shell: Shell) -> None:
    assert shell("") == list(NOUNS)
    assert shell("jo") == ["job"]
    assert shell("job re") == ["retry", "release", "report"]
    assert shell("job complete --la") == ["--last-sync"]
    assert shell("job list --jso") == [], "global options are told of at the top"
    assert "--json" in shell("--")
    assert not shell.home.exists()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("job create x --drill ", ["before", "only", "off"]),
        ("job create x --start ", ["now", "later"]),
        ("job create x --compression ", ["auto"]),
        ("job modify x --instant ", ["auto", "freeze", "none"]),
        ("job list --status In", ["InError"]),
        ("job wait x --for Sy", ["Syncing"]),
        ("job report x --format ", ["markdown", "json"]),
        ("--set retry.a", ["retry.attempts="]),
        ("config validate ", ["file,"]),
        ("job list --home ", ["dir,"]),
        ("source import x --ssh-config ", ["file,"]),
        ("completion z", ["zsh"]),
        # There is no home: nothing, quietly.
        ("job show ", []),
        ("job sync --tag ", []),
        # What confirms a loss is typed by whoever means it.
        ("job cancel x --yes ", []),
        # Lines that are none.
        ("job show 'unfinished", []),
        ("--set nonsense=1 job list --status In", ["InError"]),
    ],
)
def test_words_that_need_no_home(shell: Shell, line: str, offered: list[str]) -> None:
    assert shell(line) == offered
    assert not shell.home.exists()


def test_names_and_ids_of_what_is_there(filled: Cli, shell: Shell) -> None:
    assert shell("source show ") == ["web02", "web01"]
    assert shell("job create web01") == ["web01"]
    assert shell("job pause ") == ["mig:b", "mig:a"]
    assert shell("job pause mig:a ") == ["mig:b"], "each once"
    (image,) = filled.json("image", "list")
    assert shell("image show i") == [image["name"]]
    assert shell("job sync --tag ") == ["mine", "wave-1", "wave:2"]
    assert shell("job tag mig:a m") == ["mine"]
    held = shell("resource release ")
    assert held[0] == "No_Delete_SMC_Transition_Instance"
    assert "mig:a" in held
    job_id = filled.json("job", "show", "mig:a")["id"]
    assert shell(f"job show {job_id[:-2]}") == [job_id]
    source_id = filled.json("source", "show", "web01")["id"]
    assert source_id in shell("source check s-")


def test_bash_gets_the_part_behind_its_own_breaks(filled: Cli, shell: Shell) -> None:
    assert shell("job show mig:", breaks=" :=") == ["b", "a"]
    assert shell("job show mig:", breaks=" ") == ["mig:b", "mig:a"]
    assert shell("job sync --tag=wa", breaks=" =:") == ["wave-1", "wave:2"]


def test_nothing_is_started_or_changed_by_asking(filled: Cli, shell: Shell) -> None:
    filled.json("engine", "stop")
    before = {path: path.stat().st_mtime_ns for path in filled.home.iterdir()}
    assert shell("job show ") == ["mig:b", "mig:a"]
    assert {path: path.stat().st_mtime_ns for path in filled.home.iterdir()} == before
    assert filled.engine() is None


def test_a_broken_store_or_configuration_is_no_completion(
    filled: Cli, shell: Shell, tmp_path: Path
) -> None:
    filled.json("engine", "stop")
    Home(filled.home).jobs_db.write_bytes(b"broken" * 10_000)
    assert shell("job show ") == []
    broken = tmp_path / "broken.toml"
    broken.write_text("a = ")
    assert shell(f"--config {broken} job sh") == ["show"]


@pytest.mark.parametrize("name", SHELLS)
def test_each_shell_has_its_script_and_its_answers(
    smc: Cli, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smc("completion", name).out == script_of(name)
    assert smc.json("completion", name) == {"shell": name, "script": script_of(name)}
    monkeypatch.setenv(COMPLETE, f"{name}_complete")
    monkeypatch.setenv("COMP_LINE", "smc-tui jo")
    monkeypatch.setenv("COMP_WORDS", "smc-tui jo")
    monkeypatch.setenv("COMP_CWORD", "jo" if name == "fish" else "1")
    assert run([]) == 0
    said = capsys.readouterr().out
    assert "job" in re.split(r"[,\t\n]", said)
    assert "demo" not in said


@pytest.mark.skipif(BASH is None, reason="no bash on this machine")
def test_a_real_bash_completes(filled: Cli, tmp_path: Path) -> None:
    program = tmp_path / "bin/smc-tui"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m smc_tui "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "script"
    script.write_text(script_of("bash"))
    # compopt works only while bash itself completes.
    asked = (
        'compopt() { :; }; . "$1"; COMP_LINE="smc-tui job show mig:"; COMP_POINT=${#COMP_LINE}\n'
        '_smc_tui_completion smc-tui; printf "%s\\n" "${COMPREPLY[@]}"; complete -p smc-tui'
    )
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SMC_TUI_HOME": str(filled.home),
    }
    done = subprocess.run(
        [str(BASH), "--norc", "-c", asked, "bash", str(script)],
        capture_output=True, text=True, env=environment, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[:2] == ["b", "a"]
    assert "-F _smc_tui_completion smc-tui" in done.stdout


def test_completion_needs_nothing_slow(filled: Cli) -> None:
    code = (
        "import sys; from smc_tui.cli.app import run; run([])\n"
        "slow = {'rich', 'sqlite_utils', 'platformdirs', 'asyncio', 'blake3', 'tomllib'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    environment = {
        **os.environ,
        COMPLETE: "bash_complete",
        "COMP_LINE": f"smc-tui --home {filled.home} job show ",
        "PYTHONPATH": str(ROOT),
    }
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, env=environment, timeout=30, check=True,
    )  # fmt: skip
    assert time.monotonic() - begun < 3, "a tenth of a second where nothing else runs"
    assert done.stdout.splitlines() == ["plain,mig:b", "plain,mig:a", "[]"]
