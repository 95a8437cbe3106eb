"""The host key of a source: seen, shown, accepted once, checked ever after.

A source's key stands under the source's own alias in our known_hosts, so it
does not matter by which name, port or jump host the server is reached. The key
is fetched by ssh itself (which knows the way there), with no authentication
offered: a key that has not been accepted learns nothing of the user.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from smc_tui.model.errors import SmcError
from smc_tui.source.link import SshTarget, explain_ssh, ssh_environment


@dataclass(frozen=True)
class HostKey:
    """A public host key, named as ``ssh-keygen -l`` names it."""

    type: str
    blob: str

    @property
    def fingerprint(self) -> str:
        """``SHA256:…`` without padding (the form that ssh prints)."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _keys(path: Path, alias: str) -> list[HostKey]:
    found = []
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        words = line.split()
        if len(words) >= 3 and words[0] == alias:
            try:
                base64.b64decode(words[2], validate=True)
            except binascii.Error:
                continue
            found.append(HostKey(words[1], words[2]))
    return found


def accepted(target: SshTarget) -> HostKey | None:
    """Return the key accepted for this source, None before that."""
    return next(iter(_keys(target.known_hosts, target.alias)), None)


def fetch(target: SshTarget) -> HostKey:
    """Return the key that the server shows now.

    Raises:
        SmcError: Source.UnknownHost, SourceServer.Offline: it shows none.
    """
    with tempfile.TemporaryDirectory(prefix="smc-tui-") as folder:
        seen = Path(folder) / "known_hosts"
        command = target.command(
            "StrictHostKeyChecking=accept-new",
            "PreferredAuthentications=none",
            "HashKnownHosts=no",
            known_hosts=seen,
        )
        said = subprocess.run(
            [*command, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=ssh_environment(),
            timeout=60,
        )
        keys = _keys(seen, target.alias)
    if not keys:
        raise explain_ssh(said.stderr, "SourceServer.Offline")
    return keys[0]


def accept(target: SshTarget, key: HostKey) -> None:
    """Remember the key for this source, in the place of any other."""
    path = target.known_hosts
    others = [
        line
        for line in (path.read_text().splitlines() if path.exists() else [])
        if line.split()[:1] != [target.alias]
    ]
    text = "\n".join([*others, f"{target.alias} {key.type} {key.blob}"]) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(0o600)
    temporary.replace(path)


def settle(target: SshTarget, accept_fingerprint: str | None) -> HostKey:
    """Return the key that connections are checked against.

    Args:
        target: the source.
        accept_fingerprint: what the user has compared and accepts, if anything.

    Raises:
        SmcError: HostKey.NotAccepted with the fact ``fingerprint``;
            HostKey.Changed when another key is accepted already.
    """
    known = accepted(target)
    if known is not None and accept_fingerprint in (None, known.fingerprint):
        return known
    shown = fetch(target)
    if accept_fingerprint == shown.fingerprint:
        accept(target, shown)
        return shown
    facts = {"fingerprint": shown.fingerprint, "type": shown.type}
    if known is not None:
        raise SmcError(
            "HostKey.Changed",
            f"{target.target} shows {shown.fingerprint}, accepted is {known.fingerprint}",
            **facts,
        )
    detail = f"{target.target} shows the {shown.type} key {shown.fingerprint}"
    raise SmcError("HostKey.NotAccepted", detail, **facts)
