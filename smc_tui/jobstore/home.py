"""The home folder: one folder a destination host, where everything lives.

Only its owner may look into it (0700): it holds whole servers' disks.

    jobs.db  engine.lock  engine.sock  engine.log  known_hosts
    images/  staging/<job id>/  logs/<job id>/<run id>.log
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from smc_tui.model.errors import SmcError

ENVIRONMENT = "SMC_TUI_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    """The paths under one home folder."""

    path: Path

    @classmethod
    def find(cls, given: str | Path | None = None) -> Home:
        """Return the home that was given, else the environment's, else the default.

        Raises:
            SmcError: Home.Unusable: it is in the home of a user that there is not.
        """
        chosen = given or os.environ.get(ENVIRONMENT)
        if not chosen:
            # Here, not above: only a call without a home pays for the import.
            import platformdirs

            chosen = platformdirs.user_state_path("smc-tui", appauthor=False)
        try:
            return cls(Path(chosen).expanduser().absolute())
        except RuntimeError as error:  # ~ of a user that there is not
            raise SmcError("Home.Unusable", f"{chosen}: {error}") from error

    @property
    def jobs_db(self) -> Path:
        """The job store."""
        return self.path / "jobs.db"

    @property
    def lock(self) -> Path:
        """Held by the one engine."""
        return self.path / "engine.lock"

    @property
    def socket(self) -> Path:
        """Where the engine is woken."""
        return self.path / "engine.sock"

    @property
    def log(self) -> Path:
        """What the engine has to say."""
        return self.path / "engine.log"

    @property
    def known_hosts(self) -> Path:
        """The accepted host keys."""
        return self.path / "known_hosts"

    @property
    def images(self) -> Path:
        """The image store."""
        return self.path / "images"

    @property
    def staging(self) -> Path:
        """The staging areas of all jobs."""
        return self.path / "staging"

    def job_staging(self, job_id: str) -> Path:
        """Return the staging area of a job."""
        return self.staging / job_id

    @property
    def logs(self) -> Path:
        """The logs of all jobs, also of those that are gone."""
        return self.path / "logs"

    def job_logs(self, job_id: str) -> Path:
        """Return the folder of a job's run logs."""
        return self.logs / job_id

    def run_log(self, job_id: str, run_id: str) -> Path:
        """Return a run's log."""
        return self.job_logs(job_id) / f"{run_id}.log"

    def prepare(self) -> None:
        """Make the folder if it is missing, and keep others out of it.

        Raises:
            SmcError: Home.Unusable.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.stat()
            if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != 0o700:
                self.path.chmod(0o700)
        except OSError as error:
            raise SmcError("Home.Unusable", f"{self.path}: {error.strerror}") from error
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            raise SmcError("Home.Unusable", f"{self.path}: not readable and writable by this user")
