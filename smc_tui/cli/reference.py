"""The command tables of the README, made from the commands themselves.

    python -m smc_tui.cli.reference README.md     writes them anew, in their places

A place is what stands between ``<!-- commands -->`` and ``<!-- /commands -->``; the
same for ``exit-codes`` and ``options``. A test holds that they are fresh.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from smc_tui.cli.app import root
from smc_tui.cli.endings import INTERRUPTED, PIPE_CLOSED
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.options import OPTIONS

EXIT_MEANINGS = {
    ExitCode.OK: "it was done, or, without `--wait`, the engine has accepted it",
    ExitCode.FAILED: "the operation failed",
    ExitCode.USAGE: "usage: an unknown option, a value out of its limits, a name not confirmed",
    ExitCode.NO_ENGINE: "the engine is not reachable, or was not to be started",
    ExitCode.NO_SUCH_OBJECT: "there is no such source, job or image",
    ExitCode.NOT_ALLOWED: "not allowed in this status; the message names those that allow it",
    ExitCode.TIMED_OUT: "timed out; what was accepted goes on",
    ExitCode.STORE_DAMAGED: "the image store or the job store is damaged",
}
SIGNALS = {
    INTERRUPTED: "interrupted by ^C; what the engine has accepted goes on",
    PIPE_CLOSED: "nobody read the output to its end, as with `head`",
}


def commands_table() -> str:
    """Return every command with its arguments and options."""
    lines = ["| command | what it does |", "|---|---|"]
    lines += [f"| `{usage}` | {text} |" for usage, text in _commands()]
    return "\n".join(lines)


def exit_codes_table() -> str:
    """Return every exit status with its meaning."""
    lines = ["| status | meaning |", "|---|---|"]
    lines += [f"| {code:d} | {EXIT_MEANINGS[code]} |" for code in ExitCode]
    lines += [f"| {code} | {text} |" for code, text in SIGNALS.items()]
    return "\n".join(lines)


def options_table() -> str:
    """Return every option of the configuration with its default and its meaning."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for option in OPTIONS:
        default = json.dumps(option.shown(option.default))
        lines.append(f"| `{option.key}` | `{default}` | {option.text} |")
    return "\n".join(lines)


def refreshed(text: str) -> str:
    """Return a README with its tables written anew.

    Raises:
        ValueError: a place is missing.
    """
    tables = {
        "commands": commands_table(),
        "exit-codes": exit_codes_table(),
        "options": options_table(),
    }
    for place, table in tables.items():
        start, end = f"<!-- {place} -->\n", f"\n<!-- /{place} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"there is no place for {place}")
        text = f"{before}{start}{table}{end}{after}"
    return text


def _commands() -> Iterator[tuple[str, str]]:
    context = click.Context(root, info_name="smc-tui")
    for noun_name in root.list_commands(context):
        noun = root.get_command(context, noun_name)
        assert noun is not None, f"{noun_name} is listed"
        if not isinstance(noun, click.Group):
            yield _usage(noun_name, noun), noun.get_short_help_str(200)
            continue
        for verb_name in noun.list_commands(context):
            verb = noun.commands[verb_name]
            yield _usage(f"{noun_name} {verb_name}", verb), verb.get_short_help_str(200)


def _usage(words: str, command: click.Command) -> str:
    """Return a command with its parameters, as they would be typed."""
    own = [each for each in command.params if not getattr(each, "hidden", False)]
    own.sort(key=lambda each: (isinstance(each, click.Option), each.name == "yes"))
    shown = [words, *filter(None, map(_parameter, own))]
    return " ".join(shown).replace("|", "\\|")


def _parameter(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        value = "" if parameter.is_flag else f" {_value(parameter)}"
        more = "..." if parameter.multiple and "..." not in value else ""
        return f"[{parameter.opts[0]}{value}]{more}"
    return parameter.metavar if parameter.metavar is not None else str(parameter.name).upper()


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or "VALUE"


def main() -> None:
    """Write the tables of the file named on the command line anew."""
    path = Path(sys.argv[1])
    path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
