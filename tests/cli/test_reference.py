"""What the README promises is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from smc_tui.cli import reference
from smc_tui.model.catalogue import CATALOGUE, ExitCode
from tests.cli.conftest import ROOT, Cli

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tables_are_fresh() -> None:
    assert reference.refreshed(README) == README, "run: python -m smc_tui.cli.reference README.md"


def test_a_readme_without_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no place for exit-codes"):
        reference.refreshed("<!-- commands -->\n\n<!-- /commands -->")


def test_writing_the_tables_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / "README.md"
    stale.write_text(README.replace("| `job list`", "| `job liste`"))
    monkeypatch.setattr("sys.argv", ["reference", str(stale)])
    reference.main()
    assert stale.read_text() == README


def test_every_exit_code_has_its_meaning_and_the_catalogue_uses_no_other() -> None:
    assert set(reference.EXIT_MEANINGS) == set(ExitCode)
    assert {entry.exit_code for entry in CATALOGUE.values()} == set(ExitCode) - {ExitCode.OK}


def test_every_command_shown_is_one(smc: Cli) -> None:
    shown = re.findall(r"^\$ smc-tui (.*?)(?:  +#.*)?$", README, re.MULTILINE)
    shown += [each for each in re.findall(r"`smc-tui ([^`]+)`", README) if each != "engine run"]
    assert len(shown) > 8
    for line in shown:
        said = smc(*shlex.split(line), "--help")
        assert said.code == 0, line
        words = [word for word in shlex.split(line) if word.startswith("--")]
        for option in words:
            assert option in said.out, line


def test_there_are_two_commands_to_begin_with() -> None:
    blocks = re.findall(r"^```sh\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)
    assert [len(block.splitlines()) for block in blocks] == [1, 1]
    assert blocks[0].endswith("smc-tui demo")
    assert "pytest" in blocks[1]
    # The one that .ci/run takes out.
    marked = README.partition("<!-- tests -->\n")[2].partition("<!-- end -->")[0]
    assert blocks[1] in marked
