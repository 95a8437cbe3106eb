"""Taking away what a job has left on its source: its record of writes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from smc_tui.source.client import AgentClient
from smc_tui.source.link import SshTarget
from smc_tui.source.liveclient import LiveClient


def family_of(source_id: str) -> str:
    """Return what the names of all records begin with that a source's jobs have begun.

    The source's, not the job's: whoever comes next to a source finds what is left there.
    """
    return f"smc-{source_id}-"


def tidy(document: dict[str, Any]) -> None:
    """Remove the records from the source that the engine's document names.

    Raises:
        SmcError: the source cannot be reached, or no agent can run there.
    """
    source = document["source"]
    known_hosts = Path(document["home"]) / "known_hosts"
    with closing(AgentClient(source["ssh"] and SshTarget.of(source["ssh"], known_hosts))) as client:
        client.open()
        LiveClient(client, []).forget(family_of(source["id"]))
