"""The process that thaws whatever becomes of this one; its program is ``watchdog``."""

import json
import os
import select
import subprocess
import sys

from smc_tui.source.live import watchdog
from smc_tui.source.live.marks import Doubt

FROZEN_MOST = 2.0  # s; nobody's server stands longer because of us


class Keeper:
    """The process that thaws whatever becomes of this one."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", watchdog.TEXT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def tell(self, do, what=None):
        """Tell it something; returns when it has taken note.

        Raises:
            Doubt: it is not there.
        """
        try:
            line = json.dumps([do, what]).encode() + b"\n"
            os.write(self.process.stdin.fileno(), line)
            ready, _, _ = select.select([self.process.stdout], [], [], FROZEN_MOST)
            if ready and os.read(self.process.stdout.fileno(), 1):
                return
        except OSError:
            pass
        raise Doubt("the process that would thaw in any case has ended")
