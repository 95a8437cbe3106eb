"""The requests of this part, on the disks that the agent has open."""

import concurrent.futures
import fcntl
import glob
import json
import os
import struct
import subprocess
import time
import zlib

from smc_tui.source.live.keeper import FROZEN_MOST, Keeper
from smc_tui.source.live.marks import PAGE, Doubt, Runs, frames, without
from smc_tui.source.live.mounts import flush, free_extents, mounts, number_of, swaps
from smc_tui.source.live.pages import PageReader
from smc_tui.source.live.trace import Place, Trace, remove_record, tracing

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878  # linux/fs.h
FROZEN_READ = 1.5  # s after which the reading is given up, so that the thaw is ours
READERS = 4
MAP_ROWS = 1 << 16
ZEROS = 3  # an encoding beside those of blocks: all pages of the frame are zeros, none is sent
LOOSE = 0x8000  # beside a disk's number: pages that are only loosely marked


class HookFailed(Exception):
    """A command of the operator's before or after the freeze."""


class Live:
    """The requests of this part, on an agent's open disks."""

    def __init__(self, agent, refusal):
        self.agent = agent
        self.refusal = refusal
        self.trace = None
        self.keeper = None
        self.readers = {}
        self.pool = concurrent.futures.ThreadPoolExecutor(READERS)

    def serve(self, body):
        """Answer one request."""
        asked = json.loads(body.decode())
        verbs = {
            "survey": self.survey,
            "trace": self.record,
            "free": self.free,
            "mark": self.mark,
            "take": self.take,
            "hand_over": self.hand_over,
            "loose": self.loose,
            "freeze": self.freeze,
            "settle": self.settle,
            "forget": self.forget,
        }
        if asked.get("do") not in verbs:
            raise self.refusal("Protocol.Malformed", "nothing to do for %r" % asked.get("do"))
        try:
            answer = verbs[asked["do"]](asked)
        except Doubt as doubt:
            answer = {"doubt": str(doubt)}
        except OSError as error:
            answer = {"doubt": "%s: %s" % (error.filename or "reading", error.strerror)}
        self.agent.channel.write_json(b"l", answer)

    def disks(self):
        """Return the block devices among the open disks."""
        return {index: disk for index, disk in self.agent.disks.items() if disk.is_block}

    def mounted(self):
        """Return what is mounted from them, deepest first."""
        return mounts({number_of(disk.device) for disk in self.disks().values()})

    def survey(self, _asked):
        """Tell what is in use, and what can be done about it."""
        told = {}
        for index, disk in self.disks().items():
            here = number_of(disk.device)
            told[str(index)] = [
                [each.path, each.kind, each.freezable and each.found()] for each in mounts({here})
            ]
        return {"root": os.getuid() == 0, "tracing": bool(tracing()), "mounted": told}

    def record(self, asked):
        """Begin to record under a name, or go on with what is recorded under it."""
        root = tracing()
        if not root:
            return {"doubt": "tracefs is not mounted"}
        self.keeper = self.keeper or Keeper()
        if self.trace is not None:
            self.trace.close()
        places = {index: Place(disk) for index, disk in self.disks().items()}
        self.trace = Trace(root, asked["name"], places)
        self.forget(asked, but=self.trace.path)
        self.keeper.tell("record", [self.trace.path, False])
        found = os.path.isdir(self.trace.path)
        if found and not asked["go_on"]:
            remove_record(self.trace.path)
            found = False
        if not found:
            self.trace.begin(asked["buffer_kb"])
        fill = self.trace.fill()
        self.trace.open()
        self.trace.drain()
        marked = {str(index): runs.count() for index, runs in self.trace.marks.items()}
        return {"found": found, "marked": marked, "events": self.trace.events, "fill": fill}

    def forget(self, asked, but=None):
        """End all records whose names begin so, whoever left them."""
        root = tracing()
        for left in glob.glob(glob.escape(root + "/instances/" + asked["family"]) + "*"):
            if left != but:
                remove_record(left)
        return {}

    def free(self, asked):
        """Send which pages of a disk no file system uses."""
        disk = self.agent.disks[asked["disk"]]
        here, sent = number_of(disk.device), 0
        for each in mounts({here}):
            start = each.start(here)
            if start is None or not each.found():
                continue
            runs = Runs()
            try:
                for at, length in free_extents(each):
                    first, end = -(-(start + at) // PAGE), (start + at + length) // PAGE
                    runs.add([(first, end)] if first < end else [])
            except OSError:
                continue  # a file system that does not tell
            sent += self.send_pairs(asked["disk"], runs.take())
        return {"pages": sent}

    def send_pairs(self, index, pairs):
        """Send which pages, not what is in them; return how many they are."""
        for at in range(0, len(pairs), MAP_ROWS):
            rows = b"".join(struct.pack("<QQ", *pair) for pair in pairs[at : at + MAP_ROWS])
            self.agent.channel.write(b"m", struct.pack("<H", index), rows)
        return sum(end - first for first, end in pairs)

    # Marks

    def mark(self, asked):
        """Mark pages as written: they were, as an earlier visit was told."""
        marks = self.trace.loose if asked["loose"] else self.trace.marks
        runs, pages = marks[asked["disk"]], self.trace.places[asked["disk"]].pages
        runs.add([(first, min(end, pages)) for first, end in asked["pairs"] if first < pages])
        return {}

    def hand_over(self, _asked):
        """Send all marks; what is written from now on stays in the kernel."""
        with self.trace.lock:
            self.trace.drain()
            self.trace.close()
            self.trace.all_done()  # whoever goes on does not know of them
            taken = {index: runs.take() for index, runs in self.trace.marks.items()}
        pages = sum(self.send_pairs(index, pairs) for index, pairs in taken.items())
        self.loose(_asked)
        return {"pages": pages, "events": self.trace.events}

    def loose(self, _asked):
        """Send which pages are loosely marked; they stay so."""
        for index, runs in self.trace.loose.items():
            self.send_pairs(index | LOOSE, runs.all())
        return {}

    # Pages

    def take(self, asked):
        """Send what was written since it was read, up to a number of pages."""
        if asked.get("flush"):
            self.flush()
        self.trace.drain()
        left = asked["most"]
        # What is only loosely marked comes where there is room for it.
        for marks in (self.trace.marks, self.trace.loose):
            for index, runs in marks.items():
                pairs = runs.take(left)
                left -= sum(end - first for first, end in pairs)
                for batch in frames(pairs):
                    self.send(index, batch, self.read(index, batch), asked["level"])
        self.trace.drain()
        marked = sum(runs.count() for runs in self.trace.marks.values())
        return {"taken": asked["most"] - left, "marked": marked, "events": self.trace.events}

    def read(self, index, pairs):
        """Return the bytes of pages, read by several threads."""
        if index not in self.readers:
            self.readers[index] = PageReader(self.agent.disks[index])
        return list(self.pool.map(self.readers[index].read, pairs))

    def send(self, index, pairs, contents, level):
        """Send one frame of pages."""
        rows = b"".join(struct.pack("<QI", first, end - first) for first, end in pairs)
        encoding, payload = 0, b"".join(contents)
        if not any(map(any_set, contents)):
            encoding, payload, level = ZEROS, b"", 0
        if level:
            packer = self.agent.zstd
            packed = (
                packer.ZstdCompressor(level=level).compress(payload)
                if packer is not None
                else zlib.compress(payload, min(level, 9))
            )
            if len(packed) < len(payload) * 15 // 16:
                encoding, payload = (1 if packer is not None else 2), packed
        with self.agent.lock:
            self.agent.bytes_read += sum(map(len, contents))
        head = struct.pack("<HBH", index, encoding, len(pairs))
        self.agent.channel.write(b"g", head, rows, payload)

    # The instant

    def flush(self):
        """Write everything out beforehand, so that little is left for the freeze; seconds."""
        began = time.monotonic()
        for each in self.mounted():
            handle = os.open(each.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                flush(handle)
            finally:
                os.close(handle)
        return time.monotonic() - began

    def freeze(self, asked):
        """Read the last pages while all file systems of all disks stand still."""
        found = self.mounted()
        lost = [each.path for each in found if each.freezable and not each.found()]
        if lost:
            return refused("%s is hidden by another mount" % lost[0])
        hook = Hook(asked.get("before"), asked.get("after"), asked["timeout"], self.keeper)
        try:
            hook.before()
        except HookFailed as error:
            hook.after()
            return refused(str(error))
        try:
            took = self.flush()
            if took > asked["flush_most"]:
                return refused("a flush took %.1f s" % took, again=True)
            return self.at_once([each for each in found if each.freezable], asked)
        finally:
            hook.after()

    def at_once(self, found, asked):
        """Freeze, read, thaw; what was read is sent when nothing stands still any more."""
        read, states, reason = [], {}, ""
        handles = [os.open(each.path, os.O_RDONLY | os.O_CLOEXEC) for each in found]
        self.keeper.tell("open", [each.path for each in found])
        self.keeper.tell("arm", FROZEN_MOST)
        frozen, began = [], time.monotonic()
        try:
            for handle, each in zip(handles, found):
                try:
                    fcntl.ioctl(handle, FIFREEZE, 0)
                    frozen.append(handle)
                except OSError as error:
                    reason = "%s cannot be frozen: %s" % (each.path, error.strerror)
                    break
            if not reason:
                reason = self.last_pages(read, began + FROZEN_READ, asked["most"])
            if not reason:
                states = {str(i): disk.state() for i, disk in self.agent.disks.items()}
                # What is written from the thaw on is the next image's: it stays in the kernel.
                self.trace.close()
        finally:
            whole = thaw(frozen)
            took = time.monotonic() - began
            self.keeper.tell("disarm")
            for handle in handles:
                os.close(handle)
        if not whole and not reason:
            reason = "a file system was thawed before its time"
            self.trace.open()
        self.loose(asked)
        pages = 0
        for index, batch, contents in read:
            pages += sum(end - first for first, end in batch)
            self.send(index, batch, contents, asked["level"])
        return {
            "frozen": not reason,
            "again": bool(reason),
            "reason": reason,
            "seconds": took,
            "pages": pages,
            "events": self.trace.events,
            "states": states,
        }

    def last_pages(self, read, limit, most):
        """Read all marked pages until there are none; return why that did not succeed."""
        for _ in range(3):
            self.trace.drain()
            self.trace.all_done()
            left = 0
            for index, runs in self.trace.marks.items():
                swap = swaps(self.trace.places[index].disk)
                pairs = runs.take()
                count = sum(end - first for first, end in pairs)
                most -= count
                left += sum(end - first for first, end in without(pairs, swap))
                if most < 0:
                    runs.add(pairs)
                    return "too much was written at the last moment"
                batches = list(frames(pairs))
                for number, batch in enumerate(batches):
                    if time.monotonic() > limit:
                        for late in batches[number:]:
                            runs.add(late)
                        return "reading what was written last took too long"
                    read.append((index, batch, self.read(index, batch)))
            if not left:
                return ""
        return "something writes past the frozen file systems"

    def settle(self, asked):
        """Keep the record for the next agent, or end it."""
        if self.trace is None:
            return {"kept": False}
        self.trace.close()
        if asked["keep"]:
            self.keeper.tell("record", [self.trace.path, True])
        else:
            self.trace.remove()
        return {"kept": bool(asked["keep"])}


def any_set(content):
    """Tell whether there is anything but zeros in pages."""
    return content != bytes(len(content))


def refused(reason, again=False):
    """Return the answer to a freeze that was not begun."""
    return {"frozen": False, "again": again, "reason": reason, "seconds": 0.0, "pages": 0}


def thaw(frozen):
    """Thaw in the opposite order; return whether each had been frozen until now."""
    whole = True
    for handle in reversed(frozen):
        try:
            fcntl.ioctl(handle, FITHAW, 0)
        except OSError:
            whole = False
    return whole


class Hook:
    """A command before the freeze, and the one that undoes it, which runs in any case."""

    def __init__(self, before, after, timeout, keeper):
        self.first, self.last, self.timeout, self.keeper = before, after, timeout, keeper
        self.begun = False
        self.failed = ""

    def before(self):
        """Run the first; the keeper knows the second before it begins.

        Raises:
            HookFailed: it failed, or took too long.
        """
        if not self.first:
            return
        if self.last:
            self.keeper.tell("undo", [self.last, self.timeout])
        self.begun = True
        self.run(self.first)

    def after(self):
        """Undo it."""
        if self.begun and self.last:
            try:
                self.run(self.last)
            except HookFailed as error:
                self.failed = str(error)
            self.keeper.tell("undo", None)

    def run(self, words):
        """Run a command."""
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise HookFailed("%s: %s" % (words[0], error.strerror)) from None
        try:
            status = process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise HookFailed("%s took longer than %g s" % (words[0], self.timeout)) from None
        if status:
            raise HookFailed("%s ended with status %d" % (words[0], status))


def attach(agent, refusal):
    """Return the handlers that this part adds to an agent."""
    return {b"L": Live(agent, refusal).serve}
