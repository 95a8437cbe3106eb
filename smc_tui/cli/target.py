"""Which statuses of a job are meant: for what waits for them and what lists by them."""

from __future__ import annotations

from dataclasses import dataclass

from smc_tui.model.actions import status_word
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import STATES, State, Status
from smc_tui.model.things import Job

#: What a job leaves only if a person does something.
_DEAD_ENDS = (Status.IN_ERROR, Status.DRILL_EXCEPTION, Status.FINISHED, Status.EXPIRED)


@dataclass(frozen=True, slots=True)
class Target:
    """The states that end the waiting; empty: any in which a job rests."""

    states: frozenset[State]

    @classmethod
    def of(cls, words: tuple[str, ...]) -> Target:
        """Take statuses, phases or the console's words for them, in any case.

        Raises:
            SmcError: InvalidParameter.Unknown.
        """
        found: set[State] = set()
        for word in words:
            matching = [state for state in STATES if word.lower() in _names(state)]
            if not matching:
                known = ", ".join(sorted({str(state.phase or state.status) for state in STATES}))
                raise SmcError("InvalidParameter.Unknown", f"status {word!r}; known: {known}")
            found.update(matching)
        return cls(frozenset(found))

    def reached(self, job: Job) -> bool:
        """Tell whether a job is where it was waited for."""
        if self.states:
            return job.state in self.states
        return job.status not in (Status.RUNNING, Status.DELETING)

    def out_of_reach(self, job: Job) -> bool:
        """Tell whether only a person can bring the job there."""
        return job.status in _DEAD_ENDS and not self.reached(job)


def _names(state: State) -> set[str]:
    texts = {str(state), str(state.status), status_word(state), str(state.phase or state.status)}
    return {text.lower() for text in texts}
