"""What this console may ask of its engine, before anything of a job is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from smc_tui.console.requests import read_only_error
from smc_tui.model.actions import NO_ABILITIES, Ability, Action, refusal
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job


@dataclass(frozen=True, slots=True)
class Leave:
    """A console that only looks, or one whose engine lacks something, may do less.

    Attributes:
        read_only: nothing is asked of the engine.
        abilities: what the engine has said it is able to.
    """

    read_only: bool = False
    abilities: frozenset[Ability] = NO_ABILITIES

    def refusal(self, action: Action, job: Job) -> SmcError | None:
        """Return why an action is not possible for a job now, None where it is."""
        if action.verb and self.read_only:
            return read_only_error()
        return refusal(action, job, self.abilities)


#: A console without limits, on an engine that is able to what every engine is.
ALL = Leave()
