"""Interpreters older than ours, to run on the source."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def old_pythons() -> list[str]:
    """Return interpreters from 3.6 on, found on the path or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for version in ("3.6", "3.7", "3.8", "3.9"):
        names = [*pyenv.glob(f"{version}.*/bin/python3"), shutil.which(f"python{version}")]
        for name in filter(None, names):
            if subprocess.run([name, "-c", ""], check=False, capture_output=True).returncode == 0:
                found.append(str(name))
                break
    return found
