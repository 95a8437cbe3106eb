"""The configuration: one TOML file, the environment and flags, each stronger than the last.

    reading   the layers, what each of them says, and everything that is wrong in them
    files     which file it is, its text, and the line a key stands on
    papers    the JSON Schema and the commented example, made from the table

The table of options itself is ``model.options``. Whoever only wants the values calls
``load_config``; ``read`` also tells where each came from.
"""

from smc_tui.config.files import ENVIRONMENT, chosen_file
from smc_tui.config.reading import (
    DEFAULT,
    MOST,
    Fault,
    Reading,
    Value,
    check_flag,
    load_config,
    read,
    strays,
)

__all__ = [
    "DEFAULT",
    "ENVIRONMENT",
    "MOST",
    "Fault",
    "Reading",
    "Value",
    "check_flag",
    "chosen_file",
    "load_config",
    "read",
    "strays",
]
