"""An engine over stand-ins, as a process: so that it can be killed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

from smc_tui import config
from smc_tui.engine.claim import Claim
from smc_tui.engine.context import Patience
from smc_tui.engine.engine import Engine, open_clock
from smc_tui.jobstore import Home
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.errors import SmcError
from tests.engine.fakes import fake_seams


def main():
    home, time_lapse, ready = Home.find(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    patience = Patience(**{**{"term": 1, "leave": 5}, **json.loads(sys.argv[4])})
    logging.basicConfig(filename=home.log, level=logging.INFO)
    try:
        claim = Claim.take(home)
        with JobWriter.open(home) as store:
            engine = Engine(
                claim,
                store,
                open_clock(store, time_lapse),
                fake_seams(home, patience),
                logging.getLogger("engine"),
                config.read({}).checked(),
            )

            def say_ready():
                os.write(ready, b'{"ready": true}\n')
                os.close(ready)

            asyncio.run(engine.run(say_ready))
        claim.release()
    except SmcError as error:
        os.write(ready, json.dumps({"error": error.code}).encode() + b"\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
