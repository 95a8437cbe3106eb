"""Values of documents as a person reads them: local times, sizes, statuses."""

from __future__ import annotations

from datetime import datetime

from smc_tui.model.actions import offered, status_word
from smc_tui.model.documents import Document
from smc_tui.model.lifecycle import Phase, State, Status
from smc_tui.model.things import Job
from smc_tui.model.units import parse_instant
from smc_tui.model.words import NOTHING as NOTHING
from smc_tui.model.words import size as size
from smc_tui.model.words import span as span


def local(instant: str | None) -> str:
    """Return an instant of a document in this machine's time zone."""
    if not instant:
        return NOTHING
    return datetime.fromtimestamp(parse_instant(instant)).strftime("%Y-%m-%d %H:%M:%S")


def named(document: Document) -> str:
    """Return a thing's name with its id behind it."""
    return f"{document['name']} ({document['id']})"


def job_word(job: Document) -> str:
    """Return the word for what a job is doing, the phase while it runs."""
    phase = job.get("phase")
    return status_word(State(Status(job["status"]), Phase(phase) if phase else None))


def job_status(job: Document) -> str:
    """Return a job's word, with what is pending, what holds it up, the code of its error."""
    word = job_word(job)
    if job.get("pending"):
        return f"{word}, {job['pending']} pending"
    if job.get("delay"):
        return f"{word}, {job['delay']}"
    error = job.get("error")
    return f"{word} ({error['code']})" if error and job["status"] == Status.IN_ERROR else word


def percent(progress: float) -> str:
    """Return a progress without more digits than it is worth."""
    return f"{progress:.0f} %"


def where(source: Document) -> str:
    """Return how a source is reached."""
    ssh = source["ssh"]
    if ssh is None:
        return "this host"
    return f"{ssh['target']}:{ssh['port']}" if ssh["port"] else str(ssh["target"])


def verbs(job: Job) -> str:
    """Return the verbs that the action table offers for a job now."""
    return ", ".join(each.verb.partition(".")[2] for each in offered(job) if each.verb)
