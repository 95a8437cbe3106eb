"""The engine's process: ``python -m smc_tui.engine run [--home DIR] [--time-lapse N]``.

    --config FILE, --set KEY=VALUE
                    what it is configured with until it ends, as for the command line
    --ready-fd FD   write one JSON line there, {"ready": true, "pid": N} or
                    {"error": {...}}, and close it: how whoever starts an engine in the
                    background learns, without polling, what became of it

SIGTERM and SIGINT end it in good order. The exit status is the catalogue's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from smc_tui import config
from smc_tui.engine.claim import Claim
from smc_tui.engine.engine import Engine, open_clock, production_seams
from smc_tui.jobstore.home import Home
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.errors import SmcError

#: The engine's log is turned over at this size; three old ones are kept.
LOG_BYTES = 1 << 20


def main(argv: list[str] | None = None) -> int:
    """Run an engine; return the exit status."""
    args = _parser().parse_args(argv)
    report = _Report(args.ready_fd)
    try:
        reading = config.read(dict(args.set), args.config)
        home = Home.find(args.home or reading.checked().home or None)
        claim = Claim.take(home)
        try:
            _serve(home, claim, args.time_lapse, report, reading)
        finally:
            claim.release()
    except SmcError as error:
        report.say({"error": error.document()})
        print(error.line, file=sys.stderr)
        return int(error.exit_code)
    finally:
        report.close()
    return 0


def _serve(
    home: Home, claim: Claim, factor: float, report: _Report, reading: config.Reading
) -> None:
    log = _logger(home)
    log.info("configured: %s", reading.summary())
    try:
        with JobWriter.open(home) as store:
            clock = open_clock(store, factor)
            engine = Engine(claim, store, clock, production_seams(home), log, reading.checked())
            asyncio.run(engine.run(lambda: report.say({"ready": True, "pid": os.getpid()})))
    except Exception:
        log.exception("the engine ends")
        raise
    finally:
        for handler in list(log.handlers):
            handler.close()
            log.removeHandler(handler)


class _Report:
    """Tells whoever started the engine what became of it, once."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def say(self, document: dict[str, Any]) -> None:
        if self._fd is not None:
            with contextlib.suppress(BrokenPipeError):  # it did not wait
                os.write(self._fd, json.dumps(document).encode() + b"\n")
            self.close()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _logger(home: Home) -> logging.Logger:
    log = logging.getLogger("smc_tui.engine")
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        handler = RotatingFileHandler(home.log, maxBytes=LOG_BYTES, backupCount=3, delay=True)
    except OSError as error:
        raise SmcError("Home.Unusable", f"{home.log}: {error.strerror}") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return log


def _factor(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1e6:
        raise ValueError(text)
    return value


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(text)
    return key, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m smc_tui.engine")
    verbs = parser.add_subparsers(required=True)
    run = verbs.add_parser("run", help="serve a home folder until told to stop")
    run.add_argument("--home", help="the home folder")
    run.add_argument("--config", type=Path, metavar="FILE", help="the configuration file")
    run.add_argument("--set", type=_pair, action="append", default=[], metavar="KEY=VALUE")
    run.add_argument("--time-lapse", type=_factor, default=1.0, metavar="N")
    run.add_argument("--ready-fd", type=int, metavar="FD")
    return parser


if __name__ == "__main__":
    sys.exit(main())
