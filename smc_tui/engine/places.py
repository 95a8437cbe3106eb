"""The queue of synchronisations: so many work at once, the others wait their turn.

First come, first served; only a last synchronisation goes before the others, because
a server stands still for it. A job has one last synchronisation in its life, so the
others come to their turn all the same.

All of it happens in the engine's one loop and nothing here awaits: who asks has a place,
or is in the queue, when the call returns, and whoever looks next sees it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Places:
    """The places at which synchronisations work, and who waits for one."""

    def __init__(self, most: int, moved: Callable[[], None]) -> None:
        """Begin with nobody at work.

        Args:
            most: how many work at once.
            moved: called when the queue has changed.
        """
        self.most = most
        self._moved = moved
        self._working: set[str] = set()
        self._first: dict[str, asyncio.Future[bool]] = {}
        self._others: dict[str, asyncio.Future[bool]] = {}

    def ask(self, key: str, *, first: bool) -> asyncio.Future[bool]:
        """Ask for a place.

        Args:
            key: who asks; each holds one place, or waits for one.
            first: it goes before all that do not.

        Returns:
            What becomes True when it has a place, and False when it has given up.
        """
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if len(self._working) < self.most:
            self._working.add(key)
            turn.set_result(True)
        else:
            (self._first if first else self._others)[key] = turn
            self._moved()
        return turn

    def queue(self) -> list[str]:
        """Return who waits, the next one first."""
        return [*self._first, *self._others]

    def give_up(self, key: str) -> None:
        """Leave the queue; who is not in it stays as it is."""
        turn = self._first.pop(key, None) or self._others.pop(key, None)
        if turn is not None:
            if not turn.done():
                turn.set_result(False)
            self._moved()

    def leave(self, key: str) -> None:
        """Give a place back; the next one in the queue has it from now on."""
        self._working.discard(key)
        moved = False
        while len(self._working) < self.most and (queue := self.queue()):
            following, moved = queue[0], True
            turn = self._first.pop(following, None) or self._others.pop(following)
            if not turn.done():  # one that is waited for no more leaves nothing behind
                self._working.add(following)
                turn.set_result(True)
        if moved:
            self._moved()
