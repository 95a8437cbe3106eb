"""The process of a run: ``python -m smc_tui.sync``, description on standard input."""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import closing
from typing import Any

from smc_tui.model.errors import SmcError
from smc_tui.sync.connection import Connection
from smc_tui.sync.description import RunDescription
from smc_tui.sync.lines import Controls, Speaker


def main() -> int:
    """Do what the first line describes; exit status 1 after an error."""
    speaker = Speaker()
    try:
        _obey(json.loads(sys.stdin.readline()), speaker)
    except SmcError as error:
        speaker.say("error", code=error.code, detail=error.detail, facts=error.facts)
        return 1
    except Exception as error:
        # The whole story goes to the run's log, the line to the operator.
        traceback.print_exc()
        failure = SmcError("Sync.Failed", f"{type(error).__name__}: {error}")
        speaker.say("error", code=failure.code, detail=failure.detail, facts={})
        return 1
    return 0


def _obey(document: dict[str, Any], speaker: Speaker) -> None:
    """Do a run, or what a job wants of its source between and after its runs."""
    if document.get("do") == "tidy":
        from smc_tui.sync.tidy import tidy

        tidy(document)
        speaker.say("result")
        return
    description = RunDescription.of(document)
    controls = Controls(description.limit_mbit, description.compression)
    controls.listen_in_background(sys.stdin)
    with closing(Connection(description, controls.bell)) as connection:
        if document.get("do") == "visit":
            from smc_tui.sync.visit import visit

            visit(description, connection, speaker)
            return
        # Logging in takes ssh longer than Python takes to load the store: begin with it.
        from smc_tui.sync.run import synchronise

        synchronise(description, connection, controls, speaker)


if __name__ == "__main__":
    sys.exit(main())
