"""The reading program: the one file that runs on the source, from memory.

Python 3.6 or later, standard library only. It arrives over the connection's
standard input, opens disks read-only, hashes them, sends the blocks it is asked
for, and ends with the connection; it writes no file and needs no port, user or
package. It only ever answers: what to read, when, and how much may be under way
is decided by the other side, so pause, speed limit and back-pressure are all
one thing, the window of outstanding requests.

Messages are frames: kind (1 byte), length (4 bytes, little-endian), body. The
other side of this table is ``protocol.py``.

    to the agent                           from the agent
    H config (JSON)                        h hello (JSON)
    X name, NUL, zlib(module)              o disk opened (JSON)
    O open a disk (JSON)                   a answer: what differs in a segment
    S scan a segment                       d data: blocks of a segment
    W want: send these blocks              p ping payload
    P ping (u32 bytes to send back)        f final state and footprint (JSON)
    F final: state of the disks, please    e error (JSON), the last frame
    L disks in use (JSON): see live/       g pages, m free pages, l answer (JSON)

How a segment (16 MiB) is compared. It is read in chunks of 1 MiB; a chunk whose
digest is the expected one is forgotten at once. A chunk that differs is named
block by block (64 KiB) *from the very buffer that is then kept* until the other
side has said which of its blocks it wants: what is sent is what was hashed,
however often the disk changes meanwhile.

Memory. All buffers come out of one pool. A scan is only begun with a whole
segment's worth of them reserved, so no two workers can each wait for buffers
that the other holds; kept chunks are freed by the W that every answer with
differences is owed, and a worker that could not begin a scan takes up a W.
"""

import collections
import fcntl
import hashlib
import importlib.machinery
import importlib.util
import json
import mmap
import os
import platform
import resource
import stat
import struct
import sys
import sysconfig
import threading
import types
import zlib

VERSION = 1
BLOCK = 1 << 16
CHUNK = 1 << 20
SEGMENT = 1 << 24
CHUNKS = SEGMENT // CHUNK
BLOCKS = CHUNK // BLOCK
RESERVES = 4  # segments that may be read or kept at once: 64 MiB of buffers
MOST_FRAME = 4 << 20  # largest frame that is accepted: an extension module
DATA_FRAME = 64  # blocks in one data frame: 4 MiB, so that the reader's buffer stays small
NO_EXPECTATION, EXPECT_ZERO, EXPECT_DIGESTS = 0, 1, 2
RAW, ZSTD, ZLIB = 0, 1, 2
BLKSSZGET = 0x1268  # linux/fs.h: logical sector size
F_SETPIPE_SZ = 1031  # linux/fcntl.h
BOOT_ID = "/proc/sys/kernel/random/boot_id"
THIS_PROCESS = "%032x" % int.from_bytes(os.urandom(16), "big")  # equal to nothing elsewhere


class Refusal(Exception):
    """An error with a code of the catalogue; becomes the last frame."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Channel:
    """Frames in and out; writing is locked, reading belongs to one thread."""

    def __init__(self, source, sink):
        self.source = source
        self.sink = sink
        self.lock = threading.Lock()
        try:
            fcntl.fcntl(sink, F_SETPIPE_SZ, 1 << 20)
        except OSError:
            pass  # no pipe, or the limit is lower: only speed is lost

    def read(self):
        """Return (kind, body) of the next frame; None at the end."""
        head = self.source.read(5)
        if len(head) < 5:
            return None
        kind, length = struct.unpack("<cI", head)
        if length > MOST_FRAME:
            raise Refusal("Protocol.Malformed", "a frame of %d bytes" % length)
        body = self.source.read(length)
        return None if len(body) < length else (kind, body)

    def write(self, kind, *parts):
        """Write one frame whose body is the parts, none of them copied."""
        length = sum(len(part) for part in parts)
        with self.lock:
            self._all(struct.pack("<cI", kind, length))
            for part in parts:
                self._all(part)

    def write_json(self, kind, value):
        """Write one frame whose body is JSON."""
        self.write(kind, json.dumps(value).encode())

    def _all(self, data):
        view = memoryview(data)
        while len(view):
            view = view[os.write(self.sink, view) :]


class Blake3:
    """Digests where blake3 is there: a chunk is hashed whole, which is fastest."""

    name = "blake3"

    def __init__(self, module):
        self.new = module.blake3

    def chunk(self, view):
        """Return (digest of the chunk, digests of its blocks or None)."""
        return self.new(view).digest(), None

    def blocks(self, view):
        """Return the digests of a chunk's 16 blocks."""
        new = self.new
        return [new(view[at : at + BLOCK]).digest() for at in range(0, CHUNK, BLOCK)]


class Blake2b:
    """The standard library's digests: a chunk is hashed over its blocks' digests."""

    name = "blake2b"

    def chunk(self, view):
        """Return (digest of the chunk, digests of its blocks)."""
        blocks = self.blocks(view)
        return hashlib.blake2b(b"".join(blocks), digest_size=32).digest(), blocks

    def blocks(self, view):
        """Return the digests of a chunk's 16 blocks."""
        new = hashlib.blake2b
        return [
            new(view[at : at + BLOCK], digest_size=32).digest() for at in range(0, CHUNK, BLOCK)
        ]


def load_extension(name, packed):
    """Load an extension module from memory (a memfd: no disk is touched), or None."""
    if not hasattr(os, "memfd_create"):  # novermin
        return None
    handle = os.memfd_create(name)  # novermin
    try:
        view = memoryview(zlib.decompress(packed))
        while len(view):
            view = view[os.write(handle, view) :]
        path = "/proc/self/fd/%d" % handle
        loader = importlib.machinery.ExtensionFileLoader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        return module
    except (ImportError, OSError, zlib.error):
        return None  # another C library, or no memfd may be executed here
    finally:
        os.close(handle)


def most_memory():
    """Return the most memory this process has had, in bytes.

    Not ru_maxrss: that remembers the process which started this one.
    """
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def find_module(name):
    """Return an installed module or None, whatever is wrong with it."""
    try:
        return importlib.import_module(name)
    except Exception:  # a broken package of the source must not end the run
        return None


def system_start():
    """Return what tells one start of the system from another."""
    try:
        with open(BOOT_ID) as file:
            return file.read().strip() or THIS_PROCESS
    except OSError:
        return THIS_PROCESS


class Disk:
    """One disk or image file, read-only.

    Block devices are read past the page cache (O_DIRECT): their page cache does
    not see what a mounted file system writes and would serve stale blocks.
    """

    def __init__(self, path):
        self.path = path
        try:
            found = os.stat(path)
            self.is_block = stat.S_ISBLK(found.st_mode)
            if not self.is_block and not stat.S_ISREG(found.st_mode):
                raise Refusal("Disk.NotFound", "%s is neither a disk nor a file" % path)
            self.handle, self.direct = self._open()
        except OSError as error:
            code = "Disk.NotFound" if error.errno in (2, 6, 20) else "Disk.ReadFailed"
            # The disk's health is not to blame then, as the next step would have one think.
            denied = " (withheld by a container or a policy)" if error.errno in (1, 13) else ""
            raise Refusal(code, "%s: %s%s" % (path, error.strerror, denied)) from None
        self.device = found.st_rdev if self.is_block else None
        self.size = os.lseek(self.handle, 0, os.SEEK_END)

    def _open(self):
        if self.is_block:
            try:
                return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT), True
            except OSError as error:
                if error.errno != 22:
                    raise
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), False

    def sysfs(self, name):
        """Return a fact of sysfs as text, empty where there is none."""
        path = "/sys/dev/block/%d:%d/%s" % (os.major(self.device), os.minor(self.device), name)
        try:
            with open(path) as file:
                return file.read().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def identity(self):
        """Return what tells this disk from another one in its place."""
        if not self.is_block:
            found = os.fstat(self.handle)
            return {"device": found.st_dev, "inode": found.st_ino}
        names = ("device/serial", "serial", "wwid", "device/wwid", "dm/uuid", "loop/backing_file")
        facts = {name: self.sysfs(name) for name in names}
        return {name: fact for name, fact in facts.items() if fact}

    def state(self):
        """Return what changes when anything is written: equal states, nothing was.

        Also between two agents with nobody looking in between. A device's counts begin
        anew with the system and with the device itself, and a crash may undo what a file
        had; so which start of the system and which device they are of stands beside them.
        """
        if not self.is_block:
            found = os.fstat(self.handle)
            return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, system_start()]
        fields = self.sysfs("stat").split()
        # Documentation/block/stat.rst: sectors written, writes in flight, sectors discarded.
        counts = [fields[6:7], fields[13:14], self.sysfs("inflight").split()[1:2]]
        return [self.size] + counts + [system_start(), self.instance()]

    def instance(self):
        """Return what no other device has had in this place since the system started.

        The kernel numbers disks from 5.15 on. Before, what tells is the inode number in
        sysfs, which from 4.14 on is not given out a second time.
        """
        number = self.sysfs("diskseq")
        if number:
            return number
        try:
            release = [int(part) for part in platform.release().split("-")[0].split(".")[:2]]
            if release < [4, 14]:
                return THIS_PROCESS
            place = "/sys/dev/block/%d:%d" % (os.major(self.device), os.minor(self.device))
            return "inode %d" % os.stat(place).st_ino
        except (OSError, ValueError):
            return THIS_PROCESS

    def facts(self):
        """Return what the other side is told of the disk."""
        sector = 512
        if self.is_block:
            answer = fcntl.ioctl(self.handle, BLKSSZGET, struct.pack("i", 0))
            sector = struct.unpack("i", answer)[0]
        return {
            "path": self.path,
            "size": self.size,
            "sector_size": sector,
            "block_device": self.is_block,
            "identity": self.identity(),
            "state": self.state(),
        }

    def data_from(self, offset):
        """Return where the next data is at or after the offset: holes are not read."""
        if self.is_block:
            return offset
        try:
            return os.lseek(self.handle, offset, os.SEEK_DATA)
        except OSError as error:
            return self.size if error.errno == 6 else offset  # ENXIO: no more data

    def reader(self):
        """Return a file of its own position for one thread.

        preadv would need no position, but is younger than Python 3.6.
        """
        return open("/proc/self/fd/%d" % self.handle, "rb", 0, opener=self._reopen)

    def _reopen(self, path, flags):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | (os.O_DIRECT if self.direct else 0))

    def mapped(self, segment):
        """Return a segment of an image file as it lies in the page cache, or None.

        Only to see quickly, without a copy, that nothing has changed. It may
        change under the hand that reads it, so nothing is sent from it.
        """
        end = (segment + 1) * SEGMENT
        if self.is_block or end > min(self.size, os.fstat(self.handle).st_size):
            return None
        start = segment * SEGMENT
        return memoryview(mmap.mmap(self.handle, SEGMENT, access=mmap.ACCESS_READ, offset=start))

    def read_chunk(self, file, offset, view):
        """Fill the view (1 MiB) from the offset; zeros past the disk's end."""
        wanted = max(0, min(CHUNK, self.size - offset))
        done = 0
        try:
            file.seek(offset)
            while done < wanted:
                count = file.readinto(view[done:])
                if not count:
                    raise Refusal("Disk.Shrank", "%s ends at %d" % (self.path, offset + done))
                done += count
        except OSError as error:
            raise Refusal(
                "Disk.ReadFailed", "%s at %d: %s" % (self.path, offset + done, error.strerror)
            ) from None
        if wanted < CHUNK:
            view[wanted:] = bytes(CHUNK - wanted)


class Desk:
    """What is to be done next, and the buffers to do it with.

    A worker is handed a W whenever there is one, for it frees buffers, and an S
    only together with a whole segment's reservation: nobody waits for buffers
    with a request in hand.
    """

    def __init__(self):
        self.scans = collections.deque()
        self.wants = collections.deque()
        self.left = RESERVES * CHUNKS
        self.free = []
        self.changed = threading.Condition()

    def put(self, kind, body):
        """Queue a request."""
        with self.changed:
            (self.wants if kind == b"W" else self.scans).append(body)
            self.changed.notify()

    def next(self):
        """Wait for (kind, body) of what can be done now; an S has its buffers reserved."""
        with self.changed:
            while True:
                if self.wants:
                    return b"W", self.wants.popleft()
                if self.scans and self.left >= CHUNKS:
                    self.left -= CHUNKS
                    return b"S", self.scans.popleft()
                self.changed.wait()

    def take(self):
        """Return a free buffer; a reservation stands behind every call."""
        with self.changed:
            if self.free:
                return self.free.pop()
        # Anonymous memory of its own: page-aligned, as O_DIRECT wants it.
        return memoryview(mmap.mmap(-1, CHUNK))

    def release(self, count, buffers):
        """End a reservation and give back the buffers that stood on it."""
        with self.changed:
            self.left += count
            self.free.extend(buffers)
            self.changed.notify_all()


class Kept:
    """The chunks of an answered segment, until every W for it has been served.

    Two workers may serve two slices of one segment at once, so the one that
    ends last frees the buffers: a W is counted in when it arrives, by the one
    thread that takes requests in, and out when it has been sent. A W carries
    what it is of with it, and the last one takes that off the table as it
    arrives: a scan of the same segment that follows on its heels, and may be
    done before it, puts its own there.
    """

    def __init__(self, chunks):
        self.chunks = chunks
        self.owed = 0
        self.closed = False


class Agent:
    """Workers that read, hash and send; one thread that takes requests in."""

    def __init__(self, channel):
        self.channel = channel
        self.disks = {}
        self.hasher = Blake2b()
        self.zstd = None
        self.desk = Desk()
        self.kept = {}  # (disk, segment) -> Kept
        self.bytes_read = 0
        self.lock = threading.Lock()

    # Requests

    def hello(self):
        """Say what this Python is, so that the other side knows what it may send."""
        self.channel.write_json(
            b"h",
            {
                "version": VERSION,
                "python": list(sys.version_info[:3]),
                "abi": sysconfig.get_config_var("EXT_SUFFIX"),
                "libc": platform.libc_ver()[0],
                "blake3": find_module("blake3") is not None,
                "processors": len(os.sched_getaffinity(0)),
                "user": os.getuid(),
            },
        )

    def serve(self):
        """Take requests until the connection ends."""
        self.handlers = {
            b"H": self.configure,
            b"X": self.extend,
            b"O": self.open,
            b"S": self.scan_later,
            b"W": self.send_later,
            b"P": self.ping,
            b"F": self.finish,
        }
        self.hello()
        while True:
            frame = self.channel.read()
            if frame is None:
                return
            kind, body = frame
            if kind not in self.handlers:
                raise Refusal("Protocol.Malformed", "a frame of kind %r" % kind)
            self.handlers[kind](body)

    def configure(self, body):
        """Start the workers; from here on digests are of the hash named in the answer."""
        wanted = json.loads(body.decode())
        module = sys.modules.get("smc_blake3") or find_module("blake3")
        if module is not None and wanted.get("hash") == "blake3":
            self.hasher = Blake3(module)
        if self.zstd is None:
            self.zstd = find_module("zstandard")
        self.zero_chunk = self.hasher.chunk(bytes(CHUNK))[0]
        count = max(1, min(int(wanted.get("threads", 4)), len(os.sched_getaffinity(0))))
        for _ in range(count):
            threading.Thread(target=guarded, args=(self.channel, self.work), daemon=True).start()
        self.channel.write_json(
            b"h", {"hash": self.hasher.name, "threads": count, "zstd": self.zstd is not None}
        )

    def extend(self, body):
        """Load an extension module, or a part of this program, that was sent along."""
        name, packed = body.split(b"\0", 1)
        if name == b"blake3":
            module = load_extension("blake3", packed)
            if module is not None:
                sys.modules["smc_blake3"] = module
        elif name == b"backend_c":
            self.zstd = load_extension("backend_c", packed)
        else:
            self.load_part(name.decode(), zlib.decompress(packed))

    def load_part(self, name, text):
        """Run a further part of this program as the module it is; one of them has handlers."""
        package, _, last = name.rpartition(".")
        part = sys.modules[name] = types.ModuleType(name)
        setattr(sys.modules.setdefault(package, types.ModuleType(package)), last, part)
        part.TEXT = text.decode()
        exec(compile(part.TEXT, name, "exec"), part.__dict__)
        if hasattr(part, "attach"):
            self.handlers.update(part.attach(self, Refusal))

    def open(self, body):
        """Open a disk under the number that later frames name it by."""
        asked = json.loads(body.decode())
        disk = Disk(asked["path"])
        self.disks[asked["disk"]] = disk
        self.channel.write_json(b"o", dict(disk.facts(), disk=asked["disk"]))

    def scan_later(self, body):
        """Queue a scan."""
        self.desk.put(b"S", body)

    def send_later(self, body):
        """Queue a W and count it in."""
        index, segment, _, last = struct.unpack_from("<HIBB", body)
        with self.lock:
            kept = self.kept.get((index, segment))
            if kept is None:
                raise Refusal("Protocol.Malformed", "segment %d is not kept" % segment)
            kept.owed += 1
            if last:
                kept.closed = True
                del self.kept[index, segment]
        self.desk.put(b"W", (kept, body))

    def ping(self, body):
        """Send back as many bytes as asked: the other side measures the link."""
        (count,) = struct.unpack("<I", body)
        payload = os.urandom(BLOCK) * (MOST_FRAME // BLOCK)
        self.channel.write(b"p", memoryview(payload)[:count])

    def finish(self, _body):
        """Answer with the disks' state now: the other side compares it with the first."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.channel.write_json(
            b"f",
            {
                "states": {str(index): disk.state() for index, disk in self.disks.items()},
                "cpu_seconds": used.ru_utime + used.ru_stime,
                "most_memory": most_memory(),
                "bytes_read": self.bytes_read,
            },
        )

    # Work

    def work(self):
        """Serve queued requests for ever; files are this thread's own, with their positions."""
        files = {}
        while True:
            kind, body = self.desk.next()
            if kind == b"S":
                self.scan(files, body)
            else:
                self.send(*body)

    def scan(self, files, body):
        """Compare one segment, its buffers reserved, and answer what differs from the expected."""
        index, segment, flags = struct.unpack_from("<HIB", body)
        disk = self.disks[index]
        if index not in files:
            files[index] = disk.reader()
        expected = [self.zero_chunk if flags == EXPECT_ZERO else None] * CHUNKS
        if flags == EXPECT_DIGESTS:
            expected = [body[at : at + 32] for at in range(7, 7 + CHUNKS * 32, 32)]
        mapped = disk.mapped(segment) if flags == EXPECT_DIGESTS else None
        kept, changed, zeros, digests, view, read = {}, 0, 0, [], None, 0
        for chunk in range(CHUNKS):
            offset = segment * SEGMENT + chunk * CHUNK
            digest, blocks = self.zero_chunk, None
            if disk.data_from(offset) < min(offset + CHUNK, disk.size):
                read += CHUNK
                if mapped is not None:
                    at = chunk * CHUNK
                    if self.hasher.chunk(mapped[at : at + CHUNK])[0] == expected[chunk]:
                        continue
                view = view or self.desk.take()
                disk.read_chunk(files[index], offset, view)
                digest, blocks = self.hasher.chunk(view)
            if digest == expected[chunk]:
                continue
            changed |= 1 << chunk
            if digest == self.zero_chunk:
                zeros |= 1 << chunk
                continue
            digests.append(digest)
            digests.extend(blocks or self.hasher.blocks(view))
            kept[chunk], view = view, None
        with self.lock:
            self.bytes_read += read
            if kept:
                self.kept[index, segment] = Kept(kept)
        self.desk.release(CHUNKS - len(kept), [view] if view else [])
        header = struct.pack("<HIHH", index, segment, changed, zeros)
        self.channel.write(b"a", header, b"".join(digests))

    def send(self, kept, body):
        """Send the wanted blocks of a kept segment; after the last W its buffers are free."""
        index, segment, level, _ = struct.unpack_from("<HIBB", body)
        bits = int.from_bytes(body[8:40], "little")
        wanted = [block for block in range(CHUNKS * BLOCKS) if bits >> block & 1]
        for start in range(0, len(wanted), DATA_FRAME):
            blocks = wanted[start : start + DATA_FRAME]
            self.send_blocks(index, segment, kept.chunks, blocks, level)
        with self.lock:
            kept.owed -= 1
            if kept.owed or not kept.closed:
                return
        self.desk.release(len(kept.chunks), kept.chunks.values())

    def send_blocks(self, index, segment, chunks, wanted, level):
        """Send one data frame."""
        rows = [struct.pack("<HIH", index, segment, len(wanted))]
        payloads = []
        pack = self.compressor(level)
        for block in wanted:
            if block // BLOCKS not in chunks:
                raise Refusal("Protocol.Malformed", "block %d is not kept" % block)
            at = block % BLOCKS * BLOCK
            encoding, payload = pack(chunks[block // BLOCKS][at : at + BLOCK])
            rows.append(struct.pack("<BBI", block, encoding, len(payload)))
            payloads.append(payload)
        self.channel.write(b"d", b"".join(rows), *payloads)

    def compressor(self, level):
        """Return a function block -> (encoding, payload); what does not shrink stays raw."""
        if not level:
            return lambda view: (RAW, view)
        if self.zstd is not None:
            zstd = self.zstd.ZstdCompressor(level=level)
            encoding, squeeze = ZSTD, zstd.compress
        else:
            encoding, squeeze = ZLIB, lambda view: zlib.compress(view, min(level, 9))

        def pack(view):
            packed = squeeze(view)
            return (encoding, packed) if len(packed) < BLOCK * 15 // 16 else (RAW, view)

        return pack


def guarded(channel, target):
    """Run a thread; its failure is the last thing the other side hears."""
    try:
        target()
    except Refusal as error:
        channel.write_json(b"e", {"code": error.code, "detail": error.detail})
        os._exit(1)
    except BrokenPipeError:
        os._exit(1)
    except BaseException as error:
        detail = "%s: %s" % (type(error).__name__, error)
        channel.write_json(b"e", {"code": "Agent.Died", "detail": detail})
        os._exit(1)


def main():
    """Serve the connection on standard input and output until it ends."""
    channel = Channel(sys.stdin.buffer, sys.stdout.fileno())
    guarded(channel, Agent(channel).serve)
    os._exit(0)


main()
