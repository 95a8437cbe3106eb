"""The model remembered in SQLite: the one thing that all processes share.

The command line and the consoles read state out of it and write *requests* into
it; the engine alone changes jobs. So whatever a person said is on disk before it
is done, and a dropped session never touches a running migration.

Public: ``JobStore`` (read, submit, wait), ``Request`` and ``Home``. ``JobWriter``
in ``writer.py`` is the engine's.
"""

from smc_tui.jobstore.home import Home
from smc_tui.jobstore.requests import Request, RequestState
from smc_tui.jobstore.store import JobStore

__all__ = ["Home", "JobStore", "Request", "RequestState"]
