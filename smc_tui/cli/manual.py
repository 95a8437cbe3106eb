"""The manual page, smc-tui(1), made from the commands and the tables themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

from smc_tui import __version__
from smc_tui.cli.grammar import GLOBAL_OPTIONS, Verb
from smc_tui.cli.session import Session
from smc_tui.cli.tree import EXIT_MEANINGS, SIGNALS, commands, parameters, usage, value_of
from smc_tui.model.options import OPTIONS

_NOTICE = "Made from the program itself: smc-tui man."

_INTRODUCTION = """\
smc-tui migrates a running Linux server. It reads the server's disks over SSH into full, verified,
kept images, keeps them in step by incremental synchronisation while the server goes on working, and
ends with one last synchronisation at cutover.

Commands write requests; one engine process a home folder carries them out and runs the schedule. A
command that changes something starts it when none runs.

S, J and M are ids or names of sources, jobs and images. A duration is written `90`, `90s`, `5m`,
`6h`, `7d`."""

_EXAMPLES = (
    ("Import a server.", "smc-tui source import web01 --ssh root@web01.example.com"),
    (
        "Migrate it in full now, and then every six hours.",
        "smc-tui job create web01 --interval 6h --keep 3 --wait",
    ),
    ("Synchronise once more and complete.", "smc-tui job complete web01-1 --last-sync --wait"),
    (
        "Export the newest image.",
        "smc-tui image export web01-1_20261123T020114Z web01.qcow2 --format qcow2",
    ),
)

_FILES = (
    ("~/.config/smc-tui/config.toml", "The configuration, unless another is named."),
    ("~/.local/state/smc-tui", "The home folder, unless another is named: everything lives there."),
)

_VARIABLES = (
    ("SMC_TUI_CONFIG", "The configuration file."),
    ("SMC_TUI_TRACEBACK", "Print the traceback of an error that nobody thought of."),
)


@click.command("man", cls=Verb, short_help="Print the manual page.")
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page: `smc-tui man | man -l -`."""
    session = context.find_object(Session)
    root = context.find_root().command
    assert session is not None, "app.run gives every command its session"
    assert isinstance(root, click.Group)
    text = page(root)
    session.out.present({"roff": text}, text.rstrip("\n").split("\n"))


def page(root: click.Group) -> str:
    """Return the manual page as roff."""
    return "\n".join(_lines(root)) + "\n"


def _lines(root: click.Group) -> Iterator[str]:
    yield f'.\\" {_NOTICE}'
    yield f'.TH SMC\\-TUI 1 "" "smc\\-tui {__version__}" "User Commands"'
    # What is typed must not be broken at a hyphen.
    yield ".nh"
    yield ".ad l"
    yield ".SH NAME"
    yield r"smc\-tui \- incremental server migration over SSH"
    yield ".SH SYNOPSIS"
    yield r".B smc\-tui"
    yield r"[\fIOPTION\fR]... \fINOUN VERB\fR [\fIARGUMENT\fR]..."
    yield ".SH DESCRIPTION"
    yield from _paragraphs(_INTRODUCTION)
    yield ".SH OPTIONS"
    yield "These stand before the noun or after the verb."
    for flag, (text, kind) in GLOBAL_OPTIONS.items():
        yield from _item(_bold(flag, str(kind.get("metavar", ""))), text)
    yield ".SH COMMANDS"
    yield from _commands(root)
    yield ".SH CONFIGURATION"
    yield from _paragraphs(
        "Options come, the later the stronger, from a TOML file, from the environment, and from "
        "`--set KEY=VALUE`. The default stands in brackets."
    )
    for option in OPTIONS:
        default = option.shown(option.default)
        yield from _item(
            _bold(option.key), f"{option.text} [{'none' if default == '' else default}]"
        )
    yield ".SH ENVIRONMENT"
    for name, text in (*_VARIABLES, *((each.environment, f"`{each.key}`") for each in OPTIONS)):
        yield from _item(_bold(name), text)
    yield ".SH FILES"
    for name, text in _FILES:
        yield from _item(rf"\fI{escaped(name)}\fR", text)
    yield ".SH EXIT STATUS"
    for code, text in {
        **{int(key): text for key, text in EXIT_MEANINGS.items()},
        **SIGNALS,
    }.items():
        yield from _item(_bold(str(code)), text)
    yield ".SH EXAMPLES"
    for text, line in _EXAMPLES:
        yield from _item(escaped(text), f"`{line}`")
    yield ".SH SEE ALSO"
    yield r".BR ssh (1),"
    yield r".BR ssh_config (5),"
    yield r".BR systemd.service (5)"


def _commands(root: click.Group) -> Iterator[str]:
    noun = ""
    for words, command in commands(root):
        first, _, verb = words.partition(" ")
        if verb and first != noun:
            group = root.get_command(click.Context(root), first)
            yield f".SS {escaped(first)}"
            yield from _paragraphs((group.help if group else None) or "")
        elif not verb:
            yield f".SS {escaped(first)}"
        noun = first
        yield ".TP"
        yield _usage_line(words, command)
        yield from _body(command.help or "")
        yield from _own_options(command)


def _usage_line(words: str, command: click.Command) -> str:
    rest = usage(words, command).removeprefix(words)
    return rf"\fB{escaped(words)}\fR{escaped(rest)}"


def _own_options(command: click.Command) -> Iterator[str]:
    told = [each for each in parameters(command) if isinstance(each, click.Option) and each.help]
    if told:
        yield ".RS"
        for option in told:
            value = "" if option.is_flag else value_of(option)
            yield from _item(_bold(option.opts[0], value), option.help or "")
        yield ".RE"


def _bold(text: str, value: str = "") -> str:
    return rf"\fB{escaped(text)}\fR" + (rf" \fI{escaped(value)}\fR" if value else "")


def _item(head: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield head
    yield from _body(text)


def _paragraphs(text: str, between: str = ".PP") -> Iterator[str]:
    """Yield paragraphs of a section, or with ``.IP`` between them of an item."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield between
        yield from _filled(paragraph)


def _body(text: str) -> Iterator[str]:
    return _paragraphs(text, ".IP")


def _filled(paragraph: str) -> Iterator[str]:
    """Yield a paragraph's lines; click's mark for lines that are kept as they are is heeded."""
    kept, lines = False, paragraph.splitlines()
    if lines and lines[0].strip() == "\b":
        kept, lines = True, lines[1:]
    if kept:
        yield ".nf"
    yield from (_marked(line.strip()) for line in lines)
    if kept:
        yield ".fi"


def _marked(line: str) -> str:
    """Return a line with what stands between backquotes in bold."""
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return escaped(line)
    shown: Iterable[str] = (
        rf"\fB{escaped(part)}\fR" if number % 2 else escaped(part, begins=number == 0)
        for number, part in enumerate(parts)
    )
    return "".join(shown)


def escaped(text: str, *, begins: bool = True) -> str:
    """Return a text that roff shows as it is.

    Args:
        text: one line.
        begins: whether it stands at the beginning of a line, where a dot is a command.
    """
    shown = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    shown = shown.replace("`", r"\(ga").replace("^", r"\(ha").replace("~", r"\(ti")
    shown = "".join(each if ord(each) < 128 else rf"\[u{ord(each):04X}]" for each in shown)
    return rf"\&{shown}" if begins and shown.startswith(".") else shown
