"""What all verbs share: global options, waiting, names of things.

Global options are taken before the noun and after the verb alike, because a
person adds ``--json`` to the end of the line that is already there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

import click

from smc_tui.cli.session import Session
from smc_tui.model.actions import ACTIONS, ActionId, Friction
from smc_tui.model.errors import SmcError
from smc_tui.model.units import parse_duration

#: The variable in which a shell asks for completion.
COMPLETE = "_SMC_TUI_COMPLETE"

Function = TypeVar("Function", bound=Callable[..., Any])

_FLAG: dict[str, Any] = {"is_flag": True}


#: name of the option -> what it says in help, what kind of option it is.
GLOBAL_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "--home": (
        "Home folder (default: $SMC_TUI_HOME, what is configured, or the XDG state folder).",
        {"metavar": "DIR"},
    ),
    "--config": (
        "Configuration file (default: $SMC_TUI_CONFIG, or the one in the XDG folder).",
        {"metavar": "FILE"},
    ),
    "--set": (
        "Set an option of the configuration for this command; may be repeated.",
        {"metavar": "KEY=VALUE", "multiple": True},
    ),
    "--json": ("Print exactly one JSON document on standard output.", _FLAG),
    "--no-start": ("Do not start the engine when none runs.", _FLAG),
    "--no-input": ("Never ask; fail where a question would come.", _FLAG),
    "--ascii": ("Draw and write with ASCII alone.", _FLAG),
}

_EPILOG = f"Global options, here or before the noun: {' '.join(GLOBAL_OPTIONS)}."


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Put a global option where it is looked for, wherever it stood on the line."""
    if value == "" and not context.resilient_parsing:
        raise click.BadParameter("an empty text is no path")
    if value:
        session = context.find_object(Session)
        # There is none where the grammar is only described: help, man page, tables.
        if session is not None:
            session.choose(str(parameter.name), _pairs(value) if parameter.multiple else value)
    return value


def _pairs(given: Sequence[str]) -> list[tuple[str, str]]:
    """Take each ``KEY=VALUE`` apart.

    Raises:
        click.BadParameter: a text is none.
    """
    pairs = []
    for text in given:
        key, equals, value = text.partition("=")
        if not (key.strip() and equals):
            raise click.BadParameter(f"{text!r} is no KEY=VALUE, such as retry.attempts=0")
        pairs.append((key.strip(), value))
    return pairs


def global_options(*, hidden: bool) -> list[click.Parameter]:
    """Return the options that every command takes."""
    made: list[click.Parameter] = []
    for flag, (text, kind) in GLOBAL_OPTIONS.items():
        made.append(
            click.Option(
                [flag], expose_value=False, callback=_remember, help=text, hidden=hidden, **kind
            )
        )
    return made


class Completing(click.Command):
    """A command whose parameters are completed with what is there."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return a context; while completing, one whose parameters know how they are."""
        session = parent.find_object(Session) if parent else extra.get("obj")
        if isinstance(session, Session) and session.attach is not None:
            session.attach(self)
        return super().make_context(info_name, args, parent, **extra)


class Verb(Completing):
    """A command that also takes the global options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *global_options(hidden=True)]
        self.epilog = self.epilog or _EPILOG


class Noun(Completing, click.Group):
    """A group of verbs."""

    command_class = Verb

    def __init__(self, *args: Any, places: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        """Take what click's group takes.

        Args:
            args: as of a group.
            places: the verbs in the order they are listed in -> the module that adds each
                to this noun when it is imported; empty where all of them are there already.
            kwargs: as of a group.
        """
        kwargs.setdefault("subcommand_metavar", "VERB [ARGS]...")
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *global_options(hidden=True)]
        self._places = places or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the noun's order, without one as they were written down."""
        return list(self._places or self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb, imported now: a person waits for each import of the others."""
        if cmd_name in self._places:
            import_module(self._places[cmd_name])
        return self.commands.get(cmd_name)


class Root(Completing, click.Group):
    """The top: nouns, each imported when it is used."""

    def __init__(self, *args: Any, nouns: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._nouns = nouns
        self.params = [*self.params, *global_options(hidden=False)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the nouns in the order of a migration."""
        return list(self._nouns)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a noun."""
        if cmd_name not in self._nouns:
            return None
        module, _, name = self._nouns[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        assert isinstance(found, click.Command)
        return found


def seconds(text: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``5m``, ``2h``.

    Raises:
        click.BadParameter: the text is no duration.
    """
    try:
        found = float(text) if text[-1:].isdigit() else float(parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not 0 <= found < float("inf"):
        raise click.BadParameter(f"{text!r} is no duration; write for example 90, 5m or 2h")
    return found


def timeout_option(function: Function) -> Function:
    """Give a verb ``--timeout``."""
    text = "Give up after this time (exit status 7); what was accepted goes on."
    return click.option("--timeout", type=seconds, metavar="T", help=text)(function)


def staying(function: Function) -> Function:
    """Give a verb that always stays to the end ``--timeout``, and ``--wait`` for nothing."""
    told = click.option("--wait", is_flag=True, hidden=True, expose_value=False)
    return told(timeout_option(function))


def waiting(function: Function) -> Function:
    """Give a verb ``--wait`` and ``--timeout``."""
    text = "Stay to the end, with a progress bar."
    return click.option("--wait", is_flag=True, help=text)(timeout_option(function))


def action(
    noun: Noun, action_id: ActionId, help_text: str, *, several: bool = False
) -> Callable[[Function], click.Command]:
    """Make the verb of a row of the action table.

    Its name, its label and whether the name must be typed come from the row.
    ``several``: it may be done to several things at once, each with its own ``--yes``.
    """
    row = ACTIONS[action_id]
    name = row.verb.partition(".")[2]

    def decorate(function: Function) -> click.Command:
        final = " This cannot be undone." if row.final else ""
        shown = f"{row.label}: {help_text}{final}"
        decorated: Any = function
        if row.friction is Friction.TYPE_NAME:
            text = "The name of what it is done to, instead of typing it."
            yes = click.option("--yes", metavar="NAME", multiple=several, help=text)
            decorated = yes(decorated)
        made: click.Command = noun.command(name, help=shown, short_help=help_text)(decorated)
        return made

    return decorate


def only(options: Sequence[tuple[str, Any]]) -> None:
    """Refuse two options that exclude each other.

    Raises:
        SmcError: InvalidParameter.Combination.
    """
    given = [name for name, value in options if value]
    if len(given) > 1:
        raise SmcError("InvalidParameter.Combination", " and ".join(given))
