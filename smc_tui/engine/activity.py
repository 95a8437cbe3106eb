"""A run while it is at work: its worker, what it has counted, what is shown of it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from smc_tui.engine.worker import Document, Worker
from smc_tui.model import estimate
from smc_tui.model.things import Counters, Run


@dataclass
class Active:
    """A run with its worker, once that has started.

    Attributes:
        run: as last written.
        before: what its earlier attempts have counted.
        before_seconds: their real working time.
        began: when this attempt began, by the monotonic clock.
        comparing: how fast it compares.
        sending: how fast it transfers.
        created: the instant that its image is of.
        written: when progress was last written, by the monotonic clock.
        queued: its job says that it waits for a place.
    """

    run: Run
    before: Counters
    before_seconds: float
    began: float
    comparing: estimate.SmoothedRate = field(default_factory=estimate.SmoothedRate)
    sending: estimate.SmoothedRate = field(default_factory=estimate.SmoothedRate)
    created: float = 0.0
    worker: Worker | None = None
    written: float = 0.0
    queued: bool = False

    @classmethod
    def of(cls, run: Run) -> Active:
        """Return a run's next attempt."""
        return cls(run, run.counters, run.seconds, time.monotonic())

    def counters(self, now: Counters) -> Counters:
        """Return the run's counters: what this attempt did atop what those before did.

        An attempt compares everything anew; what was changed and sent adds up.
        """
        return Counters(
            total=now.total or self.before.total,
            compared=now.compared,
            changed=self.before.changed + now.changed,
            sent=self.before.sent + now.sent,
            wire=self.before.wire + now.wire,
            stored=self.before.stored + now.stored,
        )

    def seconds(self) -> float:
        """Return the real working time of all attempts."""
        return self.before_seconds + time.monotonic() - self.began


def attempt_counters(line: Document) -> Counters:
    """Return what a worker's line counts, by the short names or by those of a result."""
    return Counters(**{each.name: _count(line, each.name) for each in fields(Counters)})


def _count(line: Document, name: str) -> int:
    found = line.get(name, line.get(f"bytes_{name}", 0))
    return int(found) if isinstance(found, int | float) else 0


def needed(line: Document, attempt: Counters) -> int:
    """Return the bytes that an attempt has to transfer as far as it has compared."""
    found = line.get("needed")
    return found if isinstance(found, int) else attempt.changed


def live(
    line: Document, attempt: Counters, to_send: int, active: Active, at: float
) -> dict[str, Any]:
    """Return what a job shows of a run at work.

    Args:
        line: what its worker said last.
        attempt: what that counts.
        to_send: bytes that it has to transfer as far as it has compared.
        active: the run; its speeds take the counts in.
        at: now, by the monotonic clock.
    """
    comparing = active.comparing.sample(attempt.compared, at)
    sending = active.sending.sample(attempt.sent, at)
    document = {
        **{name: line.get(name) for name in ("disks", "read_bps", "wire_bps", "held_by")},
        **asdict(attempt),
        "needed": to_send,
        "bytes_per_second": round(comparing),
        "sent_per_second": round(sending),
        "remaining_seconds": estimate.run_remaining(
            attempt, to_send, comparing, sending, at - active.began
        ),
    }
    if line.get("retry"):
        still = {"bytes_per_second": 0, "sent_per_second": 0, "remaining_seconds": None}
        document |= {"retry": line["retry"], **still}
    return document
