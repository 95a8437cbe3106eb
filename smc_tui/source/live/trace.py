"""The kernel's record of writes: a tracefs instance of our own.

A page is marked when a write to it is *done*: whoever read it before then reads it again.
Devices with queues of their own (``rq``) say that of every part of every request. All
others (``bio``: device-mapper, software RAID) say it of what is left of a write when the
kernel has cut it up or used it up, nothing at worst; only where it ends stays the same.
So their writes are remembered from when they are queued (``UnderWay``), and the end of
one marks all of it.

What is discarded is marked apart, loosely. Its file system has given it up: whatever
such a page holds from then on is right, until it is written again, which marks it.

What may go wrong is noticed: events the kernel had no room for are counted by it, and a
line that is not understood counts as lost. Each of these ends in a ``Doubt``.
"""

import glob
import os
import re
import select
import threading

from smc_tui.source.live.marks import PAGE, SECTORS, Doubt, Runs
from smc_tui.source.live.mounts import device_of, number_of, read_text, sysfs

UNDER_WAY = 1 << 18  # writes, far more than any device has under way
DRAIN_EVERY = 0.05  # s between two looks at the record
TRACING = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
EVENTS = {"rq": ("block_rq_complete",), "bio": ("block_bio_queue", "block_bio_complete")}
EVENT = re.compile(
    rb"block_(?:rq|bio)_(\w+): (\d+),(\d+) ([A-Z]+) (?:\d+ )?(?:\([^)\n]*\) )?(\d+) \+ (\d+) "
)
EVENT_NAME = re.compile(rb"block_(?:rq|bio)_(?:queue|complete): ")
LOST = re.compile(rb"LOST|lost")


def tracing():
    """Return where tracefs is, empty where it is not."""
    for root in TRACING:
        if os.path.isdir(root + "/instances") and os.path.isdir(root + "/events/block"):
            return root
    return ""


def write_text(path, text):
    """Write a setting of the kernel."""
    with open(path, "w") as file:
        file.write(text)


class Place:
    """Where a disk's events come from, and what a sector of theirs is on it."""

    def __init__(self, disk):
        self.disk = number_of(disk.device)
        self.pages = -(-disk.size // PAGE)
        place = os.path.realpath(sysfs(self.disk))
        self.device, self.start = self.disk, 0
        if os.path.exists(place + "/partition"):
            self.device = device_of(os.path.dirname(place) + "/dev")
            self.start = int(read_text(place + "/start"))
            place = os.path.dirname(place)
        # What has no queues of its own hands its requests on: only the other events tell.
        self.events = "rq" if os.path.isdir(place + "/mq") else "bio"

    def pair(self, sector, count):
        """Return the pages that a request touches."""
        sector -= self.start
        first, end = sector // SECTORS, -(-(sector + count) // SECTORS)
        return max(0, first), min(self.pages, end)


class UnderWay:
    """Writes of one disk that were queued and are not done, by the sector they end at."""

    def __init__(self):
        self.ends = {}

    def queued(self, sector, count):
        """Remember a write."""
        first, many = self.ends.get(sector + count, (sector, 0))
        self.ends[sector + count] = (min(first, sector), many + 1)

    def done(self, sector, count):
        """Return what a write that is done has written, which may be more than is left of it."""
        end = sector + count
        first, many = self.ends.get(end, (sector, 0))
        if many > 1:
            self.ends[end] = (first, many - 1)
        elif many:
            del self.ends[end]
        return min(first, sector), end - min(first, sector)

    def take(self):
        """Forget all writes, and return them."""
        taken = [(first, end - first) for end, (first, _) in self.ends.items()]
        self.ends = {}
        return taken


class Trace:
    """The kernel's record of writes: a tracefs instance of our own."""

    def __init__(self, root, name, places):
        self.path = os.path.join(root, "instances", name)
        self.places = places
        self.marks = {index: Runs() for index in places}
        self.loose = {index: Runs() for index in places}
        self.under_way = {index: UnderWay() for index in places}
        self.by_device = {}
        for index, place in places.items():
            self.by_device.setdefault(place.device, []).append((index, place))
        self.lock = threading.RLock()
        self.events = 0
        self.doubt = ""
        self.pipe = None
        self.rest = b""

    def begin(self, total_kb):
        """Make the instance and start recording."""
        os.mkdir(self.path, 0o700)
        write_text(self.path + "/buffer_size_kb", str(max(1024, total_kb // os.cpu_count())))
        devices = " || ".join(
            "dev == %d" % (major << 20 | minor) for major, minor in sorted(self.by_device)
        )
        # Reads, our own among them, are left out; everything that may change a disk is in.
        wanted = '(%s) && !(rwbs ~ "R*")' % devices
        for option in ("context-info", "irq-info"):
            if os.path.exists(self.path + "/options/" + option):
                write_text(self.path + "/options/" + option, "0")
        for kind in {place.events for place in self.places.values()}:
            for event in EVENTS[kind]:
                folder = "%s/events/block/%s" % (self.path, event)
                write_text(folder + "/filter", wanted)
                write_text(folder + "/enable", "1")
        write_text(self.path + "/tracing_on", "1")

    def fill(self):
        """Return how full the kernel's buffer is, as a share of the fullest processor's."""
        size = int(read_text(self.path + "/buffer_size_kb").split()[0]) * 1024
        most = 0
        for path in glob.glob(glob.escape(self.path) + "/per_cpu/cpu*/stats"):
            for line in read_text(path).split("\n"):
                name, _, value = line.partition(":")
                most = max(most, int(value) if name == "bytes" else 0)
        return most / size

    def open(self):
        """Begin to read the record, in a thread of its own."""
        self.pipe = os.open(self.path + "/trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        """Take the record in before the kernel has to drop any of it."""
        poll = select.poll()
        while self.pipe is not None and not self.doubt:
            poll.poll(DRAIN_EVERY * 1000)
            try:
                self.drain()
            except Doubt:
                return

    def drain(self):
        """Take in everything that has happened until now.

        Raises:
            Doubt: not all of it is there.
        """
        with self.lock:
            while self.pipe is not None and not self.doubt:
                try:
                    text = os.read(self.pipe, 1 << 20)
                except BlockingIOError:
                    break
                except OSError as error:
                    self.doubt = "the record cannot be read: %s" % error.strerror
                    break
                if not text:
                    break
                self.take_in(text)
            self.check()

    def take_in(self, text):
        """Mark what a piece of the record tells."""
        whole, newline, rest = (self.rest + text).rpartition(b"\n")
        self.rest = rest
        whole += newline
        found = EVENT.findall(whole)
        if len(found) != len(EVENT_NAME.findall(whole)) or LOST.search(whole):
            self.doubt = "the kernel lost events"
        self.events += len(found)
        gathered = {}
        for what, major, minor, kind, sector, count in found:
            if kind[:1] != b"R":
                which = (int(major), int(minor), b"D" in kind)
                gathered.setdefault(which, []).append((what, int(sector), int(count)))
        for (major, minor, discarded), requests in gathered.items():
            for index, place in self.by_device.get((major, minor), ()):
                self.mark(index, place, requests, discarded)

    def mark(self, index, place, requests, discarded):
        """Mark what requests to a disk have written, in the order in which they came."""
        if place.events == "bio":
            under_way, whole = self.under_way[index], []
            for what, sector, count in requests:
                if what == b"complete":
                    whole.append(under_way.done(sector, count))
                elif count:
                    under_way.queued(sector, count)
            if len(under_way.ends) > UNDER_WAY:
                self.doubt = "the device does not say when its writes are done"
        else:
            whole = [(sector, count) for _, sector, count in requests]
        self.add(self.loose if discarded else self.marks, index, whole)

    def add(self, marks, index, requests):
        """Mark the pages of requests, each (sector, count)."""
        pairs = (self.places[index].pair(*request) for request in set(requests) if request[1])
        marks[index].add([pair for pair in pairs if pair[0] < pair[1]])

    def all_done(self):
        """Mark what was queued and never said to be done; true while nothing can be written."""
        with self.lock:
            for index, under_way in self.under_way.items():
                self.add(self.marks, index, under_way.take())

    def check(self):
        """Ask the kernel whether it had to leave anything out."""
        for path in glob.glob(glob.escape(self.path) + "/per_cpu/cpu*/stats"):
            for line in read_text(path).split("\n"):
                name, _, value = line.partition(":")
                if name in ("overrun", "commit overrun", "dropped events") and value.strip() != "0":
                    self.doubt = self.doubt or "the kernel had no room for all events"
        if not os.path.isdir(self.path):
            self.doubt = self.doubt or "the record is gone"
        if self.doubt:
            raise Doubt(self.doubt)

    def close(self):
        """Stop reading; what happens from now on stays in the kernel."""
        with self.lock:
            if self.pipe is not None:
                os.close(self.pipe)
                self.pipe = None

    def remove(self):
        """End the record."""
        self.close()
        remove_record(self.path)


def remove_record(path):
    """Remove an instance; one that is read by somebody at this moment stays."""
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True
