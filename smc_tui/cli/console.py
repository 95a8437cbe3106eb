"""``smc-tui console``, and ``smc-tui`` alone on a terminal: the Server Migration page.

Textual is imported when a console is opened and not before: it costs a command more
than all its own work.
"""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial
from typing import Any

import click

from smc_tui import config
from smc_tui.cli.grammar import Verb
from smc_tui.cli.session import Session
from smc_tui.console.options import THEME_NAMES, Options, settle_environment
from smc_tui.jobstore import JobStore
from smc_tui.model.errors import SmcError
from smc_tui.model.options import ALWAYS, AUTO


@click.command("console", cls=Verb, short_help="Open the console (smc-tui alone does that, too).")
@click.option("--read-only", is_flag=True, help="Look only: submit no request, start no engine.")
@click.option(
    "--theme",
    type=click.Choice(list(THEME_NAMES)),
    help="Colours; 16 and 16-light are the terminal's own. Default: what fits it.",
)
@click.option("--mouse/--no-mouse", default=None, help="Take the mouse. Default: not over SSH.")
@click.pass_obj
def console(session: Session, read_only: bool, theme: str | None, mouse: bool | None) -> int:
    """Open the console: sources, jobs and images, with everything that can be done to them.

    Leaving it (q) or losing the connection ends nothing: the engine goes on, and the
    console comes back to where the migration is.
    """
    if session.out.json:
        raise SmcError("InvalidParameter.Combination", "console and --json")
    if not on_terminal():
        raise SmcError(
            "InvalidParameter.Missing",
            "the console needs a terminal with a cursor on standard input, output and error",
        )
    return open_and_tell(session, read_only=read_only, theme=theme, mouse=mouse)


def on_terminal() -> bool:
    """Tell whether a console can be shown: its three streams are a terminal that can draw."""
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    drawn = os.environ.get("TERM", "dumb") not in ("dumb", "")
    return drawn and all(stream is not None and stream.isatty() for stream in streams)


def open_console(
    session: Session,
    *,
    read_only: bool = False,
    theme: str | None = None,
    mouse: bool | None = None,
    note: str = "",
    time_lapse: float | None = None,
) -> tuple[int, str]:
    """Open the console; return the exit status and what goes on when it is left.

    Args:
        session: the command's.
        read_only: submit nothing.
        theme: what a person calls it; None: what fits the terminal.
        mouse: whether the mouse is taken; None: not over ssh.
        note: a line to stand above everything.
        time_lapse: how many times as fast the clock of an engine runs that is started here.

    Raises:
        SmcError: Home.*, JobStore.*, Engine.*; Config.* with its file and line.
    """
    configured = session.config
    options = Options(
        ascii=session.out.ascii or configured.ascii == ALWAYS,
        read_only=read_only,
        theme=THEME_NAMES.get(theme or configured.theme, ""),
        keys=configured.chosen_keys,
        back=_back(session),
        config=configured,
        note=note,
    )
    if mouse is None and configured.mouse != AUTO:
        mouse = configured.mouse == ALWAYS
    may_start = session.may_start and not read_only
    store = _store(session, may_start)
    settle_environment(options)
    from smc_tui.console.keymap import Keymap
    from smc_tui.console.render.story import farewell
    from smc_tui.console.start import run

    try:
        Keymap(options.keys)
    except SmcError as error:
        raise SmcError(error.code, f"{_origin(session)}: {error.detail}") from None
    start = partial(_start, session, time_lapse) if may_start else None
    status, last = run(store, options, mouse, start)
    return status, farewell(last, options.back) if status == 0 else ""


def open_and_tell(session: Session, **how: Any) -> int:
    """Open the console; when it is left tell what goes on, and return the exit status.

    Raises:
        SmcError: Home.*, JobStore.*, Engine.*.
    """
    status, farewell = open_console(session, **how)
    if status == 0:
        session.out.talk(farewell)
    return status


def _origin(session: Session) -> str:
    """Return where the keys are configured."""
    reading = config.read(session.flags, session.config_given, located=True)
    return next(each.origin for each in reading.values if each.option.name == "keys")


def _store(session: Session, may_start: bool) -> JobStore:
    """Return the job store; a home of an older version is brought up to date by an engine."""
    try:
        return session.store
    except SmcError as error:
        if error.code != "Home.Older" or not may_start:
            raise
        _start(session)
        return session.store


def _start(session: Session, time_lapse: float | None = None) -> None:
    from smc_tui.cli import launch

    # Configured as this console is: another one than the person chose would surprise.
    launch.start(session.home, time_lapse, options=session.engine_options)


def _back(session: Session) -> str:
    given = session.home_given
    return f"smc-tui --home {shlex.quote(given)}" if given else "smc-tui"
