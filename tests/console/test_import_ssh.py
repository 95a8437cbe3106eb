"""The import wizard against a real sshd, with a real engine: keys, users, disks."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smc_tui.cli import launch
from smc_tui.jobstore import Home
from tests.cli.conftest import end_engine
from tests.console.driver import Driver, opened
from tests.support.sshd import SSHD, Sshd, keygen

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: install openssh-server"),
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """Yield a running sshd; its user is the one this runs as, not the one of the pictures."""
    monkeypatch.setenv("LOGNAME", pwd.getpwuid(os.getuid()).pw_name)
    made = Sshd.prepare(tmp_path / "sshd")
    yield made
    made.stop()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a home with an engine of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    home = Home(tmp_path / "home")
    launch.start(home)
    yield SimpleNamespace(home=home)
    end_engine(home.path)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(b"x" * (1 << 20))
    return path


def hears(console: Driver, *texts: str) -> Driver:
    """Look at the job store until an engine's answer has brought these texts."""

    def heard() -> bool:
        console.app.look()
        return all(text in console.text for text in texts)

    return console.holds(f"to hear {texts}", heard)


async def fills(console: Driver, server: Sshd, disk: Path, address: str = "source") -> None:
    await console.press("I").sees("Import source").types("web01").press("down").types(address)
    await console.press("down").types(str(server.config))
    await console.press("down").types(shlex.quote(str(disk)))


async def test_a_server_is_imported_by_its_key_the_user_mended(served, server, disk):
    async with opened(served, size=(160, 45)) as console:
        await fills(console, server, disk, f"{server.user}x@source")
        await hears(console.press("enter"), "[3 HOST KEY]", server.fingerprint)
        await hears(console.press("A"), "[1 SERVER]", "Source.AuthRefused", "Next: ")
        await console.press("ctrl+u").types("source")
        await hears(console.press("enter"), "[4 DISKS]", str(disk), "Link:", server.fingerprint)
        assert f"--accept-key {server.fingerprint}" in " ".join(console.text.split())
        await console.press("enter").sees("Server Migration", "Online")
    (source,) = console.app.snapshot.sources.values()
    assert source.host_key is not None
    assert source.host_key["fingerprint"] == server.fingerprint


async def test_a_changed_key_is_refused_and_told(served, server, disk):
    async with opened(served, size=(160, 45)) as console:
        await fills(console, server, disk)
        await hears(console.press("enter"), "[3 HOST KEY]")
        await hears(console.press("A"), "[4 DISKS]")
        await console.press("enter").sees("Server Migration")
        server.stop()
        for name in ("host_key", "host_key.pub"):
            (server.folder / name).unlink()
        keygen(server.folder / "host_key")
        server.start()
        await hears(
            console.press(":").types("source check web01").press("enter"), "HostKey.Changed"
        )


async def test_a_host_that_nobody_knows(served, server, disk):
    async with opened(served, size=(160, 45)) as console:
        await fills(console, server, disk, "no-such-host.invalid")
        await hears(console.press("enter"), "[1 SERVER]", "Source.UnknownHost", "Next: ")
