"""``smc-tui resource``: what unfinished jobs hold at the destination.

An intermediate resource is a job's staging area: it is there from a job's first run to
its end, and goes by itself when the job is completed or cancelled. An orphan is one that
no unfinished job needs any more: a crash in the middle of a release leaves one, and the
engine's next start removes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from smc_tui.cli.grammar import Noun, staying
from smc_tui.cli.onejob import carry_out
from smc_tui.cli.output import Part
from smc_tui.cli.session import Session
from smc_tui.cli.tables import Table
from smc_tui.cli.words import NOTHING, size
from smc_tui.model.actions import ActionId
from smc_tui.model.costs import amount, money_text
from smc_tui.model.documents import Document, resource_document
from smc_tui.model.errors import SmcError
from smc_tui.model.ids import Kind, is_id
from smc_tui.model.lifecycle import UNFINISHED, Status
from smc_tui.model.options import Config
from smc_tui.model.things import Job, Resource
from smc_tui.model.units import duration_text

noun = Noun("resource", help="What unfinished jobs hold at the destination, and what it costs.")

_NEEDED = UNFINISHED - {Status.EXPIRED}


@noun.command("list", short_help="List what jobs hold: size, age, estimated cost.")
@click.pass_obj
def list_resources(session: Session) -> None:
    """List all intermediate resources, with their size, age and estimated cost.

    An orphan belongs to no unfinished job; the engine removes it when it starts.
    """
    found = documents(session)
    if not found:
        session.out.talk("Nothing is held: no unfinished job has run yet.")
    session.out.present(found, resource_table(found, session.config) if found else [])


def documents(session: Session) -> list[Document]:
    """Return all that is held, oldest first, and folders that no record tells of."""
    store, config = session.store, session.config
    # The folders first: a record is written before its folder is made.
    staging = session.home.staging
    folders = sorted(path.name for path in staging.iterdir()) if staging.is_dir() else []
    with store.snapshot():
        jobs = {job.id: job for job in store.jobs()}
        held, now = store.resources_held(), store.now()
    told = [_document(each, jobs.get(each.job_id), now, config) for each in held]
    known = {*jobs, *(each.job_id for each in held)}
    known |= {f"{each.id}.released" for each in held}
    return [*told, *(_folder(name) for name in folders if name not in known)]


def _document(resource: Resource, job: Job | None, now: float, config: Config) -> Document:
    age = max(0.0, now - resource.created)
    cost = amount(resource.size, age, config)
    return {
        **resource_document(resource),
        "job_name": job.name if job else None,
        "orphan": job is None or job.status not in _NEEDED,
        "age_seconds": round(age),
        "cost": None if cost is None else _priced(cost, config),
    }


def _priced(cost: float, config: Config) -> Document:
    return {"amount": round(cost, 6), "currency": config.cost_currency, "estimate": True}


def _folder(name: str) -> Document:
    """Return a folder that no record tells of."""
    unknown = dict.fromkeys(("id", "job_id", "job_name", "created", "released", "age_seconds"))
    told = {"name": name, "status": "Leftover", "held": True, "bytes": None, "cost": None}
    return {**unknown, **told, "orphan": True}


def resource_table(found: Sequence[Document], config: Config) -> Iterator[Part]:
    """Yield ``resource list``."""
    costly = any(each["cost"] for each in found)
    columns = ("JOB", "STATUS", "SIZE", "AGE", *(("COST (EST.)",) if costly else ()), "NAME", "ID")
    yield Table(
        columns,
        [
            (
                each["job_name"] or NOTHING,
                f"{each['status']}{', orphan' if each['orphan'] else ''}",
                size(each["bytes"]),
                duration_text(each["age_seconds"]) if each["age_seconds"] is not None else NOTHING,
                *((_cost(each, config),) if costly else ()),
                each["name"],
                each["id"] or NOTHING,
            )
            for each in found
        ],
        right=frozenset({"SIZE", "AGE", "COST (EST.)"}),
    )
    if any(each["orphan"] for each in found):
        yield ""
        yield "An orphan belongs to no unfinished job: the engine removes it when it starts."


def _cost(each: Document, config: Config) -> str:
    return money_text(each["cost"]["amount"], config) if each["cost"] else NOTHING


@noun.command("release", short_help="Release what an unfinished job holds; a retry starts anew.")
@click.argument("ref", metavar="RESOURCE|J")
@click.option("--yes", metavar="NAME", help="The name of the job, instead of typing it.")
@staying
@click.pass_obj
def release(session: Session, ref: str, yes: str | None, timeout: float | None) -> None:
    """Release an intermediate resource, named by its id, its job, or its own name.

    The same as `job release`: the job's name has to be typed. This cannot be undone.
    """
    job_id = holder(session, ref)
    carry_out(session, ActionId.RELEASE, job_id, {}, wait=True, timeout=timeout, yes=yes)


def holder(session: Session, ref: str) -> str:
    """Return the id of the job that holds a resource.

    Args:
        session: the command's.
        ref: a resource's id or name, or a job's.

    Raises:
        SmcError: Resource.NotFound, Resource.Ambiguous, Resource.Orphaned.
    """
    held = session.store.resources_held()
    jobs = session.store.jobs()
    ids = {job.id for job in jobs if ref in (job.id, job.name)}
    matching = [each for each in held if ref in (each.id, each.name) or each.job_id in ids]
    if not matching and ids:
        return ids.pop()  # it holds nothing: the engine says what that means
    if not matching:
        kind = "resource" if is_id(ref, Kind.RESOURCE) else "resource or job"
        raise SmcError("Resource.NotFound", f"there is no {kind} {ref}")
    if len(matching) > 1:
        names = ", ".join(job.name for job in jobs if job.id in {m.job_id for m in matching})
        raise SmcError("Resource.Ambiguous", f"{ref} is held by {names}")
    owner = next((job for job in jobs if job.id == matching[0].job_id), None)
    if owner is None:
        raise SmcError("Resource.Orphaned", f"{matching[0].id} is of a job that is gone")
    return owner.id
