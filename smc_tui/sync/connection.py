"""The connection to the source, and the next one when it is lost."""

from __future__ import annotations

from smc_tui.model.errors import SmcError
from smc_tui.source.client import AgentClient, OpenDisk
from smc_tui.sync.description import RunDescription
from smc_tui.sync.pacing import compression_level
from smc_tui.sync.recognition import recognise

#: What says that there is no way to the source, when no agent is there to ask.
_NO_WAY = ("Link.Lost", "SourceServer.Offline")


class Connection:
    """One way to the source at a time; all of them together are one run's.

    Attributes:
        hash: what the agents' digests are of, since the first of them.
        count: connections over which an agent was reached.
    """

    def __init__(self, description: RunDescription, bell: int) -> None:
        """Begin the first connection.

        Args:
            description: what the run is told.
            bell: a descriptor that becomes readable when the run is to stop.
        """
        self._description = description
        self._bell = bell
        self._client: AgentClient | None = None
        self._refused: SmcError | None = None
        self._opened: list[OpenDisk] | None = None
        self._wire = 0
        self.hash = "blake3"
        self.count = 0
        self._begin()

    def _begin(self) -> None:
        try:
            self._client = AgentClient(self._description.ssh, self._bell)
        except SmcError as error:
            self._refused = error

    @property
    def wire(self) -> int:
        """Bytes that went over all connections so far, both ways."""
        return self._wire + (self._client.wire if self._client is not None else 0)

    def ready(self) -> tuple[AgentClient, list[OpenDisk]]:
        """Return the agent with its disks opened and recognised, connecting if need be.

        The hash is the one that the run began with wherever the agent has it.

        Raises:
            SmcError: the source cannot be reached, or a disk is not the imported one.
            Interrupted: the run is to stop.
        """
        if self._client is None and self._refused is None:
            self._begin()
        if self._client is None:
            assert self._refused is not None
            raise self._refused
        if self._opened is None:
            client = self._client
            client.open(compressing=_compressing(self._description), hashing=self.hash)
            self._opened = [recognise(client, disk) for disk in self._description.disks]
            self.hash = client.hash
            self.count += 1
        return self._client, self._opened

    def broke(self, error: SmcError) -> bool:
        """Tell whether an error says that the connection is lost, so that another may hold.

        Once a source was reached, a name that cannot be resolved is the network's fault.
        """
        if self.count and error.code == "Source.UnknownHost":
            return True
        if self._client is None:
            return error.code in _NO_WAY
        return self._client.broke(error)

    def drop(self) -> None:
        """Let go of a lost connection."""
        self._wire = self.wire
        if self._client is not None:
            self._client.close(lost=True)
        self._client = self._refused = self._opened = None

    def close(self) -> None:
        """End the connection in good order."""
        if self._client is not None:
            self._client.close(lost=self._opened is None)


def _compressing(description: RunDescription) -> bool:
    """Tell whether blocks will be compressed, so that the agent is given zstd."""
    level = compression_level(
        description.compression, description.link_bps, description.limit_mbit, zstd=True
    )
    return level > 0
