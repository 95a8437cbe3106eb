"""Talking to the services program of a source: look, stop, start again, is it quiet.

One conversation a question. What is asked for passes the grammar here before it is sent;
what is answered is believed only where it speaks of what was asked for, with every count
bounded and every text printable.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from smc_tui.model import settings
from smc_tui.model.errors import SmcError
from smc_tui.source import protocol
from smc_tui.source.inventory import converse
from smc_tui.source.link import SshTarget

PROGRAM = Path(__file__).with_name("services.py")

#: The longest that one unit may take to stop or to start, seconds: systemd's own default.
UNIT_TIMEOUT = 90.0

#: How long the disks are watched for writes, seconds.
QUIET_SECONDS = 1.0

#: Connecting, and what the program needs besides what it waits for, seconds.
_SLACK = 60.0
#: The program asks systemctl once a pattern and once more, each with a limit of its own.
_LOOK = 30.0

#: What may come of a unit, by the question.
_RESULTS = {
    "stop": ("stopped", "was not running", "failed"),
    "start": ("started", "was running", "failed"),
}
_MOST = 1 << 40

Document = dict[str, Any]


def ask(target: Document, question: Document) -> Document:
    """Ask the services program of a source something.

    Args:
        target: ``ssh`` (``target``, ``port``, ``config``) or None for this host,
            ``known_hosts`` (path), ``alias``.
        question: ``do``: ``look``, ``stop``, ``start`` (with ``units``: patterns for a
            look, else exact names) or ``quiet`` (with ``disks``: paths).

    Returns:
        look: ``units`` (each ``name``, ``active``, ``state``, ``main_pid``, ``processes``,
            ``ports``, ``connections``, ``peers``, ``triggered_by``, ``kept``) and
            ``unmatched`` (patterns). stop, start: ``units`` (each ``name``, ``result``,
            ``why``, ``seconds``). quiet: ``seconds`` and ``disks`` (each ``path``,
            ``written`` in bytes or None where nothing tells).

    Raises:
        SmcError: InvalidParameter.Units, Cutover.NoSystemd, Cutover.ServicesUnknown, and
            what a conversation with a source may fail of.
    """
    ssh = None
    if target["ssh"] is not None:
        facts = {**target["ssh"], "alias": target["alias"]}
        ssh = SshTarget.of(facts, Path(target["known_hosts"]))
    do, sent, limit = _question(question)
    with closing(converse(PROGRAM, ssh, sent, limit)) as answers:
        found = next(answers)
    if "failed" in found:
        raise SmcError("Cutover.ServicesUnknown", _text(found["failed"]))
    if found.get("systemd") is False:
        raise SmcError("Cutover.NoSystemd", _text(found.get("why")))
    try:
        if do == "look":
            return _looked(found, sent["units"])
        return _quiet(found, sent["disks"]) if do == "quiet" else _changed(do, found, sent["units"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise protocol.malformed(f"an answer about services: {error!r}") from None


def _question(question: Document) -> tuple[str, Document, float]:
    """Return what is asked, in the program's words, and how long the answer may take."""
    do = str(question["do"])
    if do == "quiet":
        seconds = float(question.get("seconds", QUIET_SECONDS))
        sent: Document = {"do": do, "disks": list(question["disks"]), "seconds": seconds}
        return do, sent, seconds + _SLACK
    units = list(settings.units(question["units"]))
    sent = {"do": do, "units": units, "timeout": UNIT_TIMEOUT}
    each = _LOOK if do == "look" else 2 * UNIT_TIMEOUT  # the turn before it, and its own
    return do, sent, each * len(units) + _SLACK


def _looked(found: Document, patterns: list[str]) -> Document:
    units = [_unit(each) for each in found["units"][: settings.UNITS]]
    return {"units": units, "unmatched": [each for each in patterns if each in found["unmatched"]]}


def _unit(said: Document) -> Document:
    (name,) = settings.units([said["name"]])
    if settings.wild(name):
        raise ValueError(f"{name} is no unit")
    return {
        "name": name,
        "active": said["active"] is True,
        "state": _text(said["state"]),
        "main_pid": _count(said["main_pid"]),
        "processes": _count(said["processes"]),
        "ports": [_port(each) for each in said["ports"][:256]],
        "connections": _count(said["connections"]),
        "peers": [
            {"address": _text(each["address"]), "connections": _count(each["connections"])}
            for each in said["peers"][:8]
        ],
        "triggered_by": [_text(each) for each in said["triggered_by"][:16]],
        "kept": _text(said["kept"]),
    }


def _port(said: Document) -> Document:
    protocol_name, port = str(said["protocol"]), _count(said["port"])
    if protocol_name not in ("tcp", "udp") or port > 65535:
        raise ValueError("no port")
    addresses = [_text(each) for each in said["addresses"][:16]]
    return {"protocol": protocol_name, "port": port, "addresses": addresses}


def _changed(do: str, found: Document, asked: list[str]) -> Document:
    results = []
    for said in found["units"][: len(asked)]:
        if said["name"] not in asked or said["result"] not in _RESULTS[do]:
            raise ValueError("a unit that was not asked about")
        results.append(
            {
                "name": str(said["name"]),
                "result": str(said["result"]),
                "why": _text(said["why"]),
                "seconds": _seconds(said["seconds"]),
            }
        )
    return {"units": results}


def _quiet(found: Document, asked: list[str]) -> Document:
    disks = [
        {"path": path, "written": None if said["written"] is None else _count(said["written"])}
        for path, said in zip(asked, found["disks"], strict=True)
    ]
    return {"seconds": _seconds(found["seconds"]), "disks": disks}


def _count(said: Any) -> int:
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said <= _MOST:
        raise ValueError("no count")
    return said


def _seconds(said: Any) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= _MOST:
        raise ValueError("no seconds")
    return float(said)


def _text(said: Any) -> str:
    """Return a text of the source's, already printable, short enough for a line."""
    return said[:300] if isinstance(said, str) else ""
