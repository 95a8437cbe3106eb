"""The root of the grammar; errors and exit codes.

Every way out of a command passes through ``run``: one line for a person, one
document for a program, a status of ``ExitCode``, 130 after ^C, 141 when nobody
reads the output any more. A traceback is printed for nobody but the author.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from smc_tui import __version__
from smc_tui.cli.endings import INTERRUPTED, PIPE_CLOSED
from smc_tui.cli.grammar import COMPLETE, Root
from smc_tui.cli.output import Closed, settle_streams
from smc_tui.cli.session import Interrupted, Session
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError

TRACEBACK = "SMC_TUI_TRACEBACK"

NOUNS = {
    "console": "smc_tui.cli.console:console",
    "source": "smc_tui.cli.sources:noun",
    "job": "smc_tui.cli.jobnoun:noun",
    "image": "smc_tui.cli.images:noun",
    "resource": "smc_tui.cli.resources:noun",
    "store": "smc_tui.cli.stores:noun",
    "engine": "smc_tui.cli.engines:noun",
    "config": "smc_tui.cli.configs:noun",
    "doctor": "smc_tui.cli.doctor:doctor",
    "completion": "smc_tui.cli.completion:completion",
    "man": "smc_tui.cli.manual:man",
    "demo": "smc_tui.cli.demo:demo",
}


@click.group(
    "smc-tui",
    cls=Root,
    nouns=NOUNS,
    subcommand_metavar="NOUN VERB [ARGS]...",
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="smc-tui")
@click.pass_context
def root(context: click.Context) -> int:
    """Incremental server migration over SSH.

    Import a server, migrate its disks into full, verified, kept images, keep them
    in step, and complete with a last synchronisation. Alone, on a terminal, it opens
    the console. `smc-tui demo` shows it all.
    """
    if context.invoked_subcommand is not None:
        return ExitCode.OK
    from smc_tui.cli.console import on_terminal, open_and_tell

    session: Session = context.obj
    if session.out.json or not on_terminal():
        raise click.exceptions.NoArgsIsHelpError(context)
    return open_and_tell(session)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    settle_streams()
    session = Session()
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    session.out.ascii = not encoding.lower().replace("-", "").startswith("utf")
    # Known before parsing, because the parser's own errors must be documents too.
    session.out.json = "--json" in arguments
    try:
        if COMPLETE in os.environ:
            # Here, because it is a shell that asks, and no other command has to pay for it.
            from smc_tui.cli.completion import answer

            answer(root, session)
            return ExitCode.OK
        return _run(list(arguments), session)
    except Closed:
        _drop_output()
        return PIPE_CLOSED
    finally:
        session.close()


def _run(arguments: list[str], session: Session) -> int:
    try:
        status = root.main(arguments, prog_name="smc-tui", standalone_mode=False, obj=session)
        return status if isinstance(status, int) else ExitCode.OK
    except click.exceptions.NoArgsIsHelpError as error:
        if not session.out.json:
            click.echo(error.ctx.get_help() if error.ctx else "", err=True)
            return ExitCode.USAGE
        return _report(session, SmcError("InvalidParameter.Missing", "no command was given"))
    except click.ClickException as error:
        return _report(session, _usage(error))
    except (click.Abort, KeyboardInterrupt):
        _report(session, SmcError("Command.Interrupted"))
        return INTERRUPTED
    except Interrupted as error:
        _report(session, error)
        return INTERRUPTED
    except SmcError as error:
        return _report(session, error)
    except Closed:
        raise
    except OSError as error:
        return _report(session, _of_this_machine(error))
    except Exception as error:
        if os.environ.get(TRACEBACK):
            import traceback

            traceback.print_exc()
        return _report(session, SmcError("Command.Internal", f"{type(error).__name__}: {error}"))


def _report(session: Session, error: SmcError) -> int:
    """Say what went wrong, once for people and once for programs."""
    session.out.talk(error.line)
    if error.code == "Command.OutputFailed":
        _drop_output()
    elif session.out.json and not session.out.documents:
        session.out.document({"error": error.document()})
    return error.exit_code


def _of_this_machine(error: OSError) -> SmcError:
    """Return what the operating system refused in the catalogue's words."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    where = f"{error.filename}: " if error.filename else ""
    code = "Destination.Full" if full else "Home.Unusable"
    return SmcError(code, f"{where}{error.strerror or error}")


def _usage(error: click.ClickException) -> SmcError:
    """Return what the parser found in the catalogue's words."""
    code = "InvalidParameter.CommandLine"
    # click has no classes for a command that is missing or unknown in all its versions.
    if isinstance(error, click.MissingParameter) or "Missing command" in error.message:
        code = "InvalidParameter.Missing"
    elif isinstance(error, click.NoSuchOption) or "No such command" in error.message:
        code = "InvalidParameter.Unknown"
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else "smc-tui"
    return SmcError(code, f"{where}: {error.format_message()}")


def _drop_output() -> None:
    """Let Python flush into nothing at exit, so that it does not complain."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nothing, stream.fileno())
        except (OSError, ValueError):
            continue
    os.close(nothing)
