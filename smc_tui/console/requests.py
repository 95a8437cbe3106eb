"""What a person asks of the engine, and its answers as they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smc_tui.jobstore import JobStore
from smc_tui.jobstore.requests import Request, RequestState, user_name
from smc_tui.model.errors import SmcError

#: Hears of a request when it is accepted and when it has ended, with the error if it has one.
Tell = Callable[[Request, SmcError | None], None]

#: Answers that have not come after this many looks are told as missing.
LOOKS = 20


def read_only_error() -> SmcError:
    """Return why a console that only looks asks for nothing."""
    return SmcError("Console.ReadOnly", "this console was started with --read-only")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    what: str
    text: str
    well: bool


@dataclass
class Asked:
    """A request under way."""

    what: str
    tell: Tell | None = None
    accepted: bool = False
    looks: int = 0


class Desk:
    """Requests of this console, and what has come of them.

    A request is not left to an engine of another day: where none runs one is started,
    and where that may not be, or the engine dies before it has seen the request, it is
    taken back and a person hears so.

    Args:
        store: an open job store.
        read_only: refuse to submit anything.
        start: begins to start an engine; None: this console must not.
    """

    def __init__(
        self,
        store: JobStore,
        read_only: bool = False,
        start: Callable[[], object] | None = None,
    ) -> None:
        self._store = store
        self._asked: dict[str, Asked] = {}
        self._start = start
        self.read_only = read_only
        self.actor = f"console ({user_name()})"

    def check(self) -> None:
        """See that this console may ask for anything.

        Raises:
            SmcError: Console.ReadOnly where it only looks.
        """
        if self.read_only:
            raise read_only_error()

    def ask(
        self,
        what: str,
        verb: str,
        target: str,
        args: dict[str, Any] | None = None,
        tell: Tell | None = None,
    ) -> str:
        """Submit a request.

        Args:
            what: how the answer is titled.
            verb: the request's verb.
            target: id of what it is about.
            args: its arguments.
            tell: hears what comes of it, in place of a person.

        Raises:
            SmcError: Console.ReadOnly where this console only looks; JobStore.*;
                Engine.NotReachable where none runs and none may be started.
        """
        self.check()
        if not self._store.engine_alive():
            if self._start is None:
                raise SmcError("Engine.NotReachable", "none runs; nothing was asked of it")
            self._start()
        request_id = self._store.submit(verb, target, args, actor=self.actor)
        self._asked[request_id] = Asked(what, tell)
        return request_id

    def answers(self) -> list[Answer]:
        """Return what has come since the last call, and tell those who want to hear it."""
        come: list[Answer] = []
        for request_id, asked in list(self._asked.items()):
            request = self._store.request(request_id)
            asked.looks += 1
            if request.state.ended:
                self._asked.pop(request_id, None)
            if request.state is RequestState.NEW and asked.looks == LOOKS:
                come += self._unanswered(request, asked)
            elif asked.tell is not None:
                self._tell(request, asked, asked.tell)
            elif request.error is not None:
                come.append(Answer(asked.what, request.error.line, False))
            elif request.state is not RequestState.NEW and not asked.accepted:
                asked.accepted = True
                come.append(Answer(asked.what, "accepted", True))
        return come

    @staticmethod
    def _tell(request: Request, asked: Asked, tell: Tell) -> None:
        if request.state.ended or (request.state is not RequestState.NEW and not asked.accepted):
            asked.accepted = True
            tell(request, request.error)

    def _unanswered(self, request: Request, asked: Asked) -> list[Answer]:
        """Return what to say of a request that nobody has seen for long."""
        if self._store.engine_alive() or not self._store.withdraw(request.id):
            return [Answer(asked.what, "the engine has not answered yet", False)]
        self._asked.pop(request.id, None)
        error = SmcError("Engine.NotReachable", "it did not see the request, which is withdrawn")
        if asked.tell is not None:
            asked.tell(self._store.request(request.id), error)
            return []
        return [Answer(asked.what, error.line, False)]
