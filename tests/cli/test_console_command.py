"""``smc-tui console`` without a terminal, and what a command must not pay for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from smc_tui.console.options import Options, chosen_theme, settle_environment
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
