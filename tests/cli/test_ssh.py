"""Import over a real sshd: the host key is shown, asked about, kept, and then held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smc_tui.model.catalogue import ExitCode
from tests.cli.conftest import Cli, change
from tests.cli.test_migration import equal
from tests.cli.test_progress import terminal
from tests.support.sshd import SSHD, Sshd, keygen

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: install openssh-server"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """Yield a running sshd."""
    made = Sshd.prepare(tmp_path / "sshd")
    yield made
    made.stop()


def importing(server: Sshd, disk: Path, *more: str) -> tuple[str, ...]:
    """Return the command that imports a disk of the server."""
    way = ("--ssh", "source", "--ssh-config", str(server.config), "--disk", str(disk))
    return ("source", "import", "web01", *way, *more)


def test_a_key_is_accepted_by_its_fingerprint_alone(smc: Cli, server: Sshd, disk: Path) -> None:
    said = smc(*importing(server, disk), "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "HostKey.NotAccepted")
    assert said.error["fingerprint"] == server.fingerprint
    said = smc(*importing(server, disk, "--accept-key", "SHA256:another"), "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "HostKey.NotAccepted")
    source = smc.json(*importing(server, disk, "--accept-key", server.fingerprint))
    assert source["host_key"]["fingerprint"] == server.fingerprint
    assert source["ssh"]["target"] == "source"
    assert source["link_bytes_per_second"] > 0


def test_a_person_is_asked(smc: Cli, server: Sshd, disk: Path) -> None:
    for answer, code in (("", ExitCode.FAILED), ("y", ExitCode.OK)):
        with terminal(smc.home, *importing(server, disk)) as screen:
            screen.until(lambda text: "[y/N]" in text)
            assert server.fingerprint in screen.seen
            screen.type(f"{answer}\n")
            assert screen.end() == code, screen.seen
    assert [source["name"] for source in smc.json("source", "list")] == ["web01"]


def test_a_migration_over_ssh_and_a_changed_key(
    smc: Cli, server: Sshd, disk: Path, tmp_path: Path
) -> None:
    smc.json(*importing(server, disk, "--accept-key", server.fingerprint))
    smc.json("job", "create", "web01", "--name", "mig", "--wait")
    change(disk)
    job = smc.json("job", "sync", "mig", "--wait")
    assert equal(smc, job["images"][-1]["id"], disk, tmp_path)

    server.stop()
    said = smc("source", "check", "web01", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "SourceServer.Offline")
    for name in ("host_key", "host_key.pub"):
        (server.folder / name).unlink()
    keygen(server.folder / "host_key")
    server.start()
    said = smc("job", "sync", "mig", "--wait", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "HostKey.Changed")
    # A changed key is never only a question of yes or no.
    with terminal(smc.home, "source", "check", "web01") as screen:
        assert screen.end() == ExitCode.FAILED
        assert "HostKey.Changed" in screen.seen
    smc.json("source", "check", "web01", "--accept-key", server.fingerprint)
    assert smc.json("job", "retry", "mig", "--wait")["status"] == "Waiting"
