"""Configuration as a person and a program see it, and as it reaches the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smc_tui.cli.app import run
from smc_tui.config import papers
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.options import OPTIONS
from tests.cli.conftest import Cli, end_engine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "smc.toml"
    path.write_text('[retry]\nattempts = 3\n[defaults]\ninterval = "6h"\nkeep = 5\n')
    return path


def shown(document: Any) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in document["options"]}


def test_show_tells_values_and_where_they_come_from(
    smc: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMC_TUI_CONFIG", str(file))
    monkeypatch.setenv("SMC_TUI_DEFAULTS_KEEP", "4")
    rows = shown(smc.json("config", "show", "--set", "logs.kept=9"))
    assert list(rows) == [option.key for option in OPTIONS]
    told = {key: (row["value"], row["from"]) for key, row in rows.items()}
    assert told["retry.attempts"] == (3, f"{file}:2")
    assert told["defaults.interval"] == (21600, f"{file}:4")
    assert told["defaults.keep"] == (4, "SMC_TUI_DEFAULTS_KEEP")
    assert told["logs.kept"] == (9, "--set")
    assert told["cost.currency"] == ("", "default")
    page = smc("config", "show").out
    assert f"{file}:4" in page
    assert " 6h " in page
    assert not smc.home.exists(), "looking makes nothing"


def test_show_goes_on_past_faults(smc: Cli, file: Path) -> None:
    file.write_text("retry.attempts = -1\nlogs.kept = 7\n")
    said = smc("config", "show", "--json", "--config", file)
    assert said.code == ExitCode.USAGE
    assert f"{file}:1: retry.attempts" in said.err
    rows = shown(said.document)
    assert (rows["retry.attempts"]["value"], rows["logs.kept"]["value"]) == (6, 7)
    assert [fault["key"] for fault in said.document["faults"]] == ["retry.attempts"]


def test_every_other_command_is_refused_where_the_configuration_has_faults(
    file: Path, capsys: pytest.CaptureFixture[str], smc: Cli
) -> None:
    file.write_text("retry.attempts = -1\n")
    # With no home given it is the configuration that tells which one it is.
    assert run(["--config", str(file), "job", "list", "--json"]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "Config.Invalid"
    said = smc("engine", "start", "--config", file, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "Config.Invalid")
    assert f"{file}:1" in said.error["detail"]
    assert smc.engine() is None


@pytest.mark.parametrize("given", ["retry.atempts=1", "retry.attempts=many", "x=1"])
def test_a_flag_that_is_none_is_refused_at_once(smc: Cli, given: str) -> None:
    said = smc("job", "list", "--set", given, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "Config.Invalid")
    assert said.error["faults"][0]["where"] == "--set"


@pytest.mark.parametrize("given", ["retry.attempts", "=1", ""])
def test_a_flag_without_key_or_value_is_a_slip(smc: Cli, given: str) -> None:
    said = smc("--set", given, "job", "list", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "InvalidParameter.CommandLine")


def test_validate_tells_all_that_is_wrong(
    smc: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert smc.json("config", "validate", file)["options_set"] == 3
    file.write_text("retry.atempts = 1\nlogs.kept = 0\n")
    said = smc("config", "validate", file, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "Config.Invalid")
    assert [fault["where"] for fault in said.error["faults"]] == [f"{file}:1", f"{file}:2"]
    assert "did you mean retry.attempts?" in said.err
    monkeypatch.setenv("SMC_TUI_LOGS_KEPT", "0")
    assert smc("config", "validate", file).err.count("logs.kept") == 1, "the file alone"
    assert smc("config", "validate").code == ExitCode.USAGE
    monkeypatch.delenv("SMC_TUI_LOGS_KEPT")
    monkeypatch.setenv("SMC_TUI_LOG_KEPT", "5")
    said = smc("config", "validate", "--json")
    assert said.document["notes"][0]["where"] == "SMC_TUI_LOG_KEPT"
    assert smc("config", "validate", "/no/such/file", "--json").error["code"] == "Config.Unreadable"


def test_schema_and_example_are_printed(smc: Cli, file: Path) -> None:
    assert smc("config", "schema").document == papers.schema()
    file.write_text(smc("config", "example").out)
    assert smc.json("config", "validate", file)["valid"]


def test_the_engine_gets_what_the_command_that_started_it_has(
    smc: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("SMC_TUI_CONFIG", file.name)  # the engine lives in /
    monkeypatch.setenv("SMC_TUI_ENGINE_SYNCS_AT_ONCE", "2")
    smc.json("engine", "start", "--set", "logs.kept=9")
    log = (smc.home / "engine.log").read_text()
    assert f"retry.attempts = 3 ({file})" in log
    assert "engine.syncs_at_once = 2 (SMC_TUI_ENGINE_SYNCS_AT_ONCE)" in log
    assert "logs.kept = 9 (--set)" in log

    rows = shown(smc.json("config", "show"))
    assert {key: row["engine"] for key, row in rows.items() if row["engine"] is not None} == {
        "logs.kept": 9
    }
    file.write_text("retry.attempts = 4\n")
    assert shown(smc.json("config", "show"))["retry.attempts"]["engine"] == 3
    assert "retry.attempts = 3" in smc("config", "show").out
    end_engine(smc.home)
    rows = shown(smc.json("config", "show"))
    assert all(row["engine"] is None for row in rows.values())
    smc.json("engine", "start")
    assert "retry.attempts = 4" in (smc.home / "engine.log").read_text()


def test_the_home_may_be_configured(
    smc: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMC_TUI_HOME", raising=False)
    file = tmp_path / "xdg/smc-tui/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('home = "of-the-file"\n')

    def used(*options: str) -> str:
        run([*options, "engine", "status", "--json"])
        return str(Path(json.loads(capsys.readouterr().out)["home"]).relative_to(tmp_path))

    assert used() == "xdg/smc-tui/of-the-file"
    monkeypatch.setenv("SMC_TUI_HOME", str(tmp_path / "of-the-environment"))
    assert used() == "of-the-environment"
    assert used("--set", f"home={tmp_path}/of-a-flag") == "of-a-flag"
    assert used("--home", str(tmp_path / "given"), "--set", f"home={tmp_path}/f") == "given"


def test_a_new_job_has_what_was_configured(smc: Cli, file: Path, disk: Path) -> None:
    smc.imported(disk)
    job = smc.json("job", "create", "web01", "--config", file, "--set", "defaults.drill=off")
    assert (job["interval"], job["keep"], job["drill"]) == (21600, 5, "off")
