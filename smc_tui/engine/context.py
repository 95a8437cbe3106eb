"""What all parts of the engine share, and the seams through which tests reach in."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from smc_tui.engine.clock import Clock
from smc_tui.jobstore.home import Home
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.errors import SmcError
from smc_tui.model.options import Config

T = TypeVar("T")

#: A store that cannot be written is tried again after this long, and then less often.
RETRY_FIRST = 0.25
RETRY_LATEST = 10.0


class Shelf(Protocol):
    """What the engine needs of the image store; ``keeping.ImageShelf`` in production."""

    def ids(self) -> list[str]:
        """Return the ids of all published images."""
        ...

    def manifest(self, image_id: str) -> Any:
        """Return an image's manifest, None if it is not published."""
        ...

    def remove(self, image_id: str) -> None:
        """Remove an image; one that is not there is removed already."""
        ...

    def size(self) -> int:
        """Return the bytes that all images take on the disk."""
        ...


@dataclass(frozen=True)
class WorkerCommands:
    """The programs that do the work, as argument lists."""

    sync: list[str] = field(default_factory=lambda: [sys.executable, "-m", "smc_tui.sync"])
    drill: list[str] = field(default_factory=lambda: [sys.executable, "-m", "smc_tui.drill"])
    images: list[str] = field(default_factory=lambda: [sys.executable, "-m", "smc_tui.images"])


@dataclass(frozen=True)
class Patience:
    """How long the engine waits for others, real seconds.

    Attributes:
        pause: for a run to reach a safe point; it keeps what it has even if ended.
        cancel: likewise when nothing it has is wanted any more.
        term: between SIGTERM and SIGKILL.
        leave: for workers when the engine itself ends; they stop on their own later.
    """

    pause: float = 60.0
    cancel: float = 30.0
    term: float = 5.0
    leave: float = 10.0


def _services(target: dict[str, Any], question: dict[str, Any]) -> dict[str, Any]:
    from smc_tui.source.stopping import ask

    return ask(target, question)


@dataclass(frozen=True)
class Seams:
    """What can be put in another's place."""

    inventory: Callable[[dict[str, Any]], dict[str, Any]]
    shelf: Shelf
    commands: WorkerCommands = field(default_factory=WorkerCommands)
    patience: Patience = field(default_factory=Patience)
    services: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] = _services


class Closing(Exception):
    """The engine ends; what was waited for is left to the next one."""


@dataclass
class Context:
    """One engine's belongings."""

    home: Home
    store: JobWriter
    clock: Clock
    seams: Seams
    log: logging.Logger
    config: Config = field(default_factory=Config)
    wakeup: asyncio.Event = field(default_factory=asyncio.Event)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Let something go on beside the loop; what goes wrong in it is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Closing):
            self.log.error("%s: %r", task.get_name(), error, exc_info=error)

    async def unless_closing(self, work: Awaitable[T]) -> T:
        """Wait for something that may take long, but not when the engine ends.

        Raises:
            Closing: the engine ends.
        """
        waited = asyncio.ensure_future(work)
        end = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait({waited, end}, return_when=asyncio.FIRST_COMPLETED)
            if not waited.done():
                raise Closing
            return waited.result()
        finally:
            waited.cancel()
            end.cancel()

    async def persist(self, change: Callable[[], T]) -> T:
        """Commit a change that has already happened in the world, however long it takes.

        A worker's result cannot be refused: with no room for the job store it is held
        here and tried again until there is room.

        Raises:
            SmcError: the engine ends before it could be committed; the next engine
                finds the same in the image store and the staging area.
        """
        pause = RETRY_FIRST
        while True:
            try:
                return change()
            except SmcError as error:
                if not error.code.startswith("JobStore.") or self.closing.is_set():
                    raise
                self.log.error("cannot write the job store, trying again: %s", error)
            try:
                await asyncio.wait_for(self.closing.wait(), pause)
            except TimeoutError:
                pause = min(RETRY_LATEST, pause * 2)


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run something that blocks beside the loop.

    In a daemon thread of its own, not in asyncio's pool: an engine told to end must
    not wait for a source server that does not answer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if answer.cancelled():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def body() -> None:
        result, failure = None, None
        try:
            result = work(*args)
        except BaseException as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the loop has ended; nobody waits any more

    threading.Thread(target=body, daemon=True, name=getattr(work, "__name__", "work")).start()
    return await answer
