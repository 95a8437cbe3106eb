"""``smc-tui console`` without a terminal, and what a command must not pay for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smc_tui.cli import console
from smc_tui.cli.session import Session
from smc_tui.console.options import Options, chosen_theme, settle_environment
from smc_tui.model.errors import SmcError
from tests.cli.conftest import ROOT, Cli


def test_without_a_terminal_it_says_so(smc: Cli) -> None:
    said = smc("console")
    assert said.code == 2
    assert said.err.startswith("InvalidParameter.Missing: the console needs a terminal")
    assert not smc.home.exists()


def test_no_document_comes_of_a_console(smc: Cli) -> None:
    said = smc("console", "--json")
    assert (said.code, said.error["code"]) == (2, "InvalidParameter.Combination")


def test_alone_without_a_terminal_it_is_help(smc: Cli) -> None:
    said = smc()
    assert said.code == 2
    assert "Usage: smc-tui" in said.err + said.out
    assert not smc.home.exists()


@pytest.mark.parametrize("line", ["--help", "console --help", "job list", "engine status"])
def test_no_command_imports_textual(smc: Cli, line: str) -> None:
    code = (
        "import sys; from smc_tui.cli.app import run; run(sys.argv[1:]);"
        "sys.exit(' '.join(each for each in ('textual', 'sqlite_utils') if each in sys.modules))"
    )
    words = [sys.executable, "-c", code, "--home", str(smc.home), *line.split()]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        # A new home's tables are made by sqlite-utils; that is another matter.
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    loaded = done.stderr.strip().splitlines()[-1:]
    assert "textual" not in " ".join(loaded), done.stderr


@pytest.mark.parametrize(
    ("theme", "environment", "chosen"),
    [
        ("", {"TERM": "xterm-256color"}, "smc-dark"),
        ("", {"TERM": "xterm-kitty"}, "smc-dark"),
        ("", {"TERM": "xterm", "COLORTERM": "truecolor"}, "smc-dark"),
        ("", {"TERM": "xterm"}, "ansi-dark"),
        ("", {"TERM": "linux"}, "ansi-dark"),
        ("", {}, "ansi-dark"),
        ("smc-light", {"TERM": "linux"}, "smc-light"),
        ("smc-light", {"TERM": "xterm-256color", "NO_COLOR": ""}, "ansi-dark"),
        ("ansi-light", {"NO_COLOR": "1"}, "ansi-light"),
    ],
)
def test_the_theme_fits_the_terminal(theme: str, environment: dict[str, str], chosen: str) -> None:
    assert chosen_theme(Options(theme=theme), environment) == chosen


def test_a_theme_left_in_the_environment_is_not_taken() -> None:
    environment = {"TERM": "xterm-256color", "TEXTUAL_THEME": "nord"}
    settle_environment(Options(), environment)
    assert "TEXTUAL_THEME" not in environment
    environment["NO_COLOR"] = "1"
    settle_environment(Options(), environment)
    assert environment["TEXTUAL_THEME"] == "ansi-dark"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Options, Any]]:
    """Return what opens a console with a configuration, up to where it takes the terminal."""
    from smc_tui.console import start

    seen: list[tuple[Options, Any]] = []

    def run(store: Any, options: Options, mouse: bool | None, *_: Any) -> tuple[int, None]:
        store.close()
        seen.append((options, mouse))
        return 1, None

    monkeypatch.setattr(start, "run", run)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)

    def open_it(text: str, **given: Any) -> tuple[Options, Any]:
        file = tmp_path / "config.toml"
        file.write_text(text, encoding="utf-8")
        session = Session()
        session.may_start = False
        for option, value in (("home", tmp_path / "home"), ("config", file)):
            session.choose(option, str(value))
        console.open_console(session, **given)
        return seen.pop()

    return open_it


def test_the_configuration_reaches_it(opened: Callable[..., tuple[Options, Any]]) -> None:
    text = (
        '[console]\ntheme = "light"\nascii = "always"\nmouse = "never"\n[keys]\njob.sync = "f5"\n'
    )
    options, mouse = opened(text + "[defaults]\nkeep = 7\n")
    assert (options.theme, options.ascii, mouse) == ("smc-light", True, False)
    assert options.keys == {"job.sync": "f5"}
    assert options.config.keep == 7
    options, mouse = opened(text, theme="contrast", mouse=True)
    assert (options.theme, mouse) == ("smc-contrast", True)
    options, mouse = opened("")
    assert (options.theme, options.ascii, mouse, options.keys) == ("", False, None, {})


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ('job.sink = "f5"', "job.sink: there is no such key"),
        ('job.sync = "ctrl+"', "job.sync: 'ctrl+' is no key"),
        ('job.sync = "q"', "job.sync: q is the key of app.leave"),
    ],
)
def test_a_wrong_key_is_told_with_its_file_and_line(
    opened: Callable[..., tuple[Options, Any]], chosen: str, why: str
) -> None:
    with pytest.raises(SmcError) as caught:
        opened(f"[keys]\n{chosen}\n")
    assert caught.value.code == "Config.Invalid"
    assert f"config.toml:1: keys: {why}" in caught.value.detail
