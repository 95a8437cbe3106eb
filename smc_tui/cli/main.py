"""The entry point: from the shell to an exit status, never a traceback.

All else is imported inside the ``try``, because ^C may come while Python is
still reading modules.
"""

from __future__ import annotations

import sys

from smc_tui.cli.endings import INTERRUPTED


def main() -> int:
    """Run the command of ``sys.argv`` and return its exit status."""
    try:
        from smc_tui.cli.app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
