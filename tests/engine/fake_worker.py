"""A scripted worker that speaks the lines of the real ones: ``fake_worker.py sync|drill|images``.

What it does comes from ``fake/script.json`` in the home, a list of which each worker
takes the first; an empty list is a run without incident. Like the real worker it holds
the lock of the staging area, keeps what it has there from attempt to attempt, and
publishes by one rename.

    {"segments": 8, "pace": 0.01,   how much there is to do and how slowly
     "hold_at": 3,                  stays there until it is stopped, killed or let go
     "lose_at": 3,                  loses its link there, until it is let go
     "die_at": 3, "fail_at": 3, "code": "Link.Lost",
     "die_after_publish": true,     no last word
     "ends_well": true,             told to leave while it holds, it is done instead
     "deaf": true,                  hears nothing, ends only when it is ended
     "babble": true,                says what is no line
     "consistency": "fuzzy",
     "said": {"change_detection": "trace"}}  what its result says besides
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

SEGMENT = 1 << 20


def say(kind, **facts):
    print(json.dumps({"kind": kind, **facts}), flush=True)


class Stopped(Exception):
    pass


class Ears:
    """Takes in what the engine says."""

    def __init__(self, script, home):
        self.stop = None
        self.ends_well = bool(script.get("ends_well"))
        self.heard = home / "fake" / "heard.jsonl"
        self.deaf = bool(script.get("deaf"))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in sys.stdin:
            command = json.loads(line)
            with self.heard.open("a") as out:
                out.write(line)
            if command["do"] in ("pause", "cancel") and not self.deaf:
                self.stop = command["do"] if self.stop != "cancel" else "cancel"
        if not self.deaf:
            self.stop = self.stop or "gone"

    def check(self):
        if self.stop:
            raise Stopped(self.stop)


def next_script(home):
    folder = home / "fake"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / "script.json"
        scripts = json.loads(path.read_text()) if path.exists() else []
        script = scripts.pop(0) if scripts else {}
        path.write_text(json.dumps(scripts))
    return script


def publish(home, description):
    images = home / "fake" / "images"
    images.mkdir(exist_ok=True)
    text = json.dumps(
        {
            "id": description["image"],
            "name": description["image_name"],
            "job_id": description["job"],
            "run_id": description["run"],
            "source_id": description["source"]["id"],
            "created": description["created"],
            "consistency": description.get("consistency", "stopped"),
            "root": "0" * 64,
            "provenance": {"source": description["source"]["name"]},
            "disks": description["source"]["disks"],
        }
    )
    tmp = images / (description["image"] + ".tmp")
    tmp.write_text(text)
    tmp.rename(images / (description["image"] + ".json"))
    with (home / "fake" / "published.log").open("a") as log:
        log.write(description["run"] + "\n")


def hold(home, ears):
    """Stay at work, however slow the machine is, until the test has seen it."""
    while not (home / "fake" / "go").exists():
        if ears.ends_well and ears.stop:
            return
        ears.check()
        time.sleep(0.01)


def counts(total, compared, sent):
    return {
        "total": total * SEGMENT,
        "compared": compared * SEGMENT,
        "changed": sent * SEGMENT,
        "sent": sent * SEGMENT,
        "wire": sent * SEGMENT // 2,
    }


def run_sync(description, script, ears):
    home = Path(description["home"])
    staging = home / "staging" / description["job"]
    staging.mkdir(parents=True, exist_ok=True)
    with (staging / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        say("progress", phase="Preparing")
        total = script.get("segments", 4)
        known = staging / "map"
        done = set(json.loads(known.read_text())) if known.exists() else set()
        sent = 0
        for segment in range(total):
            ears.check()
            if script.get("hold_at") == segment:
                hold(home, ears)
            if script.get("lose_at") == segment:
                say("event", text="link lost (\x1b[2JLink.Lost); trying again in 4 s")
                retry = {"attempt": 1, "of": 6, "at": "2026-01-02T03:04:05Z", "code": "Link.Lost"}
                say("progress", phase="Syncing", **counts(total, segment, sent), retry=retry)
                hold(home, ears)
                say("progress", phase="Syncing", **counts(total, segment, sent))
            if script.get("die_at") == segment:
                os.kill(os.getpid(), signal.SIGKILL)
            if script.get("fail_at") == segment:
                say("error", code=script["code"], detail="as scripted", facts={"at": segment})
                return 1
            if script.get("babble") and segment == 1:
                print("Segmentation fault", flush=True)
            time.sleep(script.get("pace", 0.0))
            if segment not in done:
                done.add(segment)
                sent += 1
                tmp = staging / "map.tmp"
                tmp.write_text(json.dumps(sorted(done)))
                tmp.rename(known)
            say("progress", phase="Syncing", **counts(total, segment + 1, sent), held_by="disk")
        say("progress", phase="Processing", **counts(total, total, sent))
        time.sleep(script.get("process", 0.0))
        known.unlink()  # the next run finds everything changed
        publish(home, {**description, **script})
        if script.get("die_after_publish"):
            os.kill(os.getpid(), signal.SIGKILL)
    numbers = counts(total, total, sent)
    say(
        "result",
        image={
            "id": description["image"],
            "root": "0" * 64,
            "consistency": script.get("consistency", "stopped"),
            "reason": "scripted",
            "bytes": sum(disk["size"] for disk in description["source"]["disks"]),
            "disks": description["source"]["disks"],
        },
        **{f"bytes_{name}": count for name, count in numbers.items()},
        bytes_stored=sent,
        hash="blake3",
        footprint={},
        **script.get("said", {"change_detection": "full comparison"}),
    )
    return 0


def run_images(description, script, ears):
    for step in range(script.get("segments", 3)):
        ears.check()
        if script.get("hold_at") == step:
            hold(Path(description["home"]), ears)
        if script.get("die_at") == step:
            os.kill(os.getpid(), signal.SIGKILL)
        if script.get("fail_at") == step:
            say("error", code=script["code"], detail="as scripted", facts={})
            return 1
        time.sleep(script.get("pace", 0.0))
        say("progress", done=step + 1, total=script.get("segments", 3))
    say("result", do=description["do"], image=description.get("image"))
    return 0


def run_drill(description, script, ears):
    """Pass at once; ``level`` is what its one item has, ``hold``: stays there first."""
    say("progress", step="Looking", done=0, total=1)
    if script.get("hold"):
        hold(Path(description["home"]), ears)
    if script.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if "code" in script:
        say("error", code=script["code"], detail="as scripted", facts={})
        return 1
    item = {
        "area": "source",
        "name": "Scripted",
        "level": script.get("level", "Passed"),
        "finding": "as scripted",
        "threshold": "",
        "advice": "",
    }
    report = {"at": description["at"], "seconds": 0.1, "items": [item], "estimate": {}}
    say("result", report=script.get("report", report))
    return 0


def have_words(description, home):
    """Visit or tidy: say what ``fake/visit.json`` or ``fake/tidy.json`` has for it."""
    path = home / "fake" / f"{description['do']}.json"
    line = json.loads(path.read_text()) if path.exists() else {"kind": "result", "kept": True}
    print(json.dumps(line), flush=True)


def main():
    description = json.loads(sys.stdin.readline())
    home = Path(description["home"])
    with (home / "fake" / "described.jsonl").open("a") as out:
        out.write(json.dumps(description) + "\n")
    if description.get("do") in ("visit", "tidy"):
        have_words(description, home)
        return 0
    script = next_script(home)
    ears = Ears(script, home)
    work = {"sync": run_sync, "drill": run_drill, "images": run_images}[sys.argv[1]]
    try:
        return work(description, script, ears)
    except Stopped as stopped:
        if str(stopped) == "cancel":
            say("cancelled")
        else:
            say("paused")
        return 0


if __name__ == "__main__":
    sys.exit(main())
