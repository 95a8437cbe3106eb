"""One worker process: what it is told, what it says, how it ends.

A worker speaks one JSON object a line and ends with exactly one of ``result``,
``paused``, ``cancelled``, ``error``. Whatever else happens to it (a kill, a crash, a
line that is none) is ``Died``: the caller always gets one ending.

It runs in a session of its own, so that a Ctrl-C meant for the engine does not reach
it: the engine tells it to stop, or closes its standard input by ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smc_tui.engine.logs import LogPipe
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.errors import SmcError

#: The longest line a worker may say, bytes; a result with 16 disks has a few thousand.
LONGEST_LINE = 1 << 20

#: What a worker says of its progress reaches the job store at most this often, seconds.
PROGRESS_EVERY = 0.25

#: How long the end of a log is waited for after its worker's end, seconds.
_LAST_WORDS = 1.0

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """It did what it was told."""

    document: Document


@dataclass(frozen=True, slots=True)
class Paused:
    """It stopped at a safe point and keeps all it has."""

    document: Document


@dataclass(frozen=True, slots=True)
class Cancelled:
    """It stopped because nothing it has is wanted."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It failed and said why."""

    error: SmcError


@dataclass(frozen=True, slots=True)
class Died:
    """It ended without a word."""

    how: str


Ending = Result | Paused | Cancelled | Failed | Died


@dataclass(eq=False)
class Worker:
    """A running worker process."""

    process: Process
    patience: float
    _stubborn: set[asyncio.TimerHandle] = field(default_factory=set)
    _log: LogPipe | None = None

    @classmethod
    async def start(
        cls, command: list[str], description: Document, log: Path | None, patience: float
    ) -> Worker:
        """Start a worker.

        Args:
            command: the program.
            description: the first line it is told.
            log: where its standard error goes, appended and bounded; None: nowhere.
            patience: real seconds between SIGTERM and SIGKILL.

        Raises:
            OSError: it could not be started.
        """
        pipe, errors = (None, DEVNULL) if log is None else await LogPipe.open(log)
        try:
            process = await _spawned(command, errors)
        finally:
            if pipe is not None:
                os.close(errors)
        worker = cls(process, patience, _log=pipe)
        worker.tell(description)
        return worker

    def tell(self, command: Document) -> None:
        """Say a line to it; one that has ended does not hear it."""
        stdin = self.process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(command).encode() + b"\n")

    def leave(self) -> None:
        """Close its standard input: it stops at a safe point, with or without us."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def end_after(self, seconds: float) -> None:
        """End it if it has not ended by itself by then."""
        loop = asyncio.get_running_loop()

        def kill() -> None:
            self._signal(signal.SIGKILL)

        def terminate() -> None:
            self._signal(signal.SIGTERM)
            self._stubborn.add(loop.call_later(self.patience, kill))

        self._stubborn.add(loop.call_later(seconds, terminate))

    async def listen(self, hear: Callable[[Document], None]) -> Ending:
        """Hear it to its end.

        Args:
            hear: called with each line that is not the last.
        """
        ending: Ending | None = None
        try:
            async for line in self._lines():
                if (found := _ending(line)) is not None:
                    ending = ending or found
                elif ending is None:
                    hear(line)
        except ValueError as error:
            self._signal(signal.SIGKILL)
            ending = ending or Died(f"said what is no line: {error}")
        self.end_after(self.patience)  # it has said its last; it has no reason to stay
        status = await self.process.wait()
        for timer in self._stubborn:
            timer.cancel()
        self.leave()
        await self._end_log()
        if ending is not None:
            return ending
        how = f"ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
        return Died(how)

    async def _lines(self) -> Any:
        stdout = self.process.stdout
        if stdout is None:
            return
        while line := await stdout.readline():
            document = json.loads(line)
            if not isinstance(document, dict):
                raise ValueError(f"{line[:80]!r}")
            yield document

    async def _end_log(self) -> None:
        """Wait for what it has said last; a child that outlives it keeps nobody waiting."""
        if self._log is not None:
            await self._log.end(_LAST_WORDS)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            # The whole group: its ssh must not outlive it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


async def _spawned(command: list[str], errors: int) -> Process:
    """Start a process; one whose start nobody waits for any more is ended.

    Python's own start must not be cancelled half-way: it waits for ever then for pipes
    that were never connected.
    """
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            start_new_session=True,
            limit=LONGEST_LINE,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise


def _ending(line: Document) -> Ending | None:
    match line.get("kind"):
        case "result":
            return Result(line)
        case "paused":
            return Paused(line)
        case "cancelled":
            return Cancelled()
        case "error":
            return Failed(_error(line))
    return None


def _error(line: Document) -> SmcError:
    code, detail = str(line.get("code")), str(line.get("detail", ""))
    said = line.get("facts")
    facts = said if isinstance(said, dict) else {}
    if code not in CATALOGUE:
        code, detail = "Engine.Internal", f"{code}: {detail}"
    return SmcError(code, detail, **{k: v for k, v in facts.items() if k not in ("code", "detail")})
