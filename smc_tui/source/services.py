"""The services program: what would stop, stopping it, starting it again. Runs on the source.

Python 3.6 or later, standard library only, from memory. It reads one line of JSON, does
the one thing asked, prints one frame of kind ``s`` with a JSON object, and ends. Units
are given to systemctl as words of their own, never through a shell; what does not fit
the grammar is not given to it at all.

Stops and starts take turns: a program whose connection broke while it stopped something
has ended before the next one starts anything again.
"""

import errno
import json
import os
import re
import select
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time

UNIT = re.compile(r"[A-Za-z0-9_*?][A-Za-z0-9:_.@*?-]{0,254}")
KINDS = (".service", ".socket", ".timer", ".path")
MOST_UNITS = 64
MOST_PROCESSES = 4096
MOST_LINES = 200000  # of a table of connections
MOST_PEERS = 8
# Nobody can walk back from a source without these.
KEPT = re.compile(r"(systemd-|dbus|sshd?[@.]|sshd?-|NetworkManager|networking\.)")
ASKED = "Id LoadState ActiveState SubState MainPID ControlGroup TriggeredBy Listen".split()
LISTENING, ESTABLISHED, UNCONNECTED = "0A", "01", "07"
SECTOR = 512


def text(path, most=1 << 20):
    """Return a small file's text, empty where it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read(most)
    except (OSError, ValueError):
        return ""


def systemctl(words, timeout):
    """Return (exit status, output, what was said of errors) of systemctl; None: too late."""
    program = shutil.which("systemctl")
    if program is None:
        return 127, "", "systemctl was not found"
    environment = dict(os.environ, LC_ALL="C", SYSTEMD_PAGER="", SYSTEMD_COLORS="0")
    try:
        done = subprocess.run(
            [program] + words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return None, "", "not done within %d s" % timeout
    except OSError as error:
        return 126, "", str(error)
    out, said = (each[: 1 << 22].decode(errors="replace") for each in (done.stdout, done.stderr))
    return done.returncode, out, said.strip()[:500]


def without_systemd():
    """Return why there is no systemd to talk to, empty where there is."""
    status, out, said = systemctl(["show", "--no-pager", "--property=Version"], 20)
    return "" if status == 0 and out.startswith("Version=") else said or "systemctl says nothing"


def shown(patterns):
    """Return what systemctl tells of the units that match, each as a dictionary."""
    asked = ["--property=" + name for name in ASKED]
    status, out, said = systemctl(["show", "--no-pager"] + asked + ["--"] + patterns, 30)
    if status != 0:
        raise ValueError(said or "systemctl show ended with %s" % status)
    found = []
    for block in out.split("\n\n"):
        facts = {}
        for line in block.splitlines():
            name, _, value = line.partition("=")
            facts[name] = (facts[name] + "\n" + value) if name in facts else value
        if facts.get("Id") and facts.get("LoadState") not in ("", "not-found", None):
            found.append(facts)
    return found


# Processes and their sockets


def parents():
    """Return {process: its parent}."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            words = text("/proc/%s/stat" % name, 4096).rpartition(")")[2].split()
            if len(words) > 1:
                found[int(name)] = int(words[1])
    return found


def above(pid, tree):
    """Return a process's ancestors and itself."""
    line = []
    while pid > 1 and pid not in line:
        line.append(pid)
        pid = tree.get(pid, 0)
    return line


def members(facts, tree):
    """Return the processes of a unit: of its control group, and all below the main one."""
    found = set()
    group = facts.get("ControlGroup", "")
    if group.startswith("/") and ".." not in group:
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd"):
            for folder, _, names in os.walk(root + group):
                if "cgroup.procs" in names:
                    words = text(folder + "/cgroup.procs").split()
                    found.update(int(word) for word in words if word.isdigit())
    main = facts.get("MainPID", "0")
    main = int(main) if main.isdigit() else 0
    if main > 1:
        found.update(pid for pid in tree if main in above(pid, tree))
    return set(sorted(found)[:MOST_PROCESSES])


def sockets_of(pid):
    """Return the numbers of the sockets that a process has open."""
    found = set()
    folder = "/proc/%d/fd" % pid
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in names:
        try:
            link = os.readlink(folder + "/" + name)
        except OSError:
            continue
        if link.startswith("socket:["):
            found.add(link[8:-1])
    return found


def network(pid):
    """Return what tells a process's network from another's, a container's say."""
    try:
        return os.readlink("/proc/%d/ns/net" % pid)
    except OSError:
        return ""


def address(words):
    """Return (address, port) of the kernel's hexadecimal words."""
    host, _, port = words.partition(":")
    raw = bytes.fromhex(host)
    if len(raw) == 4:
        plain = socket.inet_ntop(socket.AF_INET, raw[::-1])
    else:
        parts = struct.unpack(">4I", raw)
        plain = socket.inet_ntop(socket.AF_INET6, struct.pack("<4I", *parts))
    return plain, int(port, 16)


def table(pid):
    """Yield (protocol, local, remote, state, socket number) of a process's network."""
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        try:
            with open("/proc/%d/net/%s" % (pid, protocol)) as file:
                for number, line in enumerate(file):
                    words = line.split()
                    if not number or len(words) < 10:
                        continue
                    if number > MOST_LINES:
                        break
                    row = address(words[1]), address(words[2]), words[3], words[9]
                    yield (protocol[:3],) + row
        except (OSError, ValueError):
            continue


def socket_ports(facts):
    """Return the ports of a socket unit, which systemd itself listens on."""
    found = re.findall(r":(\d{1,5}) \((Stream|Datagram)\)", facts.get("Listen", ""))
    return {("tcp" if kind == "Stream" else "udp", int(port)): set() for port, kind in found}


def served(pids, facts):
    """Return the ports that go dark with these processes, and who is connected to them."""
    ports = socket_ports(facts)
    own = set()
    networks = {}
    for pid in sorted(pids):
        own |= sockets_of(pid)
        networks.setdefault(network(pid), pid)
    if ports and not networks:
        networks[""] = os.getpid()
    rows = [row for pid in networks.values() for row in table(pid)]
    for protocol, local, _, state, inode in rows:
        waits = state == (LISTENING if protocol == "tcp" else UNCONNECTED)
        if waits and inode in own:
            ports.setdefault((protocol, local[1]), set()).add(local[0])
    peers = {}
    for protocol, local, remote, state, _ in rows:
        if protocol == "tcp" and state == ESTABLISHED and ("tcp", local[1]) in ports:
            peers[remote[0]] = peers.get(remote[0], 0) + 1
    busiest = sorted(peers, key=lambda peer: (-peers[peer], peer))[:MOST_PEERS]
    return {
        "ports": [
            {"protocol": protocol, "port": port, "addresses": sorted(ports[protocol, port])[:16]}
            for protocol, port in sorted(ports, key=lambda key: (key[1], key[0]))[:256]
        ],
        "connections": sum(peers.values()),
        "peers": [{"address": peer, "connections": peers[peer]} for peer in busiest],
    }


# What can be asked


def look(question):
    """Tell which units match, whether they run, and what goes dark with them."""
    tree = parents()
    ours = set(above(os.getpid(), tree))
    units, unmatched = {}, []
    for pattern in question["units"]:
        found = [
            facts
            for facts in shown([pattern])
            if facts["Id"].endswith(KINDS) and UNIT.fullmatch(facts["Id"])
        ]
        if not found:
            unmatched.append(pattern)
        for facts in found:
            if facts["Id"] not in units and len(units) < MOST_UNITS:
                units[facts["Id"]] = unit(facts, tree, ours)
    return {"units": list(units.values()), "unmatched": unmatched}


def unit(facts, tree, ours):
    """Return one unit."""
    pids = members(facts, tree)
    name = facts["Id"]
    kept = ""
    if pids & ours:
        kept = "this connection runs in it"
    elif KEPT.match(name):
        kept = "the system, or the way to it, needs it"
    return dict(
        served(pids, facts),
        name=name,
        active=facts.get("ActiveState") in ("active", "activating", "reloading"),
        state="%s (%s)" % (facts.get("ActiveState", ""), facts.get("SubState", "")),
        main_pid=int(facts["MainPID"]) if facts.get("MainPID", "").isdigit() else 0,
        processes=len(pids),
        triggered_by=facts.get("TriggeredBy", "").split()[:16],
        kept=kept,
    )


def state_of(name):
    """Return a unit's state, empty where there is no such unit."""
    found = shown([name])
    return found[0].get("ActiveState", "") if found else ""


def turn(timeout, must):
    """Wait until no other program of this kind stops or starts anything; return the lock.

    Any process of the source could hold that name for ever: that may keep services from
    being stopped, but not from being started again.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end = time.monotonic() + timeout
    while True:
        try:
            lock.bind("\0smc-tui-services")
            return lock
        except OSError as error:
            late = error.errno != errno.EADDRINUSE or time.monotonic() > end
            if late and must:
                raise ValueError("another program is stopping or starting services") from None
            if late:
                return lock
        time.sleep(0.1)


def abandoned():
    """Tell whether nobody is at the other end any more."""
    return bool(select.select([0], [], [], 0)[0])


def change(question, verb, wanted, done, idle):
    """Stop or start units one after the other, in the order given."""
    timeout = float(question["timeout"])
    results = []
    # Another one is through with the unit at hand: then it finds itself abandoned.
    with turn(timeout + 10, verb == "stop"):
        for name in question["units"]:
            if abandoned():
                break
            began = time.monotonic()
            before = state_of(name)
            why, result = "", done
            if not before or (before in wanted) == (verb == "start"):
                result = idle if before or verb == "stop" else "failed"
                why = "" if before else "there is no such unit"
            else:
                status, _, said = systemctl([verb, "--", name], timeout)
                after = state_of(name)
                if status != 0 or (after in wanted) != (verb == "start"):
                    result, why = "failed", said or "it is %s" % after
            seconds = round(time.monotonic() - began, 3)
            results.append({"name": name, "result": result, "why": why, "seconds": seconds})
            if result == "failed" and verb == "stop":
                break
    return {"units": results}


RUNS = ("active", "activating", "reloading", "deactivating")


def stop(question):
    """Stop units; a failure is the end, because all is started again then."""
    return change(question, "stop", RUNS, "stopped", "was not running")


def start(question):
    """Start units; one that fails keeps no other from its start."""
    return change(question, "start", RUNS[:3], "started", "was running")


def written(path):
    """Return the bytes written to a block device since the start, None for no such thing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISBLK(found.st_mode):
        return None
    number = os.major(found.st_rdev), os.minor(found.st_rdev)
    words = text("/sys/dev/block/%d:%d/stat" % number).split()
    return int(words[6]) * SECTOR if len(words) > 6 else None


def quiet(question):
    """Tell how much is written to the disks over a while, all that waited being written."""
    os.sync()
    seconds = min(60.0, float(question["seconds"]))
    before = [(path, written(path)) for path in question["disks"][:256]]
    time.sleep(seconds)
    disks = []
    for path, was in before:
        now = written(path)
        grown = None if was is None or now is None else max(0, now - was)
        disks.append({"path": path, "written": grown})
    return {"seconds": seconds, "disks": disks}


DEEDS = {"look": look, "stop": stop, "start": start, "quiet": quiet}


def answer(question):
    """Return the answer to a question."""
    names = question.get("units", [])
    if len(names) > MOST_UNITS or not all(UNIT.fullmatch(name) for name in names):
        raise ValueError("these are no units")
    if question["do"] != "quiet":
        missing = without_systemd()
        if missing:
            return {"systemd": False, "why": missing}
    return dict(DEEDS[question["do"]](question), systemd=True)


def main():
    """Answer the one question, in one frame."""
    try:
        found = answer(json.loads(sys.stdin.buffer.readline(1 << 20).decode()))
    except (KeyError, TypeError, ValueError, OSError) as error:
        found = {"failed": str(error)[:500]}
    body = json.dumps(found).encode()
    sys.stdout.buffer.write(struct.pack("<cI", b"s", len(body)) + body)
    sys.stdout.buffer.flush()


main()
