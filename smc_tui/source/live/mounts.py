"""What stands on a disk: file systems that are mounted, swap, and space nobody uses."""

import ctypes
import fcntl
import glob
import os
import re
import struct

from smc_tui.source.live.marks import PAGE

GETFSMAP = 0xC0C0583B  # linux/fsmap.h
FSMAP_RECORDS = 1024
OWN_FREE, SPECIAL_OWNER, LAST = 1, 0x10, 0x20
# Those whose freeze leaves nothing to be written; the others are flushed and watched.
FREEZABLE = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "reiserfs", "gfs2")


def number_of(device):
    """Return a device as sysfs and the events name it."""
    return os.major(device), os.minor(device)


def sysfs(device, name=""):
    """Return a path in sysfs of a device (major, minor)."""
    return "/sys/dev/block/%d:%d/%s" % (device[0], device[1], name)


def read_text(path):
    """Return a small file's text, empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20).strip()
    except OSError:
        return ""


def device_of(path):
    """Return (major, minor) from a file of sysfs that names them, or None."""
    major, colon, minor = read_text(path).partition(":")
    return (int(major), int(minor)) if colon else None


def beneath(device):
    """Return a device and all that it stands on: the disk of a partition, what a volume is of."""
    found, left = set(), [device]
    while left:
        each = left.pop()
        if each is None or each in found:
            continue
        found.add(each)
        place = os.path.realpath(sysfs(each))
        if os.path.exists(place + "/partition"):
            left.append(device_of(os.path.dirname(place) + "/dev"))
        left.extend(device_of(slave) for slave in glob.glob(glob.escape(place) + "/slaves/*/dev"))
    return found


def plain_path(text):
    """Return a path of mountinfo with its escapes (octal) undone."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)


class Mounted:
    """A file system that is mounted for writing."""

    def __init__(self, device, path, kind, anonymous):
        self.device, self.path, self.kind, self.anonymous = device, path, kind, anonymous
        self.freezable = kind in FREEZABLE

    def found(self):
        """Return whether its path leads to it, and not to what is mounted over it."""
        try:
            return self.anonymous or number_of(os.stat(self.path).st_dev) == self.device
        except OSError:
            return False

    def start(self, disk):
        """Return the byte of a disk that it begins at, None where it is not simply a part."""
        if self.device == disk:
            return 0
        place = os.path.realpath(sysfs(self.device))
        if os.path.exists(place + "/partition"):
            if device_of(os.path.dirname(place) + "/dev") == disk:
                return int(read_text(place + "/start")) * 512
        return None


def mounts(disks):
    """Return what is mounted for writing from any of the disks, deepest first."""
    found = {}
    for line in read_text("/proc/self/mountinfo").split("\n"):
        fields, _, rest = line.partition(" - ")
        words, last = fields.split(), rest.split()
        if len(words) < 6 or len(last) < 2:
            continue
        device = tuple(int(part) for part in words[2].split(":"))
        source, anonymous = plain_path(last[1]), device[0] == 0
        if anonymous and source.startswith("/dev/"):  # btrfs numbers its own devices
            try:
                device = number_of(os.stat(source).st_rdev)
            except OSError:
                continue
        if "ro" in (last[2] if len(last) > 2 else "").split(",") or not beneath(device) & disks:
            continue
        mounted = Mounted(device, plain_path(words[4]), last[0], anonymous)
        if device not in found or (not found[device].found() and mounted.found()):
            found[device] = mounted
    return sorted(found.values(), key=lambda each: -each.path.rstrip("/").count("/"))


def swaps(disk):
    """Return the pages of a disk that are swap: what they hold is nobody's data."""
    found = []
    for line in read_text("/proc/swaps").split("\n")[1:]:
        words = line.split()
        if len(words) < 3 or words[1] != "partition":
            continue
        try:
            device = number_of(os.stat(plain_path(words[0])).st_rdev)
        except OSError:
            continue
        start = Mounted(device, "", "swap", False).start(disk)
        if start is not None:
            end = start + int(read_text(sysfs(device, "size")) or 0) * 512
            found.append((-(-start // PAGE), end // PAGE))
    return found


def free_extents(mounted):
    """Yield (byte, bytes) of a file system's own space that nothing is in."""
    handle = os.open(mounted.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        device = os.fstat(handle).st_dev
        key = struct.Struct("=IIQQQQ24x")
        head = struct.Struct("=IIII48x")
        low = key.pack(0, 0, 0, 0, 0, 0)
        high = key.pack(0xFFFFFFFF, 0xFFFFFFFF, *[(1 << 64) - 1] * 4)
        while True:
            size = head.size + 2 * key.size + FSMAP_RECORDS * key.size
            buffer = bytearray(size)
            buffer[:192] = head.pack(0, 0, FSMAP_RECORDS, 0) + low + high
            fcntl.ioctl(handle, GETFSMAP, buffer, True)
            entries = head.unpack_from(buffer)[3]
            if not entries:
                return
            for row in range(entries):
                found = key.unpack_from(buffer, 192 + row * key.size)
                kernel_dev, flags, physical, owner, _, length = found
                if flags & SPECIAL_OWNER and owner == OWN_FREE:
                    if kernel_dev == kernel_number(device):
                        yield physical, length
            if flags & LAST:
                return
            low = bytes(buffer[192 + (entries - 1) * key.size : 192 + entries * key.size])
    finally:
        os.close(handle)


def kernel_number(device):
    """Return a device as new_encode_dev of the kernel gives it to programs."""
    major, minor = number_of(device)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def flush(handle):
    """Have one file system written out."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(handle):
        raise OSError(ctypes.get_errno(), "syncfs")
