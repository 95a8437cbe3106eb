"""Copies: to the terminal, through tmux, or into a file."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from smc_tui.console import clipboard
from smc_tui.model.errors import SmcError
from tests.console.driver import opened


def test_the_terminal_gets_the_sequence(tmp_path: Path):
    written: list[str] = []
    told = clipboard.copy("the id", "j-1 é", written.append, tmp_path, {"TERM": "xterm"})
    assert told == "the id: sent to the terminal's clipboard"
    (sequence,) = written
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\a")
    assert base64.b64decode(sequence[7:-1]).decode() == "j-1 é"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"TERM": "linux"}, "x"),
        ({"TERM": "xterm", "TERM_PROGRAM": "Apple_Terminal"}, "x"),
        ({"TERM": "screen", "STY": "1.pts"}, "x"),
        ({"TERM": "xterm"}, "x" * clipboard.MOST),
    ],
)
def test_where_it_takes_none_a_file_is_left(environment, text, tmp_path: Path):
    written: list[str] = []
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / clipboard.FILE).symlink_to(outside)
    told = clipboard.copy("the row", text, written.append, tmp_path, environment)
    path = tmp_path / clipboard.FILE
    assert str(path) in told
    assert path.read_text() == text + "\n"
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert outside.read_text() == "mine"
    assert written == []


def test_a_folder_that_takes_none(tmp_path: Path):
    with pytest.raises(SmcError) as caught:
        clipboard.copy("it", "x", lambda text: None, tmp_path / "gone", {"TERM": "linux"})
    assert caught.value.code == "Home.Unusable"


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_inside_tmux_it_goes_by_tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
    monkeypatch.delenv("TMUX", raising=False)
    subprocess.run(["tmux", "-f", "/dev/null", "new-session", "-d", "sleep 60"], check=True)
    try:
        shown = ["tmux", "display-message", "-p", "#{socket_path},#{pid},0"]
        place = subprocess.run(shown, check=True, capture_output=True, text=True).stdout.strip()
        monkeypatch.setenv("TMUX", place)
        written: list[str] = []
        told = clipboard.copy("the id", "j-00000001", written.append, tmp_path)
        assert "tmux" in told
        assert written == []
        held = subprocess.run(["tmux", "show-buffer"], check=True, capture_output=True, text=True)
        assert held.stdout == "j-00000001"
    finally:
        subprocess.run(["tmux", "kill-server"], check=False)


async def test_the_keys(night, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "linux")
    copied = night.home.path / clipboard.FILE
    async with opened(night) as console:
        await console.sees("web01-1").press("y").sees("the id of web01-1")
        assert copied.read_text() == "j-00000001\n"
        await console.press("Y").sees("web01-1 as JSON")
        row = json.loads(copied.read_text())
        assert (row["id"], row["status"]) == ("j-00000001", "Running")
        # A source without a job is a row as well.
        await console.press("G", "Y").sees("ldap-2 as JSON")
        assert json.loads(copied.read_text())["status"] == "Unavailable"
