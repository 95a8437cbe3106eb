"""``python -m smc_tui`` is ``smc-tui``."""

from __future__ import annotations

import sys

from smc_tui.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
