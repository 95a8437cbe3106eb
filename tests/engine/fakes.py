"""Stand-ins for the rooms under the engine, and a home to try it in."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from smc_tui.engine.context import Patience, Seams, WorkerCommands
from smc_tui.jobstore import Home, JobStore
from smc_tui.model.errors import SmcError

HERE = Path(__file__).parent
WORKER = HERE / "fake_worker.py"
MIB = 1 << 20


class FakeShelf:
    """Images as files that the fake worker publishes."""

    def __init__(self, home: Home) -> None:
        self.folder = home.path / "fake" / "images"

    def ids(self):
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def manifest(self, image_id):
        path = self.folder / f"{image_id}.json"
        if not path.exists():
            return None
        document = json.loads(path.read_text())
        disks = [SimpleNamespace(**disk) for disk in document.pop("disks")]
        return SimpleNamespace(**document, disks=disks)

    def remove(self, image_id):
        if (self.folder / "stuck").exists():
            raise SmcError("Destination.IoError", "as scripted")
        (self.folder / f"{image_id}.json").unlink(missing_ok=True)

    def size(self):
        """Return what a test has put there; an empty store is never collected."""
        told = self.folder.parent / "size"
        return int(told.read_text()) if told.exists() else 0


def fake_inventory(target):
    """Return what a local disk looks like; ``bad-<code>`` in a path fails with that code."""
    down = Path(target["known_hosts"]).parent / "fake" / "down"
    fault = down.read_text() if down.exists() else ""
    if fault == "slow":
        time.sleep(60)
    if "." in fault:
        raise SmcError(fault, "as scripted")
    paths = target["disks"] or ["/dev/vda"]
    for path in paths:
        name = Path(path).name
        if name.startswith("bad-"):
            raise SmcError(name.removeprefix("bad-"), path)
    if target["ssh"] is not None and target["accept_key"] is None:
        raise SmcError("HostKey.NotAccepted", "SHA256:abc", fingerprint="SHA256:abc")
    return {
        "host_key": None if target["ssh"] is None else {"fingerprint": "SHA256:abc", "type": "x"},
        "os": "Debian 12",
        "disks": [
            {
                "index": index,
                "path": path,
                "size": (8 if fault == "shrunk" else 64) * MIB,
                "sector_size": 512,
                "role": "data" if index else "system",
                "identity": {"serial": path + fault.replace("shrunk", "")},
                "filesystems": [],
                "mounted": False,
                "used": MIB,
            }
            for index, path in enumerate(paths)
        ],
        "link_bps": 1e8,
        "used_bytes": len(paths) * MIB,
    }


def fake_seams(home: Home, patience: Patience | None = None) -> Seams:
    # -S -E: a fake worker needs nothing but the standard library, and starts in 15 ms.
    command = [sys.executable, "-S", "-E", str(WORKER)]
    return Seams(
        inventory=fake_inventory,
        shelf=FakeShelf(home),
        commands=WorkerCommands(
            sync=[*command, "sync"], drill=[*command, "drill"], images=[*command, "images"]
        ),
        patience=patience or Patience(pause=20, cancel=20, term=1, leave=5),
    )


class Bench:
    """A home, its engine in a process of its own, and a person at the command line."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.home.prepare()
        self.store = JobStore.open(self.home)
        self.engine: subprocess.Popen | None = None
        (path / "fake").mkdir()

    # The engine

    def start(self, time_lapse: float = 1.0, **patience: float) -> None:
        read, write = os.pipe()
        self.engine = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.engine.serve",
                str(self.home.path),
                str(time_lapse),
                str(write),
                json.dumps(patience),
            ],
            cwd=HERE.parent.parent,
            pass_fds=[write],
            stdin=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as answer:
            text = answer.readline()
        assert json.loads(text or "{}").get("ready"), f"the engine did not start: {text!r}"

    def kill(self) -> None:
        """End the engine as a power cut would."""
        self.engine.kill()
        self.engine.wait()

    def stop(self) -> int:
        self.engine.send_signal(signal.SIGTERM)
        return self.engine.wait(timeout=30)

    def close(self) -> None:
        if self.engine is not None and self.engine.poll() is None:
            self.stop()
        self.let_go()  # a worker that hears nothing has outlived its engine
        self.store.close()

    # A person

    def ask(self, verb, target="", /, *, wait=True, ok=True, **args):
        """Submit a request and wait for its end, or with ``wait=False`` for its answer."""
        request_id = self.store.submit(verb, target, args, actor="tester")
        request = self.store.wait(request_id, ended=wait, timeout=30)
        return request.checked() if ok else request

    def refused(self, verb, target="", /, **args):
        """Return the code with which a request is refused or fails."""
        request = self.ask(verb, target, ok=False, **args)
        assert request.error is not None, f"{verb} was not refused: {request}"
        return request.code

    def script(self, *scripts):
        folder = self.home.path / "fake"
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a worker may be reading
            (folder / "script.json").write_text(json.dumps(list(scripts)))

    def let_go(self):
        """Let the workers that hold go on."""
        (self.home.path / "fake" / "go").touch()

    def source(self, name="web01", paths=("/dev/vda",)):
        return self.ask("source.import", name, ssh=None, paths=list(paths)).result["source"]

    def job(self, name="web01-1", source="web01", **args):
        """Create a job, one without a drill unless that is asked for."""
        self.source(source)
        args = {"drill": "off", **args}
        return self.ask("job.create", source, name=name, **args).result["job"]

    # Looking

    def status(self, job="web01-1"):
        return self.store.job(job).state

    def until(self, fits, timeout=20.0):
        """Wait until something is so."""
        end = time.monotonic() + timeout
        while not (found := fits()):
            assert time.monotonic() < end, f"waited in vain: {self.explain()}"
            time.sleep(0.01)
        return found

    def until_status(self, *states, job="web01-1"):
        return self.until(lambda: str(self.status(job)) in states)

    def explain(self):
        jobs = [(job.name, str(job.state), job.fault) for job in self.store.jobs()]
        return jobs, [(event.action, event.result) for event in self.store.events()][-12:]

    def published(self):
        """Return the run ids in the order in which images were really published."""
        log = self.home.path / "fake" / "published.log"
        return log.read_text().split() if log.exists() else []

    def on_shelf(self):
        return FakeShelf(self.home).ids()

    def heard(self):
        log = self.home.path / "fake" / "heard.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def described(self):
        log = self.home.path / "fake" / "described.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()]

    def actions(self, job="web01-1"):
        return [event.action for event in self.store.events(self.store.job(job).id)]


@contextmanager
def bench(path: Path):
    made = Bench(path)
    try:
        yield made
    finally:
        made.close()
