"""The console's themes: dark, light, high contrast, and the terminal's own 16 colours."""

from __future__ import annotations

from textual.theme import Theme

_DARK = Theme(
    name="smc-dark",
    primary="#5fafff", secondary="#87afd7", accent="#ff9f43", foreground="#d0d0d0",
    background="#101214", surface="#181b1f", panel="#22262c",
    success="#6fcf6f", warning="#e5c07b", error="#ff6b6b", dark=True,
)  # fmt: skip

_LIGHT = Theme(
    name="smc-light",
    primary="#005faf", secondary="#44688c", accent="#af5f00", foreground="#202428",
    background="#fafafa", surface="#f0f1f3", panel="#e2e5e9",
    success="#1e7d32", warning="#8a6100", error="#c01c28", dark=False,
)  # fmt: skip

_CONTRAST = Theme(
    name="smc-contrast",
    primary="#00ffff", secondary="#ffffff", accent="#ffff00", foreground="#ffffff",
    background="#000000", surface="#000000", panel="#303030",
    success="#00ff00", warning="#ffff00", error="#ff8080", dark=True,
)  # fmt: skip

THEMES: tuple[Theme, ...] = (_DARK, _LIGHT, _CONTRAST)
