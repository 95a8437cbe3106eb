"""What an accepted request waits for, as the note it carries in the job store.

The note is how an answer finds its requests: whoever brings about what a note names
ends all requests that carry it, in the same transaction. So it does not matter which
engine accepted a request and which one finishes it.
"""

from __future__ import annotations


def run_awaited(run_id: str) -> str:
    """Return the note of a request that waits for the end of a run."""
    return f"run:{run_id}"


def stop_awaited(run_id: str) -> str:
    """Return the note of a request that waits until a run has stopped."""
    return f"stop:{run_id}"


def drill_awaited(job_id: str) -> str:
    """Return the note of a request that waits for the end of a job's drill."""
    return f"drill:{job_id}"


def begun_awaited(job_id: str) -> str:
    """Return the note of a start that waits for its drill, and then for its run."""
    return f"begun:{job_id}"


def finish_awaited(job_id: str) -> str:
    """Return the note of a request that waits until a job is Finished."""
    return f"finish:{job_id}"


def returned_awaited(job_id: str) -> str:
    """Return the note of a request that waits for the end of a cutover's way back."""
    return f"returned:{job_id}"


def gone_awaited(job_id: str) -> str:
    """Return the note of a request that waits until a job is off the table."""
    return f"gone:{job_id}"


#: The note of a request that waits for work of its own; an engine's end fails it.
WORK = "work"


class Withdrawn(Exception):
    """A request's writer took it back before it was answered: nothing happens."""
