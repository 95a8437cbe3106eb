"""The commands, walked, and what is said of all of them: for the tables and the man page."""

from __future__ import annotations

from collections.abc import Iterator

import click

from smc_tui.cli.endings import INTERRUPTED, PIPE_CLOSED
from smc_tui.model.catalogue import ExitCode

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


def commands(root: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it: ``job start``, ``demo``."""
    context = click.Context(root, info_name="smc-tui")
    for noun_name in root.list_commands(context):
        noun = root.get_command(context, noun_name)
        assert noun is not None, f"{noun_name} is listed"
        if not isinstance(noun, click.Group):
            yield noun_name, noun
            continue
        for verb_name in noun.list_commands(context):
            verb = noun.get_command(context, verb_name)
            assert verb is not None, verb_name
            yield f"{noun_name} {verb_name}", verb


def parameters(command: click.Command) -> list[click.Parameter]:
    """Return a command's own parameters, arguments first."""
    own = [each for each in command.params if not getattr(each, "hidden", False)]
    return sorted(own, key=lambda each: (isinstance(each, click.Option), each.name == "yes"))


def usage(words: str, command: click.Command) -> str:
    """Return a command with its parameters, as they would be typed."""
    return " ".join([words, *filter(None, map(_parameter, parameters(command)))])


def _parameter(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        value = "" if parameter.is_flag else f" {value_of(parameter)}"
        more = "..." if parameter.multiple and "..." not in value else ""
        return f"[{parameter.opts[0]}{value}]{more}"
    return parameter.metavar if parameter.metavar is not None else str(parameter.name).upper()


def value_of(option: click.Option) -> str:
    """Return what an option's value is called."""
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or "VALUE"
