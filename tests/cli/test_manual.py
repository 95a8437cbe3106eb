"""The manual page: complete, made of what the program does, and nothing that roff trips over."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from smc_tui.cli.app import root
from smc_tui.cli.grammar import GLOBAL_OPTIONS
from smc_tui.cli.manual import escaped, page
from smc_tui.cli.tree import EXIT_MEANINGS, SIGNALS, commands, parameters
from smc_tui.model.options import OPTIONS
from tests.cli.conftest import Cli

GROFF, MANDOC = shutil.which("groff"), shutil.which("mandoc")


def test_it_is_printed_and_is_ascii(smc: Cli) -> None:
    assert smc("man").out == page(root)
    assert smc.json("man") == {"roff": page(root)}
    assert page(root).isascii()


def test_every_verb_option_and_table_is_in_it() -> None:
    text = page(root)
    for words, command in commands(root):
        block = text.partition(rf"\fB{escaped(words)}\fR")[2]
        assert block, words
        block = re.split(r"\n\.(?:SS|SH) ", block)[0]
        for parameter in parameters(command):
            if parameter.opts[0].startswith("--"):
                assert rf"\fB{escaped(parameter.opts[0])}\fR" in block, (words, parameter.opts)
    said = [*GLOBAL_OPTIONS, *(option.key for option in OPTIONS)]
    said += [option.environment for option in OPTIONS]
    said += [f"{code:d}" for code in (*EXIT_MEANINGS, *SIGNALS)]
    for each in said:
        assert rf"\fB{escaped(each)}\fR" in text, each


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        (".TH evil", r"\&.TH evil"),
        ("'br", r"\(aqbr"),
        (r"a\fBb", r"a\efBb"),
        ("--json", r"\-\-json"),
        ("…", r"\[u2026]"),
        ("~^`", r"\(ti\(ha\(ga"),
    ],
)
def test_what_roff_would_take_for_its_own_is_escaped(text: str, roff: str) -> None:
    assert escaped(text) == roff


@pytest.mark.skipif(GROFF is None, reason="no groff on this machine")
def test_groff_has_nothing_to_say_of_it_and_shows_what_is_typed(tmp_path: Path) -> None:
    file = tmp_path / "smc-tui.1"
    file.write_text(page(root))
    words = [str(GROFF), "-ww", "-man", "-Tascii", "-P-cbou", "-rLL=200n", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    for words_, _ in commands(root):
        assert f" {words_} " in shown, words_
    assert 'eval "$(smc-tui completion bash)" in ~/.bashrc zsh:' in shown
    assert "root@web01.example.com" in shown
    assert "`" not in shown


@pytest.mark.skipif(MANDOC is None, reason="no mandoc on this machine")
def test_mandoc_has_nothing_to_say_of_it(tmp_path: Path) -> None:
    file = tmp_path / "smc-tui.1"
    file.write_text(page(root))
    words = [str(MANDOC), "-T", "lint", "-W", "warning", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    # The day of a page that is made anew each time says nothing.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
