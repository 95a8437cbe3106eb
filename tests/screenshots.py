"""The pictures of the README, made by one command.

    python -m tests.screenshots            writes screenshots/*.svg, and *.png with resvg-py

Of a home full of sample jobs, at a time that stands still: the same code makes the same
files, and a test holds that they are fresh. A PNG carries the digest of its SVG.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

FOLDER = Path(__file__).resolve().parents[1] / "screenshots"

#: Name of a picture -> what was pressed before it.
SHOTS: dict[str, tuple[str, ...]] = {
    "server-migration": ("j",),
    "actions": ("j", "j", "a"),
    "complete": ("j", "j", "j", "C"),
    "resources": ("dollar_sign",),
}
SIZE = (100, 30)

_KEY = b"svg-sha256"


@contextmanager
def _settled() -> Iterator[None]:
    """Have the time, the time zone and the terminal of every other run."""
    from tests.console.still import hold_still

    settings = {"TZ": "UTC", "TERM": "xterm-256color", "COLORTERM": "truecolor", "USER": "ops"}
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, settings))
        os.environ.pop("NO_COLOR", None)
        time.tzset()
        stack.callback(time.tzset)
        hold_still(
            lambda where, name, value: stack.enter_context(mock.patch.object(where, name, value))
        )
        yield


def made() -> dict[str, str]:
    """Return every picture as SVG by its name."""
    return asyncio.run(_made())


async def _made() -> dict[str, str]:
    from tests.console.fleet import Fleet, sample

    with _settled(), tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder) / "home").engine_starts()
        try:
            sample(fleet)
            return {name: await _shot(fleet, keys) for name, keys in SHOTS.items()}
        finally:
            fleet.close()


async def _shot(fleet: Any, keys: tuple[str, ...]) -> str:
    from tests.console.driver import opened

    async with opened(fleet, size=SIZE) as console:
        await console.press(*keys)
        svg = console.app.export_screenshot(title="smc-tui")
    # A number of its own each time; fonts of another's site.
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def digest_of(png: bytes) -> str:
    """Return the digest of the SVG that a PNG was made of, empty where it has none."""
    found = re.search(rb"tEXt" + _KEY + rb"\0([0-9a-f]{64})", png)
    return found[1].decode() if found else ""


def digest(svg: str) -> str:
    """Return the digest of an SVG."""
    return hashlib.sha256(svg.encode()).hexdigest()


def png(svg: str) -> bytes:
    """Return an SVG as a PNG that carries its digest.

    Raises:
        ImportError: resvg-py is not installed.
    """
    import resvg_py

    named = re.sub(r"font-family:[^;}]*", "font-family: DejaVu Sans Mono, monospace", svg)
    plain = bytes(resvg_py.svg_to_bytes(svg_string=named))
    text = b"tEXt" + _KEY + b"\0" + digest(svg).encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    end = plain.rindex(b"IEND") - 4
    return plain[:end] + chunk + plain[end:]


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, svg in made().items():
        (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
        with suppress(ImportError):
            (FOLDER / f"{name}.png").write_bytes(png(svg))
        print(FOLDER / f"{name}.svg", file=sys.stderr)


if __name__ == "__main__":
    main()
