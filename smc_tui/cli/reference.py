"""The tables of the README, made from the commands and the keys themselves.

    python -m smc_tui.cli.reference README.md     writes them anew, in their places

A place is what stands between ``<!-- commands -->`` and ``<!-- /commands -->``; the
same for ``exit-codes``, ``options`` and ``keys``. A test holds that they are fresh.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from smc_tui.cli.app import root
from smc_tui.cli.tree import EXIT_MEANINGS, SIGNALS, commands, usage
from smc_tui.console.keys import (
    APP_KEYS,
    DETAIL_KEYS,
    DRILL_KEYS,
    HEALTH_KEYS,
    IMAGE_KEYS,
    JOB_KEYS,
    PAGE_KEYS,
    TABLE_KEYS,
    TEXT_KEYS,
    TROUBLE_KEYS,
    Key,
)
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.options import OPTIONS

#: Where keys are understood -> the keys, in the README's order.
KEYS: dict[str, Sequence[Key]] = {
    "everywhere": APP_KEYS,
    "in a table": TABLE_KEYS,
    "on the Server Migration page": PAGE_KEYS,
    "on a job": tuple(JOB_KEYS.values()),
    "on a job's details": DETAIL_KEYS,
    "in Troubleshoot Errors": TROUBLE_KEYS,
    "on the images' page": IMAGE_KEYS,
    "on the engine's page": HEALTH_KEYS,
    "in a report or a log": TEXT_KEYS,
    "in a drill's report": DRILL_KEYS,
}


def commands_table() -> str:
    """Return every command with its arguments and options."""
    lines = ["| command | what it does |", "|---|---|"]
    for words, command in commands(root):
        shown = usage(words, command).replace("|", "\\|")
        lines.append(f"| `{shown}` | {command.get_short_help_str(200)} |")
    return "\n".join(lines)


def exit_codes_table() -> str:
    """Return every exit status with its meaning."""
    lines = ["| status | meaning |", "|---|---|"]
    lines += [f"| {code:d} | {EXIT_MEANINGS[code]} |" for code in ExitCode]
    lines += [f"| {code} | {text} |" for code, text in SIGNALS.items()]
    return "\n".join(lines)


def keys_table() -> str:
    """Return every key of the console, by where it is understood."""
    lines = ["| where | keys |", "|---|---|"]
    for where, keys in KEYS.items():
        told = " · ".join(f"`{_shown(key)}` {key.text}" for key in keys)
        lines.append(f"| {where} | {told} |")
    return "\n".join(lines)


def _shown(key: Key) -> str:
    return key.shown.replace("|", "\\|")


def options_table() -> str:
    """Return every option of the configuration with its default and its meaning."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for option in OPTIONS:
        default = json.dumps(option.shown(option.default))
        lines.append(f"| `{option.key}` | `{default}` | {option.text} |")
    return "\n".join(lines)


def refreshed(text: str) -> str:
    """Return a README with its tables written anew.

    Raises:
        ValueError: a place is missing.
    """
    tables = {
        "commands": commands_table(),
        "exit-codes": exit_codes_table(),
        "keys": keys_table(),
        "options": options_table(),
    }
    for place, table in tables.items():
        start, end = f"<!-- {place} -->\n", f"\n<!-- /{place} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"there is no place for {place}")
        text = f"{before}{start}{table}{end}{after}"
    return text


def main() -> None:
    """Write the tables of the file named on the command line anew."""
    path = Path(sys.argv[1])
    path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
