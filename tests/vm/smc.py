"""The command line as an operator has it, at work on guests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smc_tui.model.catalogue import ExitCode
from tests.cli.conftest import ROOT
from tests.vm.guest import Guest

#: Seconds that a command line may wait for what it asked for.
PATIENCE = "300"


@dataclass(frozen=True)
class Smc:
    """The command line as an operator has it: a process, with a home of the test."""

    home: Path

    def __call__(self, *words: str | Path, code: int = 0) -> Any:
        """Run a command, which must end with a status; return its document."""
        command = [sys.executable, "-m", "smc_tui", "--home", str(self.home), "--no-input"]
        done = subprocess.run(
            [*command, *map(str, words), "--json"],
            cwd=ROOT,
            env={**os.environ, "XDG_CONFIG_HOME": str(self.home.parent / "xdg")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def waiting(self, *words: str) -> Any:
        """Run a command and stay until the engine has done it."""
        return self(*words, "--wait", "--timeout", PATIENCE)

    def imports(self, name: str, guest: Guest, *words: str) -> Any:
        """Import a server: its key is taken by its fingerprint, and not without."""
        way = ("--ssh", guest.alias, "--ssh-config", guest.ssh_config, *words)
        said = self("source", "import", name, *way, code=ExitCode.FAILED)
        assert said["error"]["code"] == "HostKey.NotAccepted"
        assert said["error"]["fingerprint"] == guest.fingerprint
        return self("source", "import", name, *way, "--accept-key", guest.fingerprint)
