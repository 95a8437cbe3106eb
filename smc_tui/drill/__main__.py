"""The process of a migration drill: ``python -m smc_tui.drill``, description on stdin.

It says what it looks at, and last its report or its error. It keeps nothing, so the
end of its standard input and a cancel both end it at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback

from smc_tui.drill.facts import Wanted, gather
from smc_tui.drill.judge import report
from smc_tui.model.drill import Report
from smc_tui.model.errors import SmcError
from smc_tui.sync.lines import Speaker


def main() -> int:
    """Make the drill that the first line describes; exit status 1 after an error."""
    speaker = Speaker()
    began = time.monotonic()
    ended = threading.Event()
    try:
        wanted = Wanted.of(json.loads(sys.stdin.readline()))
        threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()

        def say(step: str) -> None:
            print(f"{time.monotonic() - began:6.2f} s  {step}", file=sys.stderr, flush=True)
            speaker.say("progress", step=step)

        made = report(gather(wanted, say), time.monotonic() - began)
    except SmcError as error:
        print(error, file=sys.stderr)
        speaker.say("error", code=error.code, detail=error.detail, facts=error.facts)
        return 1
    except Exception as error:
        # The whole story goes to the drill's log, the line to the operator.
        traceback.print_exc()
        failure = SmcError("Drill.Failed", f"{type(error).__name__}: {error}")
        speaker.say("error", code=failure.code, detail=failure.detail, facts={})
        return 1
    _log(made)
    ended.set()  # first: whoever has read the result may close our input at once
    speaker.say("result", report=made.document())
    return 0


def _log(made: Report) -> None:
    for item in made.items:
        print(f"{item.level}: {item.name}: {item.finding}", file=sys.stderr)
    print(f"{made.result} after {made.seconds:.1f} s", file=sys.stderr)


def _end_with_input(ended: threading.Event) -> None:
    """End at once when the engine is gone or wants it."""
    for line in sys.stdin:
        try:
            if json.loads(line).get("do") == "cancel":
                break
        except (ValueError, AttributeError):
            continue
    os._exit(0 if ended.is_set() else 1)


if __name__ == "__main__":
    sys.exit(main())
