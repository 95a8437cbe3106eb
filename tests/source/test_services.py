"""Services of a source: looked at, stopped, started again; nothing of it believed unseen."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path

import pytest

from smc_tui.model import settings
from smc_tui.model.errors import SmcError
from smc_tui.source import stopping
from tests.support.sshd import free_port
from tests.support.systemctl import Units

HERE = {"ssh": None, "known_hosts": "/nowhere", "alias": "s-00000001"}


@pytest.fixture
def units(tmp_path, monkeypatch):
    made = Units.install(tmp_path / "systemd")
    monkeypatch.setenv("PATH", made.path)
    yield made
    made.end()


def ask(do, **facts):
    return stopping.ask(HERE, {"do": do, **facts})


def code(call, *given, **facts):
    with pytest.raises(SmcError) as caught:
        call(*given, **facts)
    return caught.value.code


def test_a_look_tells_what_goes_dark_and_who_is_connected(units):
    port = free_port()
    units.add("web.service", port)
    units.add("ledger-a.service")
    units.add("ledger-b.service", active=False)
    units.calls()
    with socket.create_connection(("127.0.0.1", port)):
        found = ask("look", units=["web", "ledger*", "nowhere.service"])
    assert found["unmatched"] == ["nowhere.service"]
    web, a, b = found["units"]
    assert [each["name"] for each in found["units"]] == [
        "web.service", "ledger-a.service", "ledger-b.service",
    ]  # fmt: skip
    assert (web["active"], a["active"], b["active"]) == (True, True, False)
    assert web["ports"] == [{"protocol": "tcp", "port": port, "addresses": ["127.0.0.1"]}]
    assert web["connections"] == 1
    assert web["peers"] == [{"address": "127.0.0.1", "connections": 1}]
    assert a["ports"] == []
    assert a["connections"] == 0
    assert units.calls() == []


def test_a_socket_unit_has_the_ports_that_it_listens_on(units):
    units.add("web.socket", active=False, state="active", listen="[::]:8080 (Stream)")
    (found,) = ask("look", units=["web.socket"])["units"]
    assert found["ports"] == [{"protocol": "tcp", "port": 8080, "addresses": []}]


def test_the_way_to_the_source_is_kept(units):
    units.add("ssh.service")
    units.add("sshd@3.service")
    units.add("shop.service")
    found = ask("look", units=["s*h*.service"])["units"]
    assert {each["name"]: bool(each["kept"]) for each in found} == {
        "shop.service": False, "ssh.service": True, "sshd@3.service": True,
    }  # fmt: skip


def test_stopped_and_started_again_one_by_one_in_order(units):
    for name in ("b.service", "a.service"):
        units.add(name)
    units.add("off.service", active=False)
    units.calls()
    stopped = ask("stop", units=["b.service", "off.service", "a.service"])["units"]
    assert [(each["name"], each["result"]) for each in stopped] == [
        ("b.service", "stopped"), ("off.service", "was not running"), ("a.service", "stopped"),
    ]  # fmt: skip
    assert units.active() == []
    started = ask("start", units=["a.service", "b.service"])["units"]
    assert [each["result"] for each in started] == ["started", "started"]
    again = ask("start", units=["a.service", "gone.service", "b.service"])["units"]
    assert [each["result"] for each in again] == ["was running", "failed", "was running"]
    assert units.calls() == [
        "stop b.service", "stop a.service", "start a.service", "start b.service",
    ]  # fmt: skip


def test_a_stop_that_fails_is_the_last_and_says_why(units):
    units.add("a.service")
    units.add("stuck.service", stuck=["stop"])
    units.add("z.service")
    found = ask("stop", units=["a.service", "stuck.service", "z.service"])["units"]
    assert [each["result"] for each in found] == ["stopped", "failed"]
    assert found[1]["why"] == "Job for stuck.service failed."
    assert units.active() == ["stuck.service", "z.service"]


def test_the_turn_of_another_program_keeps_services_up_but_never_down(units, monkeypatch):
    units.add("a.service")
    # The program waits for the other's unit, and ten seconds more.
    monkeypatch.setattr(stopping, "UNIT_TIMEOUT", -9.5)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind("\0smc-tui-services")
        assert code(ask, "stop", units=["a.service"]) == "Cutover.ServicesUnknown"
        assert units.active() == ["a.service"]
        (started,) = ask("start", units=["a.service"])["units"]
        assert started["result"] == "was running"


def test_a_start_that_fails_keeps_no_other_from_starting(units):
    units.add("a.service", active=False, stuck=["start"])
    units.add("b.service", active=False)
    found = ask("start", units=["a.service", "b.service"])["units"]
    assert [each["result"] for each in found] == ["failed", "started"]


def test_a_server_without_systemd_says_so(units, monkeypatch, tmp_path):
    (units.folder / "absent").touch()
    assert code(ask, "look", units=["a.service"]) == "Cutover.NoSystemd"
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert code(ask, "stop", units=["a.service"]) == "Cutover.NoSystemd"


def test_a_systemctl_that_fails_is_told(units):
    (units.folder / "units").rename(units.folder / "elsewhere")
    assert code(ask, "look", units=["a.service"]) == "Cutover.ServicesUnknown"
    (units.folder / "elsewhere").rename(units.folder / "units")


def test_what_is_no_block_device_has_no_writes_to_count(tmp_path):
    found = ask("quiet", disks=[str(tmp_path), "/dev/nothing"], seconds=0.01)
    assert [each["written"] for each in found["disks"]] == [None, None]


@pytest.mark.parametrize(
    "units",
    ["", [], "-x.service", "a;b", "$(x)", "a b\n--now", "*", "*.service", "?*.socket", [3], "a/b",
     "multi-user.target", "é.service", ["a" * 300], [f"a{n}.service" for n in range(65)]],
)  # fmt: skip
def test_what_is_no_unit_never_reaches_the_source(units):
    if units == "a b\n--now":
        units = units.split(" ")
    assert code(ask, "look", units=units) == "InvalidParameter.Units"


def test_units_are_taken_as_a_list_or_a_text():
    wanted = ("nginx.service", "ledger*", "getty@tty1.service")
    assert settings.units("nginx.service, ledger*  getty@tty1.service,nginx.service") == wanted
    assert settings.units(list(wanted)) == wanted


LOOKED = {
    "name": "a.service", "active": True, "state": "active", "main_pid": 3, "processes": 1,
    "ports": [], "connections": 0, "peers": [], "triggered_by": [], "kept": "",
}  # fmt: skip


def answering(tmp_path: Path, monkeypatch, answer) -> None:
    """Let a source's program answer this."""
    body = json.dumps(answer).encode()
    frame = struct.pack("<cI", b"s", len(body)) + body
    program = tmp_path / "program.py"
    program.write_text(f"import sys; sys.stdin.readline(); sys.stdout.buffer.write({frame!r})")
    monkeypatch.setattr(stopping, "PROGRAM", program)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"units": 3, "unmatched": []},
        {"units": [{**LOOKED, "name": "--now"}], "unmatched": []},
        {"units": [{**LOOKED, "name": "a*.service"}], "unmatched": []},
        {"units": [{**LOOKED, "connections": -1}], "unmatched": []},
        {"units": [{**LOOKED, "main_pid": "3"}], "unmatched": []},
        {"units": [{**LOOKED, "ports": [{"protocol": "x", "port": 1, "addresses": []}]}],
         "unmatched": []},
    ],
)  # fmt: skip
def test_a_strange_look_is_refused(tmp_path, monkeypatch, answer):
    answering(tmp_path, monkeypatch, answer)
    strange = code(ask, "look", units=["a.service"])
    assert strange in ("Protocol.Malformed", "InvalidParameter.Units")


def test_a_strange_stop_is_refused(tmp_path, monkeypatch):
    done = {"name": "b.service", "result": "stopped", "why": "", "seconds": 0.1}
    answering(tmp_path, monkeypatch, {"units": [done]})
    assert code(ask, "stop", units=["a.service"]) == "Protocol.Malformed"
    answering(tmp_path, monkeypatch, {"units": [{**done, "result": "fine"}]})
    assert code(ask, "stop", units=["b.service"]) == "Protocol.Malformed"


def test_texts_of_the_source_are_made_printable(tmp_path, monkeypatch):
    answering(tmp_path, monkeypatch, {"units": [{**LOOKED, "state": "\x1b[31m" + "x" * 900}],
                                      "unmatched": ["other"]})  # fmt: skip
    found = ask("look", units=["a.service"])
    assert found["unmatched"] == []
    assert "\x1b" not in found["units"][0]["state"]
    assert len(found["units"][0]["state"]) <= 300
