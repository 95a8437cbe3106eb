"""Which configuration file it is, its text, and the line a key stands on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smc_tui.model.errors import SmcError

#: Names the file where ``--config`` does not.
ENVIRONMENT = "SMC_TUI_CONFIG"

#: More than any configuration has; a device or a disk image named by mistake has more.
LARGEST = 64 * 1024

#: Where tomllib says that a mistake is.
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


def chosen_file(given: Path | None, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Return the configuration file, and whether it was named rather than found.

    A named file must be there; the one of the XDG configuration folder need not.
    """
    named = given or environ.get(ENVIRONMENT)
    if named:
        return expanded(Path(named)).absolute(), True
    # By hand, because importing platformdirs costs more than reading the file. The XDG
    # rules say that a relative folder is to be ignored.
    base = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else expanded(Path("~/.config"))
    return (folder / "smc-tui" / "config.toml").absolute(), False


def expanded(path: Path) -> Path:
    """Return a path with its ``~`` resolved, as it is where that is nobody's."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


class Unfit(Exception):
    """A file that is no configuration as a whole: why, and on which line if that is known."""

    def __init__(self, detail: str, line: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.line = line


def bytes_of(path: Path, *, named: bool) -> bytes | None:
    """Return a configuration file's bytes; None where there is none and none was named.

    Raises:
        SmcError: Config.Unreadable.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError as error:
        if not named:
            return None
        raise _unreadable(path, error) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> SmcError:
    return SmcError("Config.Unreadable", f"{path}: {error.strerror or 'it cannot be read'}")


def text_of(found: bytes) -> str:
    """Return the text that a file's bytes are.

    Raises:
        Unfit: too large, or no UTF-8.
    """
    if len(found) > LARGEST:
        raise Unfit(f"larger than {LARGEST} bytes")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unfit("this is no UTF-8", found[: error.start].count(b"\n") + 1) from error


def parsed(text: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises:
        Unfit: it is no TOML.
    """
    # Here, because most machines have no file, and then nobody pays for the import.
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise Unfit("nested too deeply") from None
    except ValueError as error:
        place = _PLACE.search(str(error))
        line = None if place is None else int(place[1] or text.rstrip("\n").count("\n") + 1)
        raise Unfit(f"this is no TOML: {_PLACE.sub('', str(error))}", line) from error


def line_of(text: str, parts: Sequence[str]) -> int | None:
    """Return the line on which a key of a valid TOML text gets its value.

    tomllib tells no positions. The line is the first one whose end makes a valid text
    that has the key, which holds whatever strings, comments or tables are before it.
    """
    import tomllib

    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if parts[-1] not in line:
            continue
        try:
            found: Any = tomllib.loads("\n".join(lines[:number]))
        except ValueError:
            continue
        for part in parts:
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            return number
    return None
