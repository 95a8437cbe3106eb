"""What is refused before anything begins, and how it is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from smc_tui.cli.app import root
from smc_tui.cli.grammar import GLOBAL_OPTIONS
from smc_tui.model.actions import ACTIONS, Friction
from smc_tui.model.catalogue import CATALOGUE, ExitCode
from tests.cli.conftest import ROOT, Cli

CREATE = ("job", "create", "web01")

USAGE = [
    # what is typed, the code of the refusal
    ((*CREATE, "--interval", "59m"), "InvalidParameter.Interval"),
    ((*CREATE, "--interval", "8d"), "InvalidParameter.Interval"),
    ((*CREATE, "--interval", "often"), "InvalidParameter.Interval"),
    ((*CREATE, "--keep", "0"), "InvalidParameter.Keep"),
    ((*CREATE, "--keep", "11"), "InvalidParameter.Keep"),
    ((*CREATE, "--keep", "-1"), "InvalidParameter.Keep"),
    ((*CREATE, "--keep", "three"), "InvalidParameter.Keep"),
    ((*CREATE, "--valid", "6d"), "InvalidParameter.ValidTime"),
    ((*CREATE, "--valid", "91d"), "InvalidParameter.ValidTime"),
    ((*CREATE, "--limit", "-5"), "InvalidParameter.Limit"),
    ((*CREATE, "--limit", "1.5"), "InvalidParameter.Limit"),
    ((*CREATE, "--compression", "11"), "InvalidParameter.Compression"),
    ((*CREATE, "--compression", "best"), "InvalidParameter.Compression"),
    ((*CREATE, "--instant", "now"), "InvalidParameter.Instant"),
    ((*CREATE, "--before-freeze", "it's"), "InvalidParameter.Hook"),
    ((*CREATE, "--hook-timeout", "0"), "InvalidParameter.HookTimeout"),
    ((*CREATE, "--target", "moon"), "InvalidParameter.Target"),
    ((*CREATE, "--start", "tomorrow"), "InvalidParameter.StartTime"),
    ((*CREATE, "--once", "--interval", "6h"), "InvalidParameter.Combination"),
    ((*CREATE, "--name", ""), "InvalidParameter.Name"),
    ((*CREATE, "--name", "a b"), "InvalidParameter.Name"),
    ((*CREATE, "--image-name", "a;b"), "InvalidParameter.Name"),
    ((*CREATE, "--description", "two\nlines"), "InvalidParameter.Description"),
    (("job", "interval", "mig", "8d"), "InvalidParameter.Interval"),
    (("job", "modify", "mig"), "InvalidParameter.Missing"),
    (("job", "modify", "mig", "--keep", "99"), "InvalidParameter.Keep"),
    (("job", "wait", "mig", "--for", "Bliss"), "InvalidParameter.Unknown"),
    (("job", "wait", "mig", "--timeout", "soon"), "InvalidParameter.CommandLine"),
    (("job", "wait", "mig", "--timeout", "-3"), "InvalidParameter.CommandLine"),
    (("job", "wait", "mig", "--timeout", "nan"), "InvalidParameter.CommandLine"),
    (("source", "import", "web01"), "InvalidParameter.Missing"),
    (("source", "import", "web01", "--ssh", "h", "--local", "p"), "InvalidParameter.Combination"),
    (("source", "import", "web01", "--local", "p", "--disk", "d"), "InvalidParameter.Combination"),
    (("source", "import", "web01", "extra", "--ssh", "h"), "InvalidParameter.Unknown"),
    (("source", "import", "web01", "--ssh", "h", "--ssh-config", "/no/file"),
     "InvalidParameter.Missing"),
    (("image", "export", "img", "f", "--format", "iso"), "InvalidParameter.CommandLine"),
    (("image", "export", "img"), "InvalidParameter.Missing"),
    (("engine", "start", "--time-lapse", "0"), "InvalidParameter.CommandLine"),
    (("engine", "start", "--no-start"), "InvalidParameter.Combination"),
    (("job", "fly"), "InvalidParameter.Unknown"),
    (("job", "list", "--home", ""), "InvalidParameter.CommandLine"),
    (("jobs",), "InvalidParameter.Unknown"),
    (("job", "list", "--colour"), "InvalidParameter.Unknown"),
    ((), "InvalidParameter.Missing"),
    (("job",), "InvalidParameter.Missing"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "code"), USAGE)
def test_a_slip_is_refused_with_its_code_and_starts_nothing(
    smc: Cli, typed: tuple[str, ...], code: str
) -> None:
    said = smc(*typed, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, code)
    assert said.error["next_step"] == CATALOGUE[code].next_step
    assert not (smc.home / "engine.lock").exists()


@pytest.mark.parametrize(
    "name",
    ["", "x", "two words", "it's", 'a"b', "a\nb", "a;b", "$(reboot)", "-rf", "1st", "a" * 129,
     "é", "a\x1b[2Jb", "j-0123abcd", "a/../b"],
)  # fmt: skip
def test_a_name_that_is_none_never_gets_further(smc: Cli, disk: Path, name: str) -> None:
    said = smc("source", "import", "--local", str(disk), "--json", "--", name)
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "InvalidParameter.Name")
    assert "\x1b" not in said.out + said.err
    assert not (smc.home / "engine.lock").exists()


@pytest.mark.parametrize(
    "address",
    ["-oProxyCommand=x", "a b", "host;reboot", "h\nh", "", "`x`", "host:0", "host:99999",
     "host:ssh", "user@$(x)", "[::1]:x"],
)  # fmt: skip
def test_an_address_that_is_none_never_reaches_ssh(smc: Cli, address: str) -> None:
    said = smc("source", "import", "web01", f"--ssh={address}", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "Source.BadAddress")
    assert not (smc.home / "engine.lock").exists()


@pytest.mark.parametrize(
    ("address", "target", "port"),
    [
        ("host", "host", None),
        ("root@host", "root@host", None),
        ("root@host:2222", "root@host", 2222),
        ("ops@[2001:db8::1]:22", "ops@2001:db8::1", 22),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]", "2001:db8::1", None),
    ],
)
def test_an_address_is_taken_apart(address: str, target: str, port: int | None) -> None:
    from smc_tui.cli.sources import ssh_of

    assert ssh_of(address, None) == {"target": target, "port": port, "config": None}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (("source", "show", "nobody"), "SourceServer.NotFound"),
        (("source", "check", "nobody"), "SourceServer.NotFound"),
        (("source", "remove", "s-00000000"), "SourceServer.NotFound"),
        ((*CREATE, "--keep", "2"), "SourceServer.NotFound"),
        (("job", "show", "nothing"), "ReplicationJob.NotFound"),
        (("job", "sync", "j-00000000"), "ReplicationJob.NotFound"),
        (("job", "wait", "nothing"), "ReplicationJob.NotFound"),
        (("job", "complete", "nothing", "--yes", "nothing"), "ReplicationJob.NotFound"),
        (("image", "show", "m-00000000"), "Image.NotFound"),
        (("image", "export", "none", "file"), "Image.NotFound"),
        (("image", "delete", "a'; DROP TABLE jobs; --", "--yes", "x"), "Image.NotFound"),
    ],
)
def test_what_is_not_there_is_said_without_an_engine(
    smc: Cli, typed: tuple[str, ...], code: str
) -> None:
    said = smc(*typed, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NO_SUCH_OBJECT, code)
    assert not (smc.home / "engine.lock").exists()


def test_global_options_stand_before_the_noun_between_and_after_the_verb(smc: Cli) -> None:
    for typed in (("--json", "job", "list"), ("job", "--json", "list"), ("job", "list", "--json")):
        assert smc(*typed).document == []


def test_a_home_may_be_named_after_the_verb(
    smc: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    assert smc("engine", "status", "--json", "--home", str(other)).document["home"] == str(other)
    assert other.is_dir()


def test_lists_of_nothing_say_what_to_do(smc: Cli) -> None:
    for noun in ("source", "job", "image"):
        said = smc(noun, "list")
        assert (said.code, said.out) == (0, "")
        assert "smc-tui" in said.err
        assert smc(noun, "list", "--json").document == []


def test_help_is_no_error_and_lists_every_verb(smc: Cli) -> None:
    said = smc("--help")
    assert said.code == 0
    for noun in ("source", "job", "image", "store", "engine", "demo", *GLOBAL_OPTIONS):
        assert noun in said.out
    assert "--last-sync" in smc("job", "complete", "--help").out
    assert smc("--version").out.startswith("smc-tui")


def test_no_command_shows_the_help_as_a_slip(smc: Cli) -> None:
    said = smc("job")
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert "complete" in said.err


def test_every_verb_that_asks_for_something_takes_wait_and_timeout() -> None:
    context = click.Context(root)
    asking = [action.verb for action in ACTIONS.values() if action.verb and not action.needs]
    asking += ["source.import", "job.create", "store.check", "store.collect", "store.stats"]
    for each in asking:
        noun_name, _, verb_name = each.partition(".")
        noun = root.get_command(context, noun_name)
        assert isinstance(noun, click.Group)
        verb = noun.get_command(context, verb_name)
        assert verb is not None, each
        names = {parameter.name for parameter in verb.params}
        assert {"wait", "timeout"} <= names, each


def test_every_action_that_can_be_done_has_its_verb_and_its_friction() -> None:
    context = click.Context(root)
    for action in ACTIONS.values():
        if not action.verb or action.needs is not None:
            continue
        noun_name, _, verb_name = action.verb.partition(".")
        noun = root.get_command(context, noun_name)
        assert isinstance(noun, click.Group)
        verb = noun.get_command(context, verb_name)
        assert verb is not None, action.verb
        assert (verb.help or "").startswith(f"{action.label}: ")
        takes_name = any(
            parameter.name == "yes" and not getattr(parameter, "hidden", False)
            for parameter in verb.params
        )
        assert takes_name == (action.friction is Friction.TYPE_NAME), action.verb
        assert ("cannot be undone" in (verb.help or "")) == action.final


def test_a_verb_is_imported_without_the_others(smc: Cli) -> None:
    smc("job", "list")  # a new home's job store is made with more
    code = (
        "import sys; from smc_tui.cli.app import run; run(sys.argv[1:])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "--home", str(smc.home), "job", "list"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    imported = set(ended.stderr.split())
    assert "smc_tui.cli.joblist" in imported
    others = {f"smc_tui.cli.{name}" for name in ("jobs", "jobverbs", "jobviews", "drills", "live")}
    heavy = {"rich", "sqlite_utils", "subprocess", "asyncio", "blake3", "textual", "tomllib"}
    others |= {"smc_tui.model.consequences", "smc_tui.engine"}
    assert sorted(imported & (others | heavy)) == []


def test_each_verb_is_in_the_module_that_it_is_looked_for_in() -> None:
    noun = root.get_command(click.Context(root), "job")
    assert isinstance(noun, click.Group)
    context = click.Context(noun)
    listed = noun.list_commands(context)
    assert [name for name in listed if noun.get_command(context, name) is None] == []
    assert set(noun.commands) == set(listed)  # and none is there that is not listed
