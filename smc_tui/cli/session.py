"""One command's view of a home: its job store, its engine, its questions.

ready     an engine is there, or is started now, or the command ends with status 3
ask       write a request and hear whether the engine takes it
finish    stay until it has ended; ^C leaves, the engine goes on
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from smc_tui import config
from smc_tui.cli.output import Output
from smc_tui.jobstore import Home, JobStore, Request
from smc_tui.jobstore.presence import wake
from smc_tui.model.actions import Action
from smc_tui.model.errors import SmcError
from smc_tui.model.options import Config

#: An engine answers in milliseconds; one that has not in this time is stuck.
ANSWER_WITHIN = 60.0

Look = Callable[[Request], None]


class Deadline:
    """The time that a person gave for all of a command."""

    def __init__(self, seconds: float | None) -> None:
        self._limit = None if seconds is None else time.monotonic() + seconds

    def left(self, most: float | None = None) -> float | None:
        """Return the seconds left, ``most`` at most; None: no limit."""
        if self._limit is None:
            return most
        left = max(0.0, self._limit - time.monotonic())
        return left if most is None else min(left, most)


class Interrupted(SmcError):
    """^C where there is more to say than that."""

    def __init__(self, detail: str) -> None:
        super().__init__("Command.Interrupted", detail)


class Detached(Interrupted):
    """^C while waiting: the command ends, what it waited for goes on."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} goes on in the engine")


class Session:
    """What one command was told and what it holds open."""

    def __init__(self) -> None:
        self.out = Output()
        self.may_start = True
        self.may_ask = True
        self.home_given: str | None = None
        self.config_given: Path | None = None
        self.flags: dict[str, str] = {}
        #: While a shell asks for completion: gives a command what its words are found with.
        self.attach: Callable[[Any], None] | None = None
        self._store: JobStore | None = None
        self._config: Config | None = None

    def choose(self, option: str, value: Any) -> None:
        """Take the value of a global option.

        Raises:
            SmcError: Config.Invalid: ``--set`` with no such option, or no such value.
        """
        if option == "home":
            self.home_given = str(value)
        elif option == "config":
            self.config_given = Path(value)
        elif option == "set":
            for key, text in value:
                config.check_flag(key, text)
                self.flags[key] = text
        elif option == "json":
            self.out.json = True
        elif option == "ascii":
            self.out.ascii = True
        elif option == "no_start":
            self.may_start = False
        elif option == "no_input":
            self.may_ask = False

    def close(self) -> None:
        """Close the job store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    @property
    def home(self) -> Home:
        """The home folder this command works on.

        Raises:
            SmcError: Config.*: none was given, and the one configured cannot be read.
        """
        return self.home_of(None if self.home_given else self.config)

    def home_of(self, configured: Config | None) -> Home:
        """Return the home folder, by the command line or else as configured."""
        return Home.find(self.home_given or (configured.home if configured else "") or None)

    @property
    def store(self) -> JobStore:
        """The home's job store, opened when first used.

        Raises:
            SmcError: Home.*, JobStore.*.
        """
        if self._store is None:
            self.store_of(self.home)
        assert self._store is not None, "it was opened"
        return self._store

    def store_of(self, home: Home) -> JobStore:
        """Return the job store of a home, which this command closes.

        Raises:
            SmcError: Home.*, JobStore.*.
        """
        self.close()
        self._store = JobStore.open(home)
        return self._store

    @property
    def config(self) -> Config:
        """What was configured, read when first asked for.

        Raises:
            SmcError: Config.*.
        """
        if self._config is None:
            self._config = config.load_config(self.flags, self.config_given)
        return self._config

    @property
    def engine_options(self) -> list[str]:
        """The options with which an engine is configured as this command is."""
        file, named = config.chosen_file(self.config_given, os.environ)
        # An absolute path: the engine lives in / and has this command's environment.
        chosen = ["--config", str(file)] if named else []
        for key, text in self.flags.items():
            chosen += ["--set", f"{key}={text}"]
        return chosen

    # The engine

    def ready(self) -> None:
        """See that an engine runs, starting one if that is allowed.

        Raises:
            SmcError: Engine.NotReachable, Engine.NotStarted, Home.*, JobStore.*.
        """
        if wake(self.home):
            return
        if not self.may_start:
            raise SmcError("Engine.NotReachable", f"none runs for {self.home.path}, --no-start")
        # Here, because most commands find one running and need no subprocess module.
        from smc_tui.cli import launch

        if launch.start(self.home, options=self.engine_options):
            self.out.talk(f"Started the engine for {self.home.path}.")

    def ask(
        self,
        verb: str,
        target: str = "",
        args: dict[str, Any] | None = None,
        deadline: Deadline | None = None,
    ) -> Request:
        """Submit a request and return it once the engine has taken it.

        Raises:
            SmcError: why the engine refused it; Engine.*, Request.TimedOut.
        """
        self.ready()
        limit = deadline or Deadline(None)
        request_id = self.store.submit(verb, target, args)
        return self.store.wait(request_id, timeout=limit.left(ANSWER_WITHIN)).checked()

    def finish(
        self,
        request: Request,
        what: str,
        deadline: Deadline | None = None,
        look: Look | None = None,
    ) -> Request:
        """Stay until a request has ended well.

        Args:
            request: an accepted request.
            what: what goes on after ^C, as the subject of a sentence.
            deadline: when to give up; the request goes on.
            look: called with the request ten times a second.

        Raises:
            SmcError: why it failed; Engine.NotReachable, Request.TimedOut.
            Detached: a person pressed ^C.
        """
        limit = deadline or Deadline(None)
        try:
            ended = self.store.wait(request.id, ended=True, timeout=limit.left(), look=look)
        except KeyboardInterrupt:
            raise Detached(what) from None
        return ended.checked()

    def do(
        self,
        verb: str,
        target: str = "",
        args: dict[str, Any] | None = None,
        *,
        what: str,
        deadline: Deadline | None = None,
        look: Look | None = None,
    ) -> Request:
        """Submit a request and stay until it has ended well.

        Raises:
            SmcError: as ``ask`` and ``finish``.
        """
        limit = deadline or Deadline(None)
        return self.finish(self.ask(verb, target, args, limit), what, limit, look)

    # Questions

    @property
    def can_ask(self) -> bool:
        """Whether there is a person to answer."""
        return self.may_ask and sys.stdin is not None and sys.stdin.isatty()

    def confirm(self, question: str) -> bool:
        """Ask yes or no, no being the default."""
        return self.out.ask(f"{question} [y/N]").lower() in ("y", "yes")

    def confirm_name(
        self, row: Action, ref: tuple[str, str], typed: str | None, loss: Iterable[str]
    ) -> None:
        """Let a person type the name of what cannot be done without it.

        Args:
            row: the action.
            ref: id and name of the thing.
            typed: what ``--yes`` said.
            loss: lines on what goes and what stays.

        Raises:
            SmcError: InvalidParameter.Confirmation.
        """
        identity, name = ref
        given = [] if typed is None else [typed]
        self.confirm_words(row, [(name, identity)], given, loss)

    def confirm_words(
        self,
        row: Action,
        wanted: Sequence[tuple[str, ...]],
        given: Sequence[str],
        loss: Iterable[str],
    ) -> None:
        """Let a person type every word that an action needs.

        Args:
            row: the action.
            wanted: for each word what may be typed for it, the word itself first.
            given: what ``--yes`` said.
            loss: lines on what goes and what stays, told before the first question.

        Raises:
            SmcError: InvalidParameter.Confirmation: a word is missing, or one too many.
        """
        names = " and ".join(dict.fromkeys(words[0] for words in wanted))
        for word in given:
            if not any(word in words for words in wanted):
                raise SmcError(
                    "InvalidParameter.Confirmation",
                    f"{row.label}: {word!r} is not {names!r}, nothing was done",
                )
        missing = [words for words in wanted if not set(words) & set(given)]
        if missing and not self.can_ask:
            flags = " ".join(f"--yes {words[0]}" for words in missing)
            raise SmcError(
                "InvalidParameter.Confirmation",
                f"{row.label} {names}: without a terminal to ask on, {flags} is needed",
            )
        if missing:
            for line in loss:
                self.out.talk(line)
        for words in missing:
            typed = self.out.ask(f"{row.label}: type {words[0]} to go on:")
            if typed not in words:
                raise SmcError(
                    "InvalidParameter.Confirmation",
                    f"{row.label}: {typed!r} is not {words[0]!r}, nothing was done",
                )
