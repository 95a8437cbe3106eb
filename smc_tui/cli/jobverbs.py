"""What is done to jobs: the verbs of the action table's rows."""

from __future__ import annotations

import click

from smc_tui.cli.grammar import action, staying, waiting
from smc_tui.cli.jobnoun import KEEP, REF, checked, noun
from smc_tui.cli.onejob import carry_out
from smc_tui.cli.session import Session
from smc_tui.model.actions import ActionId


@action(noun, ActionId.START, "Start a job, or go on with a paused or failed one.")
@REF
@waiting
@click.pass_obj
def start(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Start a job."""
    carry_out(session, ActionId.START, ref, {}, wait, timeout)


@action(noun, ActionId.SYNC, "Synchronise now instead of at the next interval.")
@REF
@waiting
@click.pass_obj
def sync(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Synchronise a job by hand."""
    carry_out(session, ActionId.SYNC, ref, {}, wait, timeout)


@action(noun, ActionId.SET_INTERVAL, "Change the interval; it counts after the next run.")
@REF
@click.argument("interval", metavar="1h..7d")
@KEEP
@staying
@click.pass_obj
def interval(
    session: Session, ref: str, interval: str, keep: str | None, timeout: float | None
) -> None:
    """Set the automatic synchronisation."""
    args = checked({"interval": interval, "keep": keep})
    carry_out(session, ActionId.SET_INTERVAL, ref, args, False, timeout)


@action(noun, ActionId.PAUSE, "Pause a job; a transfer stops at a safe point and keeps all it has.")
@REF
@waiting
@click.pass_obj
def pause(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Pause a job."""
    carry_out(session, ActionId.PAUSE, ref, {}, wait, timeout)


@action(noun, ActionId.COMPLETE, "End a job; no further run is possible.")
@REF
@click.option("--last-sync", is_flag=True, help="Perform one last synchronization first.")
@waiting
@click.pass_obj
def complete(
    session: Session, ref: str, last_sync: bool, yes: str | None, wait: bool, timeout: float | None
) -> None:
    """Complete a job."""
    last = "one last synchronisation, then " if last_sync else ""
    loss = f"Completing: {last}the job never runs again. Its images stay."
    args = {"last_sync": last_sync}
    carry_out(session, ActionId.COMPLETE, ref, args, wait, timeout, confirm=(yes, loss))


@action(noun, ActionId.RETRY, "Go on at the point of failure; what is stored is not sent again.")
@REF
@waiting
@click.pass_obj
def retry(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Retry a failed job."""
    carry_out(session, ActionId.RETRY, ref, {}, wait, timeout)


@action(noun, ActionId.CANCEL, "Delete a job and release what it holds; images and history stay.")
@REF
@waiting
@click.pass_obj
def cancel(session: Session, ref: str, yes: str | None, wait: bool, timeout: float | None) -> None:
    """Cancel a job."""
    loss = "Cancelling: the job is deleted and its staging area released. Its images stay."
    carry_out(session, ActionId.CANCEL, ref, {}, wait, timeout, confirm=(yes, loss))


@action(noun, ActionId.RELEASE, "Release what an unfinished job holds; a retry then starts anew.")
@REF
@staying
@click.pass_obj
def release(session: Session, ref: str, yes: str | None, timeout: float | None) -> None:
    """Release a job's intermediate resource."""
    loss = "Releasing: the staging area is removed; the next run compares everything anew."
    carry_out(session, ActionId.RELEASE, ref, {}, True, timeout, confirm=(yes, loss))
