"""``job list`` and ``job show``: what is typed most, so it imports nothing else."""

from __future__ import annotations

import click

from smc_tui.cli import pages
from smc_tui.cli.chosen import tagged
from smc_tui.cli.jobnoun import REF, TAG, noun
from smc_tui.cli.session import Session
from smc_tui.cli.target import Target
from smc_tui.cli.words import verbs
from smc_tui.model import settings
from smc_tui.model.documents import job_summary


@noun.command("list", short_help="List all jobs, or those with a tag or a status.")
@TAG
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    help="A status or phase; may be given several times.",
)
@click.pass_obj
def list_jobs(session: Session, tags: tuple[str, ...], statuses: tuple[str, ...]) -> None:
    """List all jobs, or those that have all these tags and one of these statuses.

    A job answers to its own tags and to its source's.
    """
    target = Target.of(statuses)
    settings.tags(tags)
    jobs = session.store.jobs()
    chosen = tagged(jobs, session.store.sources(), tags) if tags else jobs
    found = [job_summary(job) for job in chosen if not statuses or job.state in target.states]
    if not found:
        none = "No job is like that." if jobs else "No jobs yet: smc-tui job create SOURCE"
        session.out.talk(none)
    session.out.present(found, pages.job_table(found) if found else [])


@noun.command("show", short_help="Show a job with its runs and images.")
@REF
@click.pass_obj
def show(session: Session, ref: str) -> None:
    """Show a job: status, progress, settings, error, what is possible, runs, images."""
    job = session.store.job(ref)
    document = session.store.job_document(job.id)
    session.out.present(document, pages.job_page(document, verbs(job)))
