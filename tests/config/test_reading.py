"""The layers, in the order of their strength, and everything that can be wrong in them."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc_tui import config
from smc_tui.config import files, papers
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from smc_tui.model.options import OPTIONS, Config, changed

#: option -> a value that is not its default, as TOML has it, as a text has it, as it is kept.
OTHER = {
    "home": ('"/srv/smc"', "/srv/smc", "/srv/smc"),
    "keys": ('{"job.sync" = "ctrl+s", job.pause = "z"}', "job.sync=ctrl+s job.pause=z",
             "job.sync=ctrl+s job.pause=z"),
    "engine.syncs_at_once": ("2", "2", 2),
    "sync.visit_every": ("60", "60", 60),
    "sync.full_comparison_every": ("1000", "1000", 1000),
    "retry.attempts": ("0", "0", 0),
    "retry.first_pause": ("7", "7", 7),
    "retry.longest_pause": ("1", "1", 1),
    "logs.kept": ("10_000", "10000", 10_000),
    "cost.per_gib_month": ("0.125", "0.125", 0.125),
    "cost.currency": ('"€"', "€", "€"),
    "defaults.interval": ('"1d 12h"', "1d 12h", 129_600),
    "defaults.keep": ("10", "10", 10),
    "defaults.valid": ("604800", "604800", 604_800),
    "defaults.limit": ("100", "100", 100),
    "defaults.compression": ("3", "3", "3"),
    "defaults.drill": ('"off"', "off", "off"),
    "console.theme": ('"16-light"', "16-light", "16-light"),
    "console.ascii": ('"always"', "always", "always"),
    "console.mouse": ('"never"', "never", "never"),
}  # fmt: skip


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[tuple[str, str, str]]:
    """Return key, line and detail of every fault of a file."""
    path = written(folder, text)
    found = config.read(path=path, environ={}).faults
    return [(each.key, each.where.removeprefix(str(path)), each.detail) for each in found]


def test_every_option_is_tried() -> None:
    assert list(OTHER) == [option.key for option in OPTIONS]
    assert len(OPTIONS) == len(fields(Config))


@pytest.mark.parametrize("key", OTHER)
def test_default_then_file_then_environment_then_flag(tmp_path: Path, key: str) -> None:
    option = next(each for each in OPTIONS if each.key == key)
    toml, text, kept = OTHER[key]
    path = written(tmp_path, f"# a comment\n\n{key} = {toml}\n")
    nothing = {"XDG_CONFIG_HOME": str(tmp_path / "none")}

    def value(**given: object) -> config.Value:
        reading = config.read(located=True, **given)  # type: ignore[arg-type]
        assert reading.faults == ()
        assert getattr(reading.checked(), option.name) == next(
            each.value for each in reading.values if each.option is option
        )
        return next(each for each in reading.values if each.option is option)

    default = value(environ=nothing)
    assert (default.value, default.origin) == (option.default, "default")
    in_file = value(path=path, environ=nothing)
    assert (in_file.value, in_file.origin) == (kept, f"{path}:3")
    of_environment = value(environ={**nothing, option.environment: text})
    assert (of_environment.value, of_environment.origin) == (kept, option.environment)
    default_text = str(option.shown(option.default))
    other = default_text or {"keys": "page.copy=c"}.get(key, "/other")
    stronger = value(path=path, environ={option.environment: other})
    assert stronger.origin == option.environment
    assert stronger.value == (other if default_text == "" else option.default)
    flag = value(path=path, flags={key: text}, environ={option.environment: default_text})
    assert (flag.value, flag.origin) == (kept, "--set")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[retry]\natempts = 3",
         [("retry.atempts", ":2", "there is no such option; did you mean retry.attempts?")]),
        ("[rety]\nx = 3", [("rety.x", ":2", "there is no such option")]),
        ("[defaultz]", [("defaultz", ":1", "there is no such table; did you mean defaults?")]),
        ("[retry]\n\n[cost]", []),
        ("retry = 3",
         [("retry", ":1", "3 is not a table; write [retry] and its options below")]),
        ('"retry.attempts" = 3',
         [("'retry.attempts'", ":1", "there is no such option; did you mean retry.attempts?")]),
        ("retry.attempts = true", [("retry.attempts", ":1", "true is not a whole number")]),
        ('retry.attempts = "3"', [("retry.attempts", ":1", "'3' is not a whole number")]),
        ("retry.attempts = 3.0", [("retry.attempts", ":1", "3.0 is not a whole number")]),
        ("retry.attempts = []", [("retry.attempts", ":1", "a list is not a whole number")]),
        ("retry.attempts.x = 1", [("retry.attempts", ":1", "a table is not a whole number")]),
        ("retry.attempts = 101",
         [("retry.attempts", ":1", "101 is no whole number from 0 to 100")]),
        ("cost.per_gib_month = nan",
         [("cost.per_gib_month", ":1", "nan is no amount of 0 or more")]),
        ("cost.per_gib_month = -1",
         [("cost.per_gib_month", ":1", "-1 is no amount of 0 or more")]),
        (f"cost.per_gib_month = 0x{'f' * 5000}",
         [("cost.per_gib_month", ":1", "this number is far too large")]),
        (f"cost.currency = 0x{'f' * 5000}",
         [("cost.currency", ":1", "a number far too large is not a text")]),
        ('cost.currency = "\\u001b[2J"',
         [("cost.currency", ":1", r"'\x1b[2J' is no currency of at most 8 characters")]),
        ("home = 1", [("home", ":1", "1 is not a text")]),
        ('home = "a\\u0000b"', [("home", ":1", "this is no path of a folder")]),
        ('[console]\ntheme = "pink"', [("console.theme", ":2",
            "'pink' is none of: auto, dark, light, contrast, 16, 16-light")]),
        ("console.mouse = true", [("console.mouse", ":1", "true is not a text")]),
        ("[keys]\njob.sync = 3",
         [("keys", ":1", "'job.sync' has no key such as job.sync = \"ctrl+s\"")]),
        ('[keys]\n"a b" = "c"',
         [("keys", ":1", "'a b' has no key such as job.sync = \"ctrl+s\"")]),
        ('keys = "job.sync"',
         [("keys", ":1", "'job.sync' has no key such as job.sync = \"ctrl+s\"")]),
        ("a = \n", [("", ":1", "this is no TOML: Invalid value")]),
        ("[retry]\nattempts = 1\nattempts = 2",
         [("", ":3", "this is no TOML: Cannot overwrite a value")]),
        ("a = " + "[" * 5000, [("", "", "nested too deeply")]),
        ("#" * 65_537, [("", "", "larger than 65536 bytes")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_key_and_line(
    tmp_path: Path, text: str, found: list[tuple[str, str, str]]
) -> None:
    assert faults(tmp_path, text) == found


def test_all_faults_are_told_and_an_error_names_them(tmp_path: Path) -> None:
    path = written(
        tmp_path, "[retry]\nattempts = -1\nfirst_pause = 9999\n[logs]\nkept = 0\nx = 1\n"
    )
    environ = {"SMC_TUI_DEFAULTS_KEEP": "eleven"}
    with pytest.raises(SmcError) as caught:
        config.load_config({"defaults.drill": "maybe"}, path, environ)
    error = caught.value
    assert (error.code, error.exit_code) == ("Config.Invalid", ExitCode.USAGE)
    assert error.detail.startswith(f"{path}:2: retry.attempts: -1 is no whole number")
    assert error.detail.endswith("and 3 more")
    assert [fault["key"] for fault in error.facts["faults"]] == [
        "retry.attempts", "retry.first_pause", "logs.kept", "logs.x",
        "defaults.keep", "defaults.drill",
    ]  # fmt: skip
    assert error.facts["faults"][4]["where"] == "SMC_TUI_DEFAULTS_KEEP"


def test_a_fault_is_one_also_where_a_stronger_layer_hides_it(tmp_path: Path) -> None:
    path = written(tmp_path, "retry.attempts = -1")
    reading = config.read({"retry.attempts": "5"}, path, {})
    assert [fault.key for fault in reading.faults] == ["retry.attempts"]
    assert reading.usable().retry_attempts == 5


def test_thousands_of_faults_take_no_long_time_and_no_long_line(tmp_path: Path) -> None:
    lines = "".join(f"x{number} = 1\n" for number in range(5000))
    with pytest.raises(SmcError) as caught:
        config.load_config(path=written(tmp_path, lines), environ={})
    assert len(caught.value.detail) < 1000
    assert len(caught.value.facts["faults"]) == config.MOST


def test_lines_are_found_past_strings_that_look_like_keys(tmp_path: Path) -> None:
    text = (
        'cost.currency = """\\\n  attempts = 9"""\n'
        "defaults = { keep = 4 } # keep = 5\n"
        "[retry] # attempts = 1\n"
        "attempts = 3\n"
    )
    reading = config.read(path=written(tmp_path, text), environ={}, located=True)
    lines = {each.option.key: each.origin.rpartition(":")[2] for each in reading.values}
    assert (lines["retry.attempts"], lines["defaults.keep"]) == ("5", "3")


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    for path, environ in (
        (tmp_path / "none", {}),
        (None, {config.ENVIRONMENT: str(tmp_path / "none")}),
        (tmp_path, {}),
    ):
        with pytest.raises(SmcError) as caught:
            config.load_config(path=path, environ=environ)
        assert caught.value.code == "Config.Unreadable"
        assert str(tmp_path) in caught.value.detail


def test_the_file_of_the_xdg_folder_is_found_and_need_not_be_there(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert config.load_config(environ=environ) == Config()
    (tmp_path / "smc-tui").mkdir()
    (tmp_path / "smc-tui/config.toml").write_text("logs.kept = 7")
    assert config.load_config(environ=environ).logs_kept == 7
    named = {**environ, config.ENVIRONMENT: str(written(tmp_path, "logs.kept = 8"))}
    assert config.load_config(environ=named).logs_kept == 8
    other = tmp_path / "other.toml"
    other.write_text("logs.kept = 9")
    assert config.load_config(path=other, environ=named).logs_kept == 9


def test_where_no_folder_is_named_it_is_where_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import platformdirs

    for base in ("/somewhere", "", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", base)
        if base != "relative":  # which the XDG rules say to ignore
            expected = platformdirs.user_config_path("smc-tui", appauthor=False) / "config.toml"
        assert files.chosen_file(None, dict(os.environ)) == (expected, False)
        monkeypatch.delenv("XDG_CONFIG_HOME")
        expected = platformdirs.user_config_path("smc-tui", appauthor=False) / "config.toml"


def test_a_folder_in_a_file_is_of_that_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'home = "big/home"')
    assert config.load_config(path=path, environ={}).home == str(tmp_path / "big/home")
    assert config.load_config(path=path, environ={"SMC_TUI_HOME": "big"}).home == "big"
    path = written(tmp_path, 'home = "~nobody-of-this-name/x"')
    assert config.load_config(path=path, environ={}).home.endswith("~nobody-of-this-name/x")


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert config.load_config(environ={"SMC_TUI_RETRY_ATTEMPTS": "", "HOME": "/"}) == Config()


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"[retry]\n# \xff\n")
    (fault,) = config.read(path=path, environ={}).faults
    assert (fault.where, fault.detail) == (f"{path}:2", "this is no UTF-8")


def test_misspelt_variables_are_told_of_others_are_not() -> None:
    environ = {
        "SMC_TUI_RETRY_ATEMPTS": "3",
        "SMC_TUI_TRACEBACK": "1",
        "PATH": "/",
        "SMC_TUI_HOME": "",
    }
    (stray,) = config.strays(environ)
    assert (stray.key, stray.where) == ("retry.attempts", "SMC_TUI_RETRY_ATEMPTS")


def test_what_was_changed_is_told_by_key() -> None:
    assert changed(Config()) == {}
    assert changed(Config(keep=5, cost_currency="€")) == {"defaults.keep": 5, "cost.currency": "€"}


def test_keys_by_their_ids() -> None:
    assert Config().chosen_keys == {}
    assert Config(keys="a.b== c=f2,x").chosen_keys == {"a.b": "=", "c": "f2,x"}


def test_the_example_says_the_defaults(tmp_path: Path) -> None:
    assert faults(tmp_path, papers.example()) == []
    awake = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in papers.example().split("\n")
    )
    reading = config.read(path=written(tmp_path, awake), environ={})
    assert all(each.origin != config.DEFAULT for each in reading.values)
    # Its home is empty: the default is a folder that the example cannot know.
    assert reading.checked() == Config()


def test_the_schema_has_every_option_and_allows_nothing_else() -> None:
    schema = json.loads(json.dumps(papers.schema()))
    for option in OPTIONS:
        table = schema
        for part in option.key.split("."):
            assert table["additionalProperties"] is False
            table = table["properties"][part]
        assert table["default"] == option.default
        assert option.text in table["description"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_lead_anywhere_else(
    tmp_path_factory: pytest.TempPathFactory, found: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(found)
    reading = config.read({"retry.attempts": found.decode("latin-1")}, path, {})
    if reading.faults:
        with pytest.raises(SmcError, match=r"^Config\.Invalid: "):
            reading.checked()
    else:
        assert isinstance(reading.checked(), Config)
