"""Whatever becomes of its terminal, its engine or its job store, the console ends clean."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from smc_tui.jobstore import Home
from smc_tui.jobstore.presence import wake
from tests.cli.conftest import end_engine
from tests.console.fleet import SYNCING, WAITING, Fleet
from tests.console.terminal import ROOT, Terminal, console, plain

pytestmark = pytest.mark.pty

#: What a console that ends by itself may take, beyond the two seconds it is given.
SOON = 15.0


@pytest.fixture
def shown(fleet):
    """A home with two jobs."""
    fleet.add("web01", SYNCING, progress=63.0)
    fleet.add("mail-gw", WAITING)
    return fleet


def told(terminal: Terminal, text: str) -> None:
    """The console says it, and no traceback, on the way."""
    terminal.until(text)
    assert "Traceback" not in plain(terminal.output)


def pause(terminal: Terminal) -> None:
    """Pause the job under the cursor."""
    terminal.type("p")
    terminal.until("Pause Migration Job")
    terminal.type("\t")
    terminal.until_quiet()
    terminal.type("\r")


def test_q_detaches_and_says_how_to_come_back(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        terminal.type("q")
        assert terminal.status() == 0
        assert terminal.clean
        last = plain(terminal.output).strip().splitlines()[-1]
        back = f"Back: smc-tui --home {shown.home.path}"
        assert last.endswith(f"engine keeps running: 1 running, 1 waiting. {back}")
    assert shown.asked() == []


def test_without_an_engine_leaving_says_that_nothing_goes_on(shown):
    shown.engine_ends()
    with console(shown.home.path) as terminal:
        told(terminal, "engine down since")
        terminal.type("q")
        assert terminal.status() == 0
        assert "no engine is running: nothing goes on by itself. Back:" in plain(terminal.output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(shown, number):
    with console(shown.home.path, "console", "--mouse") as terminal:
        told(terminal, "web01-1")
        began = time.monotonic()
        terminal.process.send_signal(number)
        assert terminal.status(SOON) == 128 + number
        assert time.monotonic() - began < 2, "it left by force"
        assert terminal.clean
        assert "Traceback" not in plain(terminal.output)


@pytest.mark.parametrize("ignored", [False, True], ids=["usual", "HUP ignored"])
def test_a_lost_terminal_ends_it(shown, ignored):
    def first() -> None:
        if ignored:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with console(shown.home.path, first=first) as terminal:
        told(terminal, "web01-1")
        used = terminal.cpu
        terminal.hang_up()
        assert terminal.process.wait(SOON) == 129
        assert used < 20


def test_a_stalled_terminal_ends_when_told(shown):
    job = shown.writer.jobs()[0]
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        terminal.stall("\x0c")
        used = terminal.cpu
        time.sleep(2)
        assert terminal.cpu - used < 0.2, "it is at work while nobody reads"
        shown.change(job, progress=64.0)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(SOON) == 143
        terminal.drain()
        assert terminal.clean
        assert os.get_blocking(terminal.slave)


def test_suspended_and_back(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        terminal.until_quiet()
        terminal.type("\x1a")
        while terminal.state != "T":
            terminal.read(0.05)
        terminal.drain()
        assert terminal.clean
        used = terminal.cpu
        terminal.process.send_signal(signal.SIGCONT)
        told(terminal, "mail-gw-1")
        terminal.until_quiet()
        assert not terminal.clean
        assert terminal.cpu - used < 20
        terminal.type("j")
        told(terminal, "mail-gw-1")
        terminal.type("q")
        assert terminal.status() == 0
        assert terminal.clean


def test_stopped_from_outside_and_back(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        terminal.until_quiet()
        terminal.process.send_signal(signal.SIGSTOP)
        while terminal.state != "T":
            terminal.read(0.05)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until_quiet()
        terminal.type("j")
        told(terminal, "mail-gw-1")
        terminal.type("q")
        assert terminal.status() == 0
        assert terminal.clean


def test_an_engine_that_dies_and_comes_back(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "engine up")
        terminal.until_quiet()
        shown.engine_ends()
        told(terminal, "engine down since")
        terminal.until_quiet()
        assert terminal.read(3) == b"", "a banner that ticks"
        shown.engine_starts()
        told(terminal, "engine up")


def test_a_home_that_is_taken_away(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        away = shown.home.path.with_name("away")
        shown.home.path.rename(away)
        told(terminal, "Home.Unusable")
        terminal.until_quiet()
        assert terminal.read(2) == b""
        away.rename(shown.home.path)
        told(terminal, "engine up")
        terminal.type("q")
        assert terminal.status() == 0


def test_a_home_of_a_newer_program(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        with sqlite3.connect(shown.home.jobs_db) as other:
            other.execute("PRAGMA user_version = 99")
        other.close()
        told(terminal, "Home.Newer")
        terminal.type("q")
        assert terminal.status() == 0
    with console(shown.home.path) as terminal:
        assert terminal.status() == 1
        assert plain(terminal.output).startswith("Home.Newer: ")


def test_a_job_store_that_another_holds(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        terminal.until_quiet()
        # Looking goes on; what is asked waits half a second, and says so.
        with sqlite3.connect(shown.home.jobs_db, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            pause(terminal)
            told(terminal, "JobStore.Busy")
            other.execute("ROLLBACK")
        other.close()
        assert shown.asked() == []
        terminal.until_quiet()
        pause(terminal)
        terminal.until_quiet()
        assert [request.verb for request in shown.asked()] == ["job.pause"]
        terminal.type("q")
        assert terminal.status() == 0


def test_a_mistake_of_its_own_is_one_line(shown):
    code = (
        "import sys\n"
        "from smc_tui.console.screens.migration import MigrationScreen\n"
        "def slip(self): raise ValueError('a slip')\n"
        "MigrationScreen.action_wide = slip\n"
        "from smc_tui.cli.app import run\n"
        f"sys.exit(run(['--home', {str(shown.home.path)!r}, '--no-start']))\n"
    )
    terminal = Terminal([sys.executable, "-c", code])
    try:
        terminal.until("web01-1")
        terminal.type("w")
        assert terminal.status() == 1
        assert terminal.clean
        assert "Command.Internal: ValueError: a slip" in plain(terminal.output)
        assert "Traceback" not in plain(terminal.output)
    finally:
        terminal.close()


def test_idle_it_costs_nothing(shown):
    with console(shown.home.path) as terminal:
        told(terminal, "web01-1")
        terminal.until_quiet()
        used, began = terminal.cpu, time.monotonic()
        assert terminal.read(5) == b""
        share = (terminal.cpu - used) / (time.monotonic() - began)
        assert share < 0.01


# The terminal's abilities


def test_ascii_alone(shown):
    with console(shown.home.path, "--ascii") as terminal:
        told(terminal, "web01-1")
        terminal.type("a")
        terminal.until("Actions: web01-1")
        terminal.type("\x1b")
        terminal.until_quiet()
        terminal.type("X")
        terminal.until("Keep the job")
        terminal.until_quiet()
        terminal.type("\x1b")
        terminal.until_quiet()
        terminal.type("q")
        assert terminal.status() == 0
        assert terminal.output.isascii(), [x for x in plain(terminal.output) if not x.isascii()]


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_locale_without_utf8_gets_ascii_by_itself(shown, locale):
    # Python makes UTF-8 of C by itself unless it is told not to.
    plainly = {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    with console(shown.home.path, environment=plainly) as terminal:
        told(terminal, "web01-1")
        terminal.until_quiet()
        assert terminal.output.isascii()


def colours(output: bytes) -> set[bytes]:
    """Return the kinds of colour codes in an output."""
    kinds = set()
    for sequence in output.split(b"\x1b[")[1:]:
        codes, mark, _ = sequence.partition(b"m")
        parts = codes.split(b";")
        if not mark or not all(part.isdigit() for part in parts):
            continue
        if b"38" in parts or b"48" in parts:
            at = parts.index(b"38" if b"38" in parts else b"48")
            kinds.add(b"true" if parts[at + 1] == b"2" else b"256")
        elif {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)} & {
            int(part) for part in parts
        }:
            kinds.add(b"16")
    return kinds


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ((), {}, {b"true"}),
        ((), {"COLORTERM": ""}, {b"256"}),
        (("console", "--theme", "light"), {}, {b"true"}),
        (("console", "--theme", "16"), {}, {b"16"}),
        ((), {"TERM": "linux", "COLORTERM": ""}, {b"16"}),
        ((), {"TERM": "vt100", "COLORTERM": ""}, {b"16"}),
        ((), {"NO_COLOR": "1"}, set()),
        (("console", "--theme", "light"), {"NO_COLOR": "1"}, set()),
    ],
)
def test_colours_are_those_of_the_terminal(shown, options, environment, expected):
    with console(shown.home.path, *options, environment=environment) as terminal:
        told(terminal, "web01-1")
        terminal.until_quiet()
        terminal.type("a")
        terminal.until("Actions: web01-1")
        terminal.until_quiet()
        assert colours(terminal.output) == expected
        assert b"\x1b[?1000h" not in terminal.output or "SSH_CONNECTION" not in environment


@pytest.mark.parametrize(
    ("options", "environment", "taken"),
    [
        ((), {}, True),
        ((), {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, False),
        (("console", "--mouse"), {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, True),
        (("console", "--no-mouse"), {}, False),
    ],
)
def test_the_mouse_is_left_alone_over_ssh(shown, options, environment, taken):
    with console(shown.home.path, *options, environment=environment) as terminal:
        told(terminal, "web01-1")
        assert (b"\x1b[?1003h" in terminal.output) is taken


# Opening


def test_alone_on_a_terminal_it_starts_an_engine(tmp_path: Path):
    command = [sys.executable, "-m", "smc_tui", "--home", str(tmp_path / "new")]
    terminal = Terminal(command)
    try:
        told(terminal, "Nothing here")
        terminal.until("engine up")
        terminal.type("q")
        assert terminal.status() == 0
        assert "engine keeps running: 0 running, 0 waiting" in plain(terminal.output)
    finally:
        terminal.close()
        end_engine(tmp_path / "new")


@pytest.mark.parametrize("how", ["lost", "TERM", "KILL"])
def test_the_engine_that_it_has_started_outlives_it(tmp_path: Path, how: str):
    home = Home(tmp_path / "new")
    terminal = Terminal([sys.executable, "-m", "smc_tui", "--home", str(home.path)])
    try:
        terminal.until("engine up")
        engine = home.lock.read_text()
        if how == "lost":
            terminal.hang_up()
        else:
            terminal.process.send_signal(getattr(signal, f"SIG{how}"))
        terminal.process.wait(SOON)
        assert wake(home)
        assert home.lock.read_text() == engine
    finally:
        terminal.close()
        end_engine(home.path)


def test_read_only_starts_none(tmp_path: Path):
    Fleet(tmp_path / "new").close()
    command = [sys.executable, "-m", "smc_tui", "--home", str(tmp_path / "new")]
    terminal = Terminal([*command, "console", "--read-only"])
    try:
        told(terminal, "read only")
        terminal.until_quiet()
        terminal.type("q")
        assert terminal.status() == 0
        assert not (tmp_path / "new" / "engine.lock").exists()
    finally:
        terminal.close()


def test_a_dumb_terminal_gets_help(tmp_path: Path):
    command = [sys.executable, "-m", "smc_tui", "--home", str(tmp_path)]
    terminal = Terminal(command, environment={"TERM": "dumb"})
    try:
        assert terminal.status() == 2
        assert "Usage: smc-tui" in plain(terminal.output)
        assert b"\x1b[?1049h" not in terminal.output
    finally:
        terminal.close()
    assert ROOT.is_dir()
