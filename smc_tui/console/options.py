"""How a console is started. Imports nothing of Textual, so that a command line may ask.

Textual takes its theme from the environment when it is imported, and decides by it how
it leaves out colours: only a theme of the terminal's own colours, named before Textual
is imported, is left without any under NO_COLOR. Hence ``settle_environment``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from smc_tui.model.options import THEMES, Config

#: What a person calls a theme -> Textual's name of it.
THEME_NAMES: Mapping[str, str] = dict(
    zip(
        THEMES,
        ("smc-dark", "smc-light", "smc-contrast", "ansi-dark", "ansi-light"),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Options:
    """How the console was started.

    Attributes:
        ascii: draw with ASCII alone.
        read_only: submit nothing.
        theme: Textual's name of a theme; empty: what fits the terminal.
        keys: keys that a person chose, by the ids of ``keys.py``.
        back: the command that comes back to this console.
        config: what was configured, for defaults and costs.
        note: a line that stands above everything, such as that this is a demo.
    """

    ascii: bool = False
    read_only: bool = False
    theme: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    back: str = "smc-tui"
    config: Config = field(default_factory=Config)
    note: str = ""


def chosen_theme(options: Options, environment: Mapping[str, str]) -> str:
    """Return Textual's name of the theme to begin with."""
    if "NO_COLOR" in environment:
        return options.theme if options.theme.startswith("ansi-") else "ansi-dark"
    if options.theme:
        return options.theme
    return "smc-dark" if _many_colours(environment) else "ansi-dark"


def _many_colours(environment: Mapping[str, str]) -> bool:
    """Tell whether a terminal has more than its 16 colours, as rich tells it."""
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return True
    name, _, colours = environment.get("TERM", "").strip().lower().rpartition("-")
    return colours in ("256color", "kitty", "direct") or (name, colours) == ("", "kitty")


def settle_environment(
    options: Options, environment: MutableMapping[str, str] | None = None
) -> None:
    """Tell Textual, before it is imported, what it reads from the environment alone."""
    settled = os.environ if environment is None else environment
    theme = chosen_theme(options, settled)
    if theme.startswith("ansi-"):
        settled["TEXTUAL_THEME"] = theme
    else:
        settled.pop("TEXTUAL_THEME", None)
    # Frames between two states are bytes over ssh that tell nothing.
    settled["TEXTUAL_ANIMATIONS"] = "none"
