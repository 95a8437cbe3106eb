"""What is done to jobs: the verbs of the action table's rows."""

from __future__ import annotations

import click

from smc_tui.cli import cutovers
from smc_tui.cli.chosen import Chosen, choosing
from smc_tui.cli.grammar import action, staying, waiting
from smc_tui.cli.jobnoun import KEEP, checked, noun
from smc_tui.cli.session import Session
from smc_tui.cli.several import act
from smc_tui.model import settings
from smc_tui.model.actions import ActionId
from smc_tui.model.consequences import Choice
from smc_tui.model.errors import SmcError


@action(noun, ActionId.START, "Start jobs, or go on with paused or failed ones.")
@choosing
@waiting
@click.pass_obj
def start(session: Session, chosen: Chosen, wait: bool, timeout: float | None) -> int:
    """Start jobs."""
    return act(session, ActionId.START, chosen, wait=wait, timeout=timeout)


@action(noun, ActionId.SYNC, "Synchronise now instead of at the next interval.")
@choosing
@waiting
@click.pass_obj
def sync(session: Session, chosen: Chosen, wait: bool, timeout: float | None) -> int:
    """Synchronise jobs by hand."""
    return act(session, ActionId.SYNC, chosen, wait=wait, timeout=timeout)


@action(noun, ActionId.SET_INTERVAL, "Change the interval; it counts after the next run.")
@choosing
@click.argument("interval", metavar="1h..7d")
@KEEP
@staying
@click.pass_obj
def interval(
    session: Session, chosen: Chosen, interval: str, keep: str | None, timeout: float | None
) -> int:
    """Set the automatic synchronisation."""
    args = checked({"interval": interval, "keep": keep})
    choice = Choice(keep=None if keep is None else settings.keep(keep))
    row = ActionId.SET_INTERVAL
    return act(session, row, chosen, args, wait=False, timeout=timeout, choice=choice)


@action(noun, ActionId.PAUSE, "Pause jobs; a transfer stops at a safe point and keeps all it has.")
@choosing
@waiting
@click.pass_obj
def pause(session: Session, chosen: Chosen, wait: bool, timeout: float | None) -> int:
    """Pause jobs."""
    return act(session, ActionId.PAUSE, chosen, wait=wait, timeout=timeout)


@action(noun, ActionId.COMPLETE, "End jobs; no further run is possible.", several=True)
@choosing
@click.option("--last-sync", is_flag=True, help="Perform one last synchronization first.")
@click.option(
    "--stop-services",
    "services",
    multiple=True,
    metavar="UNITS",
    help="Stop these systemd units on the source before it: names or patterns, with commas.",
)
@click.option("--budget", metavar="10m", help="The downtime allowed; used up, it is told.")
@click.option("--hold", is_flag=True, help="Go back by itself when the budget is used up.")
@click.option("--rehearse", is_flag=True, help="Do all but the end: then start them again.")
@click.option("--dry-run", is_flag=True, help="Only show what would stop, and for how long.")
@waiting
@click.pass_obj
def complete(
    session: Session,
    chosen: Chosen,
    last_sync: bool,
    services: tuple[str, ...],
    budget: str | None,
    hold: bool,
    rehearse: bool,
    dry_run: bool,
    yes: tuple[str, ...],
    wait: bool,
    timeout: float | None,
) -> int:
    """Complete jobs."""
    cutover = cutovers.arguments(
        services, budget, last_sync=last_sync, hold=hold, rehearse=rehearse, dry_run=dry_run
    )
    if cutover and chosen.single is None:
        raise SmcError("InvalidParameter.Combination", "--stop-services and several jobs")
    if dry_run:
        return cutovers.look(session, chosen.single or "", cutover, timeout)
    args = {"last_sync": last_sync, **cutover}
    choice = Choice(
        last_sync=last_sync, services=tuple(cutover.get("stop_services", ())), rehearse=rehearse
    )
    row = ActionId.COMPLETE
    return act(session, row, chosen, args, wait=wait, timeout=timeout, yes=yes, choice=choice)


@action(noun, ActionId.RETRY, "Go on at the point of failure; what is stored is not sent again.")
@choosing
@waiting
@click.pass_obj
def retry(session: Session, chosen: Chosen, wait: bool, timeout: float | None) -> int:
    """Retry failed jobs."""
    return act(session, ActionId.RETRY, chosen, wait=wait, timeout=timeout)


@action(
    noun,
    ActionId.CANCEL,
    "Delete jobs and release what they hold; images and history stay.",
    several=True,
)
@choosing
@waiting
@click.pass_obj
def cancel(
    session: Session, chosen: Chosen, yes: tuple[str, ...], wait: bool, timeout: float | None
) -> int:
    """Cancel jobs."""
    return act(session, ActionId.CANCEL, chosen, wait=wait, timeout=timeout, yes=yes)


@action(
    noun,
    ActionId.RELEASE,
    "Release what unfinished jobs hold; a retry then starts anew.",
    several=True,
)
@choosing
@staying
@click.pass_obj
def release(session: Session, chosen: Chosen, yes: tuple[str, ...], timeout: float | None) -> int:
    """Release the intermediate resources of jobs."""
    return act(session, ActionId.RELEASE, chosen, wait=True, timeout=timeout, yes=yes)
