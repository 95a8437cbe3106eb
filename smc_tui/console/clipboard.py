"""Texts handed to the terminal's clipboard, or to a file where it takes none.

OSC 52 is a sequence that a terminal answers with nothing: so nobody can say that a
text was copied, only that it was sent. Inside tmux it goes by tmux itself, which by
default takes no such sequence from a program but hands on what it is told to load.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from smc_tui.model.errors import SmcError

#: Characters of base64 that terminals are known to take.
MOST = 74_994

#: Terminals without such a clipboard, by TERM and TERM_PROGRAM.
_WITHOUT = frozenset({"linux", "dumb", "vt100", "Apple_Terminal"})

#: What a file is called that a text is left in.
FILE = "copied.txt"

#: Seconds that tmux has.
_PATIENCE = 2.0


def sequence(text: str) -> str:
    """Return the sequence that puts a text into the terminal's clipboard."""
    return f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a"


def copy(
    what: str,
    text: str,
    write: Callable[[str], object],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Hand a text on and return what to tell a person.

    Args:
        what: what it is, in words.
        text: the text.
        write: writes to the terminal.
        folder: where a file may be left, with the owner's eyes only.
        environment: the process's own, unless a test has another.

    Raises:
        SmcError: Home.Unusable: neither the terminal nor the folder takes it.
    """
    seen = os.environ if environment is None else environment
    if len(base64.b64encode(text.encode())) <= MOST:
        if seen.get("TMUX") and _by_tmux(text):
            return f"{what}: sent to tmux and the terminal's clipboard"
        # GNU screen passes on only its own wrapping, and that in small pieces.
        kinds = {seen.get("TERM"), seen.get("TERM_PROGRAM")}
        if not seen.get("STY") and _WITHOUT.isdisjoint(kinds):
            write(sequence(text))
            return f"{what}: sent to the terminal's clipboard"
    path = folder / FILE
    _leave(path, text)
    return f"{what}: this terminal takes no copy of it; it is in {path}"


def _by_tmux(text: str) -> bool:
    """Have tmux load a text into its buffer and its terminal's clipboard."""
    tmux = shutil.which("tmux")
    if tmux is None:
        return False
    try:
        done = subprocess.run(
            [tmux, "load-buffer", "-w", "-"],
            input=text.encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _leave(path: Path, text: str) -> None:
    try:
        # Made anew each time: never through a link, never readable by others.
        path.unlink(missing_ok=True)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w") as file:
            file.write(text + "\n")
    except OSError as error:
        raise SmcError("Home.Unusable", f"{path}: {error.strerror}") from error
