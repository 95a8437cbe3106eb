"""``smc-tui engine``: the one process that changes jobs."""

from __future__ import annotations

import os
import sys

import click

from smc_tui.cli import launch, pages
from smc_tui.cli.grammar import Noun, timeout_option
from smc_tui.cli.session import ANSWER_WITHIN, Deadline, Session
from smc_tui.jobstore.presence import wake
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError

noun = Noun("engine", help="The process that does it: run, start, stop, status.")

_LAPSE = click.option(
    "--time-lapse",
    type=click.FloatRange(min=1),
    metavar="N",
    help="Let the scheduler's clock run N times as fast, for demos and tests.",
)


@noun.command("run", short_help="Run the engine here, in the foreground.")
@_LAPSE
@click.pass_obj
def run(session: Session, time_lapse: float | None) -> None:
    """Run the engine in this process, until ^C or a terminate signal.

    For a service manager. Running jobs stop at a safe point when it ends and go on
    when the next engine starts.
    """
    line = launch.command(session.home, time_lapse, session.engine_options)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(line[0], line, launch.environment())


@noun.command("start", short_help="Start the engine in the background.")
@_LAPSE
@click.pass_obj
def start(session: Session, time_lapse: float | None) -> None:
    """Start the engine in the background; nothing to do if it runs.

    Verbs that change something do this by themselves.
    """
    if not session.may_start:
        raise SmcError("InvalidParameter.Combination", "engine start and --no-start")
    begun = launch.start(session.home, time_lapse, options=session.engine_options)
    engine = session.store.engine_document()
    if not begun and time_lapse is not None and engine["time_lapse"] != time_lapse:
        raise SmcError(
            "Engine.AlreadyRunning", f"its clock runs {engine['time_lapse']:g} times as fast"
        )
    if not begun:
        session.out.talk("It was running already.")
    session.out.present(engine, pages.engine_page(engine))


@noun.command("stop", short_help="Stop the engine; running jobs go on when it starts again.")
@timeout_option
@click.pass_obj
def stop(session: Session, timeout: float | None) -> None:
    """Stop the engine. Transfers stop at a safe point and go on with the next engine."""
    if not wake(session.home):
        session.out.talk("No engine was running.")
    else:
        deadline = Deadline(timeout)
        session.may_start = False
        session.ask("engine.stop", deadline=deadline)
        if not launch.stopped(session.home, deadline.left(ANSWER_WITHIN) or 0.0):
            raise SmcError("Request.TimedOut", "the engine has not ended yet")
    engine = session.store.engine_document()
    session.out.present(engine, pages.engine_page(engine))


@noun.command("status", short_help="Tell whether the engine runs (exit status 3: it does not).")
@click.pass_obj
def status(session: Session) -> int:
    """Tell whether the engine runs; exit status 3 when it does not."""
    engine = session.store.engine_document()
    session.out.present(engine, pages.engine_page(engine))
    return ExitCode.OK if engine["status"] == "running" else ExitCode.NO_ENGINE
