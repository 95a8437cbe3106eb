"""Shell completion: nouns, verbs, options, and the names of what is there.

click does the work; here is what it cannot know. Names come from a glance at the job
store, which starts nothing, makes nothing and waits for nobody. Whatever goes wrong is no
completion: a shell is no place for an error in the middle of a line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
    split_arg_string,
)

from smc_tui.cli.grammar import COMPLETE, Verb
from smc_tui.cli.session import Session
from smc_tui.jobstore import Home
from smc_tui.jobstore.glance import names, tags
from smc_tui.model.lifecycle import Phase, Status
from smc_tui.model.options import OPTIONS

PROGRAM = "smc-tui"

Item = CompletionItem[str]
Finder = Callable[[Home], Iterable[Item]]


#: How each shell takes its script.
_TAKES = {
    "bash": 'eval "$(smc-tui completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(smc-tui completion zsh)" in ~/.zshrc, after compinit',
    "fish": "smc-tui completion fish > ~/.config/fish/completions/smc-tui.fish",
}
SHELLS = tuple(_TAKES)

_HELP = "\n".join(
    [
        "Print the script with which a shell completes commands, options and names.",
        "",
        "\b",
        *(f"{shell + ':':<6}{text}" for shell, text in _TAKES.items()),
    ]
)


@click.command(
    "completion", cls=Verb, help=_HELP, short_help="Print the completion script of a shell."
)
@click.argument("shell", metavar="|".join(SHELLS), type=click.Choice(SHELLS))
@click.pass_obj
def completion(session: Session, shell: str) -> None:
    """Print a completion script."""
    script = script_of(shell)
    session.out.present({"shell": shell, "script": script}, script.rstrip("\n").split("\n"))


def script_of(shell: str) -> str:
    """Return the completion script of a shell."""
    kind = Bash if shell == "bash" else get_completion_class(shell)
    assert kind is not None, "the shell is one of SHELLS"
    # Not its own source(): bash's runs a bash to look at its version.
    return ShellComplete.source(kind(click.Command(PROGRAM), {}, PROGRAM, COMPLETE))


def answer(root: click.Command, session: Session) -> None:
    """Answer a shell's question, which stands in the environment."""
    add_completion_class(Bash)
    session.attach = attach
    with suppress(Exception):
        shell_complete(root, {"obj": session}, PROGRAM, COMPLETE, os.environ[COMPLETE])


class Bash(BashComplete):
    """bash, whose own words end at the colons and equals signs that names and options have."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local response completion type value

    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \
%(complete_var)s=bash_complete "$1" 2>/dev/null)

    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
            [[ $value == *= ]] && compopt -o nospace
        fi
    done
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one under the cursor, and that one."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        if not words or line[-1:].isspace():
            return words[1:], ""
        return words[1:-1], words[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return an item without what bash holds to be earlier words."""
        _, word = self.get_completion_args()
        breaks = [char for char in ":=" if char in os.environ.get("COMP_BREAKS", "")]
        head = word[: max((word.rfind(char) for char in breaks), default=-1) + 1]
        return f"{item.type},{str(item.value).removeprefix(head)}"


# What stands where


def attach(command: click.Command) -> None:
    """Give the parameters of a command what they are completed with."""
    for parameter in command.params:
        finder = _finder(parameter)
        if finder is not None:
            vars(parameter)["shell_complete"] = _completer(parameter, finder)


def _finder(parameter: click.Parameter) -> Finder | None:
    if isinstance(parameter, click.Argument):
        return _ARGUMENTS.get(parameter.metavar or "")
    found = _OPTIONS.get(parameter.name or "")
    if found is None and "|" in (parameter.metavar or ""):
        words = [word for word in str(parameter.metavar).split("|") if word.isalpha()]
        return _words([word for word in words if word.islower()])
    return found


def _completer(
    parameter: click.Parameter, finder: Finder
) -> Callable[[click.Context, str], list[Item]]:
    def complete(context: click.Context, incomplete: str) -> list[Item]:
        session = context.find_object(Session)
        assert session is not None, "answer gives it"
        given = context.params.get(parameter.name or "")
        used = set(given) if isinstance(given, tuple | list) else set()
        return [item for item in finder(session.home) if _fits(item, incomplete, used)]

    return complete


def _fits(item: Item, incomplete: str, used: set[str]) -> bool:
    """Tell whether an item may stand for a word that was begun."""
    if item.type != "plain":
        return True
    begun = item.value.startswith(incomplete) and item.value not in used
    return begun and (bool(incomplete) or not isinstance(item, Identity))


def _words(words: Sequence[str]) -> Finder:
    return lambda _: [CompletionItem(word) for word in words]


def _things(*tables: str) -> Finder:
    """Find names with their ids behind them, and the ids for who began to type one."""

    def find(home: Home) -> Iterable[Item]:
        for table in tables:
            found = names(home, table)
            yield from (CompletionItem(name, help=identity) for identity, name in found)
            yield from (Identity(identity, help=name) for identity, name in found)

    return find


class Identity(CompletionItem[str]):
    """An id: offered only where its beginning was typed, since names are for people."""


def _path(kind: str) -> Finder:
    return lambda _: [CompletionItem("", type=kind)]


def _tags(home: Home) -> Iterable[Item]:
    return [CompletionItem(tag) for tag in tags(home)]


def _options(_: Home) -> Iterable[Item]:
    return [CompletionItem(f"{option.key}=", help=option.text) for option in OPTIONS]


_FILE, _FOLDER = _path("file"), _path("dir")

#: what an argument is called in its usage -> how it is found
_ARGUMENTS: dict[str, Finder] = {
    "S": _things("sources"),
    "SOURCE": _things("sources"),
    "J": _things("jobs"),
    "J...": _things("jobs"),
    "M": _things("images"),
    "RESOURCE|J": _things("resources", "jobs"),
    "TAG...": _tags,
    "FILE": _FILE,
    "[FILE]": _FILE,
}

#: name of an option -> how it is found. A name that confirms what cannot be undone is not
#: here: it is to be typed.
_OPTIONS: dict[str, Finder] = {
    "home": _FOLDER,
    "config": _FILE,
    "ssh_config": _FILE,
    "paths": _FILE,
    "set": _options,
    "tags": _tags,
    "wanted": _words([*Status, *Phase]),
    "statuses": _words([*Status, *Phase]),
}
