"""The probing program of a migration drill. Runs on the source, from memory.

Python 3.6 or later, standard library only. It reads /proc, /sys, /etc and /boot, and
asks a few programs that only tell, if they are there. Every probe runs in a thread of
its own and has a limit: one that hangs (a dead network mount, a sick disk) is told as
such and left behind. It prints a frame of kind ``s`` with the clock, at once, then one
with all facts, and ends. The other side treats every text in it as hostile.

One file, because it is sent as one. Its sections:

    Reading and asking    files and programs, each with a limit
    The machine           processors, memory, security, firewall, proxy
    File systems          what is mounted, and the disks that it stands on
    Booting               boot loader, kernels, drivers
    Inside an initramfs   unpacking one far enough to name its drivers
    Network and cloud     addresses that would not fit elsewhere
    The answer            the tables of probes, and the two frames

A probe is a function in one of the tables at the end. What it returns stands in the
frame under the function's name, and has its shape in ``shapes.py``.
"""

import glob
import itertools
import json
import os
import platform
import re
import struct
import subprocess
import sys
import threading
import time

SAMPLE = 0.5  # s over which the processors are watched
LIMIT = 20.0  # s for one probe
COMMAND_LIMIT = 10.0  # s for one program
MOST_TEXT = 1 << 20  # bytes of a file or of a program's words
MOST_SAID = 1000000  # bytes of all facts; the other side takes a little more
MOST_ROWS = 512


# Reading and asking


def text(path, most=MOST_TEXT):
    """Return a small file's text, empty where it cannot be read."""
    try:
        # Not blocking: what stands under a name may be a pipe that nobody writes to.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, errors="replace") as file:
            return file.read(most)
    except (OSError, ValueError):
        return ""


def lines_of(path):
    """Return the lines of a configuration file without comments."""
    lines = (line.strip() for line in text(path).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def program(name):
    """Return the path of a program, empty where it is not there."""
    for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        path = folder + "/" + name
        if os.access(path, os.X_OK):
            return path
    return ""


def told(name, *words):
    """Return what a program says, None where it is not there, fails or takes too long."""
    path = program(name)
    if not path:
        return None
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        process = subprocess.Popen(
            [path] + list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        return None
    timer = threading.Timer(COMMAND_LIMIT, process.kill)
    timer.start()
    try:
        said = process.stdout.read(MOST_TEXT)
        process.stdout.close()  # one that says more is ended by it
        return said.decode(errors="replace") if process.wait() == 0 else None
    finally:
        timer.cancel()


# The machine

PROXY_FILES = (
    "/etc/environment",
    "/etc/profile.d/*proxy*",
    "/etc/apt/apt.conf",
    "/etc/apt/apt.conf.d/*",
    "/etc/yum.conf",
    "/etc/dnf/dnf.conf",
    "/etc/sysconfig/proxy",
)


def busy_counts():
    """Return (busy, total) ticks of all processors."""
    fields = [int(word) for word in text("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def cpu():
    """Return the busy share of the processors over a moment."""
    busy, total = busy_counts()
    time.sleep(SAMPLE)
    busy_now, total_now = busy_counts()
    return {"busy": (busy_now - busy) / max(1, total_now - total), "count": os.cpu_count() or 1}


def memory():
    """Return total and available memory in bytes."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", text("/proc/meminfo"), re.M))
    total = int(found.get("MemTotal", 0)) * 1024
    available = int(found.get("MemAvailable", found.get("MemFree", 0))) * 1024
    swaps = [line.split()[0] for line in text("/proc/swaps").splitlines()[1:MOST_ROWS]]
    return {"total": total, "available": available, "swaps": swaps}


def system():
    """Return machine and kernel."""
    return {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "container": os.path.exists("/.dockerenv") or "container=" in text("/proc/1/environ"),
    }


def security():
    """Return what of SELinux and AppArmor is in force."""
    config = re.search(r"^SELINUX=(\w+)", text("/etc/selinux/config"), re.M)
    profiles = text("/sys/kernel/security/apparmor/profiles").splitlines()
    return {
        "selinux": text("/sys/fs/selinux/enforce").strip(),
        "selinux_config": config.group(1) if config else "",
        "apparmor": text("/sys/module/apparmor/parameters/enabled").strip() == "Y",
        "apparmor_profiles": len(profiles),
    }


def firewall():
    """Return which firewalls are in force and how many rules they have."""
    active = {}
    for service in ("firewalld", "ufw", "nftables", "iptables"):
        if (told("systemctl", "is-active", service + ".service") or "").strip() == "active":
            active[service] = True
    if re.search(r"^ENABLED=yes", text("/etc/ufw/ufw.conf"), re.M):
        active["ufw"] = True
    rules = None
    # Asking nft where the kernel has no nftables yet would load them.
    if os.path.isdir("/sys/module/nf_tables"):
        listed = told("nft", "--stateless", "list", "ruleset")
        if listed is not None:
            deciding = r"\b(drop|reject)\b|policy drop"
            rules = len(re.findall(deciding, listed))
    return {
        "active": sorted(active),
        "nft_denials": rules,
        "iptables": bool(text("/proc/net/ip_tables_names").strip()),
    }


def proxy():
    """Return where a network proxy is configured, without what it is: that may be secret."""
    found = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy")]
    pattern = re.compile(r"(?i)^\s*(export\s+)?(https?_proxy\s*=|Acquire::https?::proxy|proxy\s*=)")
    for wanted in PROXY_FILES:
        for path in sorted(glob.glob(wanted))[:MOST_ROWS]:
            if any(pattern.match(line) and "_none_" not in line for line in lines_of(path)):
                found.append(path)
    return {"found": found}


# File systems, and what they stand on

# What a file system is that has no blocks of this server's disks.
REMOTE = re.compile(r"nfs.*|cifs|smb.*|ceph|glusterfs|9p|fuse\.(sshfs|s3fs|rclone|gluster.*)")
BLOCK_TYPES = re.compile(
    r"ext[234]|xfs|btrfs|vfat|msdos|exfat|ntfs.*|f2fs|jfs|reiserfs|zfs|bcachefs|fuseblk|nilfs2|"
    r"ocfs2|gfs2|iso9660|udf|squashfs|erofs|hfsplus|ufs|minix"
)


def unescaped(word):
    """Return a word of mountinfo or fstab with its octal escapes undone."""
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found.group(1), 8)), word)


def leaves(folder, depth=0):
    """Return the names of the whole disks that a block device stands on."""
    try:
        slaves = os.listdir(folder + "/slaves")
    except OSError:
        slaves = []
    if slaves and depth < 8:
        found = []
        for name in sorted(slaves):
            found += leaves(os.path.realpath("/sys/class/block/" + name), depth + 1)
        return sorted(set(found))
    if os.path.exists(folder + "/partition"):
        folder = os.path.dirname(folder)
    return [os.path.basename(folder).replace("!", "/")]


def disks_under(path):
    """Return the disks under a block device or the file at a path, empty where that is none."""
    found = os.stat(path)
    number = found.st_rdev if (found.st_mode & 0o170000) == 0o060000 else found.st_dev
    folder = "/sys/dev/block/%d:%d" % (os.major(number), os.minor(number))
    return leaves(os.path.realpath(folder)) if os.path.exists(folder) else []


def disks_of(source):
    """Return the disks under what a mount or a swap names as its device."""
    try:
        return disks_under(source) if source.startswith("/") else []
    except OSError:
        return []


def filesystems():
    """Return all mounted file systems that hold data, once each."""
    rows, seen = [], set()
    for line in text("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        words, (kind, source) = left.split(), (right.split() + ["", ""])[:2]
        if len(words) < 6 or words[2] in seen or len(rows) >= MOST_ROWS:
            continue
        remote = REMOTE.fullmatch(kind) is not None
        point = unescaped(words[4])
        if not remote and not BLOCK_TYPES.fullmatch(kind) and point != "/":
            continue
        seen.add(words[2])
        row = {"point": point, "type": kind, "device": unescaped(source), "remote": remote}
        row["read_only"] = "ro" in words[5].split(",")
        row["disks"] = [] if remote else disks_of(row["device"])
        if not remote:  # a server that is gone would hold this up for ever
            row.update(usage(point))
        rows.append(row)
    return rows


def usage(point):
    """Return sizes and inodes of a mounted file system."""
    try:
        found = os.statvfs(point)
    except OSError:
        return {}
    return {
        "size": found.f_blocks * found.f_frsize,
        "available": found.f_bavail * found.f_frsize,
        "used": (found.f_blocks - found.f_bfree) * found.f_frsize,
        "inodes": found.f_files,
        "inodes_free": found.f_ffree,
    }


def stacking():
    """Return LVM, RAID, LUKS and multipath devices with the disks under them."""
    found = []
    for folder in sorted(glob.glob("/sys/block/*"))[: 2 * MOST_ROWS]:
        name = os.path.basename(folder)
        uuid = text(folder + "/dm/uuid").strip()
        level = text(folder + "/md/level").strip()
        kind = ""
        for prefix, word in (("LVM-", "lvm"), ("CRYPT-", "luks"), ("mpath-", "multipath")):
            if uuid.startswith(prefix):
                kind = word
        if level:
            kind = "raid"
        if kind and len(found) < MOST_ROWS:
            row = {"kind": kind, "name": text(folder + "/dm/name").strip() or name}
            row["level"], row["disks"] = level, leaves(folder)
            found.append(row)
    return found


def volume_groups():
    """Return LVM's groups: name, free bytes, physical volumes; and thin pools."""
    groups = lvm_rows("vgs", "vg_name", "vg_free")
    rows = {
        name: {"free": int(free), "thin": False, "disks": []}
        for name, free in groups or []
        if free.isdigit()
    }
    for name, layout in lvm_rows("lvs", "vg_name", "lv_layout") or []:
        if name in rows and "thin" in layout:
            rows[name]["thin"] = True
    for name, device in lvm_rows("pvs", "vg_name", "pv_name") or []:
        if name in rows:
            rows[name]["disks"] += disks_of(device)
    return {"asked": groups is not None, "groups": rows}


def lvm_rows(command, *columns):
    """Return the rows that one of LVM's programs tells, None where it tells nothing."""
    options = ("--noheadings", "--units", "b", "--nosuffix", "--separator", "|", "--readonly")
    said = told(command, *options + ("-o", ",".join(columns)))
    if said is None:
        return None
    rows = (line.strip().split("|") for line in said.splitlines()[:MOST_ROWS])
    return [row for row in rows if len(row) == len(columns)]


def tables():
    """Return fstab and crypttab: what is named how."""
    fstab = []
    for line in lines_of("/etc/fstab")[:MOST_ROWS]:
        words = line.split()
        if len(words) >= 3:
            row = {"device": unescaped(words[0]), "point": unescaped(words[1]), "type": words[2]}
            row["options"] = words[3] if len(words) > 3 else ""
            fstab.append(row)
    crypttab = [line.split()[1] for line in lines_of("/etc/crypttab") if len(line.split()) > 1]
    return {"fstab": fstab, "crypttab": crypttab[:MOST_ROWS]}


def tracing():
    """Return whether writes can be recorded while a disk is read, and file systems frozen."""
    root = os.geteuid() == 0
    for folder in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        if os.path.isdir(folder + "/events"):
            points = os.path.isdir(folder + "/events/block")
            instances = os.access(folder + "/instances", os.W_OK)  # not where it is read-only
            found = {"mounted": True, "points": points, "instances": instances, "known": True}
            return dict(found, root=root)
    known = "tracefs" in text("/proc/filesystems")
    found = {"mounted": False, "points": False, "instances": False, "known": known}
    return dict(found, root=root)


def beneath(number):
    """Return a block device ("major:minor") and all that it stands on."""
    found, left = set(), [number]
    while left and len(found) < MOST_ROWS:
        each = left.pop()
        if not each or each in found:
            continue
        found.add(each)
        place = os.path.realpath("/sys/dev/block/" + each)
        if os.path.exists(place + "/partition"):
            left.append(text(os.path.dirname(place) + "/dev").strip())
        left += [text(path).strip() for path in glob.glob(glob.escape(place) + "/slaves/*/dev")]
    return found


def writable():
    """Return what is mounted for writing, once each: devices it stands on, point, type."""
    rows, seen = [], set()
    for line in text("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        words, (kind, source, options) = left.split(), (right.split() + ["", "", ""])[:3]
        if len(words) < 6 or "ro" in options.split(",") or REMOTE.fullmatch(kind):
            continue
        number, source = words[2], unescaped(source)
        try:
            if number.startswith("0:") and source.startswith("/dev/"):  # btrfs numbers its own
                device = os.stat(source).st_rdev
                number = "%d:%d" % (os.major(device), os.minor(device))
        except OSError:
            continue
        if number.startswith("0:") or number in seen or len(rows) >= MOST_ROWS:
            continue
        seen.add(number)
        rows.append((beneath(number), {"point": unescaped(words[4]), "type": kind}))
    return rows


def allocated(path):
    """Return the bytes that a file takes: a sparse one takes fewer than it has."""
    try:
        return os.stat(path).st_blocks * 512
    except OSError:
        return 0


def asked_disks(paths):
    """Return for each disk that is to be migrated its kernel name and what stands on it."""
    rows, mounted = [], writable()
    for path in paths:
        here = ""
        try:
            found = os.stat(path)
            block = (found.st_mode & 0o170000) == 0o060000
            here = "%d:%d" % (os.major(found.st_rdev), os.minor(found.st_rdev)) if block else ""
            name = os.path.basename(os.path.realpath(path)) if block else ""
            names = disks_under(path) if block else []
        except OSError:
            block, name, names = False, "", []
        row = {"path": path, "block": block, "name": name, "disks": names}
        row["allocated"] = 0 if block else allocated(path)
        row["mounts"] = [mount for devices, mount in mounted if here in devices]
        rows.append(row)
    return rows


# Booting

VIRTIO = ("virtio_blk", "virtio_scsi", "virtio_pci", "virtio_net")
# Where kernels lie that GRUB does not start: unified images, boot loader entries, boards.
OTHER_KERNELS = (
    "/boot/EFI/Linux/*.efi",
    "/boot/efi/EFI/Linux/*.efi",
    "/efi/EFI/Linux/*.efi",
    "/boot/*/*/linux",
    "/efi/*/*/linux",
    "/boot/firmware/vmlinuz*",
    "/boot/firmware/kernel*.img",
    "/boot/kernel*.img",
)


def boot():
    """Return boot mode, boot loader and its kernels."""
    configs = [p for p in ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg") if os.path.isfile(p)]
    configs += sorted(glob.glob("/boot/efi/EFI/*/grub.cfg"))[:8]
    legacy = [p for p in ("/boot/grub/menu.lst", "/boot/grub/grub.conf") if os.path.isfile(p)]
    entries = []
    for config in configs[:2]:
        for line in text(config, 4 * MOST_TEXT).splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in ("linux", "linuxefi", "linux16"):
                entries.append(os.path.basename(words[1]))
    for path in sorted(glob.glob("/boot/loader/entries/*.conf"), reverse=True)[:MOST_ROWS]:
        entries += re.findall(r"^linux\s+\S*/(\S+)", text(path), re.M)
    version = told("grub-install", "--version") or told("grub2-install", "--version") or ""
    return {
        "uefi": os.path.isdir("/sys/firmware/efi"),
        "esp": [p for p in ("/boot/efi", "/efi", "/boot") if is_esp(p)],
        "grub_configs": configs,
        "grub_legacy": legacy,
        "grub_version": version.strip()[:200],
        "systemd_boot": os.path.isfile("/boot/loader/loader.conf")
        or os.path.isfile("/efi/loader/loader.conf"),
        "extlinux": os.path.isfile("/boot/extlinux/extlinux.conf"),
        "entries": entries[:MOST_ROWS],
    }


def is_esp(folder):
    """Tell whether a folder is a mounted EFI system partition."""
    return os.path.ismount(folder) and os.path.isdir(folder + "/EFI")


def kernel_of(name):
    """Return the release in a kernel file's name."""
    return re.sub(r"^(vmlinu[xz]|kernel|Image|bzImage)-?", "", name)


def kernels():
    """Return the kernels there are, each with its file, its initramfs and virtio drivers."""
    images = [p for p in sorted(glob.glob("/boot/*")) if is_kernel(os.path.basename(p))]
    releases = [kernel_of(os.path.basename(p)) for p in images]
    running = platform.release()
    rows = []
    for release in ([running] + [r for r in releases if r and r != running])[:8]:
        row = {"release": release, "image": image_of(release, images, release == running)}
        row["initramfs"] = initramfs_of(release, row["image"])
        row.update(drivers(release))
        rows.append(row)
    return rows


def image_of(release, images, running):
    """Return the path of a kernel's file, empty where there is none."""
    files = [p for p in images if kernel_of(os.path.basename(p)) == release]
    if not files:
        files = [p for p in ("/lib/modules/%s/vmlinuz" % release,) if os.path.isfile(p)]
    if not files and running:
        # One name for every release, as Arch and Alpine have it.
        files = [p for p in images if not re.search(r"\d+\.\d+", os.path.basename(p))]
    if not files and running:
        files = [p for pattern in OTHER_KERNELS for p in sorted(glob.glob(pattern))]
    return files[0] if files else ""


def is_kernel(name):
    """Tell whether a file of /boot has a kernel's name."""
    return re.match(r"(vmlinu[xz]|kernel|Image|bzImage)(-|$)", name) is not None


def initramfs_of(release, image):
    """Return the path of a kernel's initramfs, empty where there is none."""
    names = ["initrd.img-%s", "initramfs-%s.img", "initrd-%s", "initramfs-%s", "initrd-%s.img"]
    suffix = kernel_of(os.path.basename(image))
    for name in names:
        for what in (release, suffix):
            path = "/boot/" + name % what
            if what and os.path.isfile(path):
                return path
    return ""


def drivers(release):
    """Return which virtio drivers a kernel has built in, and which as modules."""
    folder = "/lib/modules/" + release
    builtin = text(folder + "/modules.builtin")
    listed = text(folder + "/modules.dep", 16 * MOST_TEXT)
    return {
        "modules": bool(builtin or listed),
        "builtin": [name for name in VIRTIO if "/%s.ko" % name in builtin],
        "available": [name for name in VIRTIO if "/%s.ko" % name in listed],
    }


# Inside an initramfs

MOST_UNPACKED = 1 << 30  # bytes of an initramfs, unpacked
PIECE = 1 << 16  # bytes of a packed file at once: a bomb makes 1000 times as many of them
# A driver's file in a cpio archive: magic, thirteen numbers, its path.
DRIVER_FILE = re.compile(
    b"07070[12][0-9A-Fa-f]{104}[^\0\n]{0,500}/(%s)\\.ko(?:\\.[a-z0-9]{2,4})?\0"
    % "|".join(VIRTIO).encode()
)
MOST_HEADER = 700  # bytes of a header with such a path


def initramfs():
    """Return for each kernel's initramfs which virtio drivers are in it, None: not known."""
    found = []
    for row in kernels()[:3]:
        if row["initramfs"]:
            names, why = names_in(row["initramfs"])
            found.append({"path": row["initramfs"], "virtio": names, "why": why})
    return found


def names_in(path):
    """Return (virtio drivers named in an initramfs, why that is not known)."""
    try:
        pieces = unpacked(path)
        if pieces is None:
            listed = told("lsinitramfs", path) or told("lsinitrd", path)
            if listed is None:
                return None, "its compression is not known here"
            pieces = [as_headed(line) for line in listed.encode().splitlines()]
        return searched(pieces), ""
    except Exception as error:  # a damaged file raises whatever its unpacker likes
        return None, "it cannot be unpacked: %s" % type(error).__name__


def searched(pieces):
    """Return the virtio drivers that are files of an unpacked archive.

    A file's name stands behind its header. The lists that depmod makes, and that are in
    each initramfs, name drivers too, those that were left out of it as well.
    """
    found, tail, seen = set(), b"", 0
    for piece in pieces:
        text_ = tail + piece
        found |= {name.decode() for name in DRIVER_FILE.findall(text_)}
        tail, seen = text_[-MOST_HEADER:], seen + len(piece)
        if len(found) == len(VIRTIO) or seen > MOST_UNPACKED:
            break
    return sorted(found)


def as_headed(name):
    """Return a file's name as it stands in an archive."""
    return b"070701%0104d%s\0" % (0, name)


def unpacked(path):
    """Return pieces of bytes in which the files of an initramfs stand with their names.

    An initramfs is any number of plain archives (processor microcode, and with newer tools
    the modules), and often a packed one behind them. None where its compression is none
    that can be undone here.
    """
    with open(path, "rb") as file:
        names, start = plain_names(file)
        file.seek(start)
        magic = file.read(6)
    if not magic:
        return [names] if names else None
    packed = packed_pieces(path, start, magic)
    return None if packed is None else itertools.chain([names], packed)


def plain_names(file):
    """Return the names in the plain archives of a file, and where these end."""
    at, names = 0, []
    while True:
        file.seek(at)
        head = file.read(110)
        if head[:6] not in (b"070701", b"070702"):
            return b"".join(names), at
        size, length = int(head[54:62], 16), int(head[94:102], 16)
        name = file.read(length)[:-1]
        names.append(as_headed(name))
        at = (at + 110 + length + 3) // 4 * 4
        at = (at + size + 3) // 4 * 4
        if name == b"TRAILER!!!":
            at = after_padding(file, at)


def after_padding(file, at):
    """Return where the first byte stands that is not zero."""
    file.seek(at)
    while True:
        piece = file.read(PIECE)
        rest = piece.lstrip(b"\0")
        at += len(piece) - len(rest)
        if rest or not piece:
            return at


def packed_pieces(path, start, magic):
    """Return a packed archive in pieces; None where nothing here can unpack it."""
    if magic[:2] == b"\x1f\x8b":
        import zlib

        return pieces_of(path, start, magic[:2], lambda: zlib.decompressobj(31))
    if magic[:6] == b"\xfd7zXZ\x00" or magic[:3] == b"\x5d\x00\x00":
        import lzma

        return pieces_of(path, start, magic[:3], lzma.LZMADecompressor)
    if magic[:3] == b"BZh":
        import bz2

        return pieces_of(path, start, magic[:3], bz2.BZ2Decompressor)
    for mark, name in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\x02\x21\x4c\x18", "lz4")):
        if magic[:4] == mark and program(name):
            return piped(path, start, name)
    return None


def pieces_of(path, start, mark, unpacker):
    """Yield a file's unpacked pieces, also of further streams of the same kind.

    ``cat more.gz >> initrd.img`` is how files are added to one.
    """
    with open(path, "rb") as file:
        file.seek(start)
        undo, data = unpacker(), file.read(PIECE)
        while data:
            yield undo.decompress(data)
            if undo.eof:
                at = after_padding(file, file.tell() - len(undo.unused_data))
                file.seek(at)
                if file.read(len(mark)) != mark:
                    return
                file.seek(at)
                undo = unpacker()
            data = file.read(PIECE)


def piped(path, start, name):
    """Yield a file's pieces as an unpacking program gives them; what follows it ignores."""
    with open(path, "rb") as file:
        file.seek(start)
        process = subprocess.Popen(
            [program(name), "-dc"],
            stdin=file.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            close_fds=True,
        )
    timer = threading.Timer(COMMAND_LIMIT, process.kill)
    timer.start()
    got = 0
    try:
        while True:
            piece = process.stdout.read(PIECE)
            if not piece:
                break
            got += len(piece)
            yield piece
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
    if not got:
        raise ValueError("nothing came out")


# Network and cloud

NETWORK_FILES = (
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/*",
    "/etc/netplan/*.yaml",
    "/etc/NetworkManager/system-connections/*",
    "/etc/sysconfig/network-scripts/ifcfg-*",
    "/etc/sysconfig/network/ifcfg-*",
    "/etc/systemd/network/*.network",
)


def network():
    """Return the files that set a static address or bind a name to a hardware address."""
    static, bound = [], []
    pattern = re.compile(
        r"(?mi)^\s*iface\s+\S+\s+inet6?\s+static|^\s*method\s*=\s*manual|"
        r"^\s*IPADDR\d*\s*=|^\s*Address\s*=|^\s*addresses\s*:"
    )
    for wanted in NETWORK_FILES:
        for path in sorted(glob.glob(wanted))[:MOST_ROWS]:
            found = "\n".join(lines_of(path))
            if pattern.search(found) and os.path.basename(path) not in ("ifcfg-lo", "lo.network"):
                static.append(path)
            if re.search(r"(?mi)^\s*(HWADDR|mac-address|MACAddress|macaddress)\s*[=:]", found):
                bound.append(path)
    rules = "/etc/udev/rules.d/70-persistent-net.rules"
    if lines_of(rules):
        bound.append(rules)
    return {"static": static, "bound": bound}


def cloud_init():
    """Return whether cloud-init is there and in force."""
    there = bool(program("cloud-init"))
    return {"there": there, "disabled": os.path.exists("/etc/cloud/cloud-init.disabled")}


# The answer

# HOST is asked of a server, ALWAYS also where the disks are the other side's own.
HOST = (
    cpu, memory, system, security, firewall, proxy, filesystems, tables, boot, kernels,
    initramfs, network, cloud_init,
)  # fmt: skip
ALWAYS = (stacking, volume_groups, tracing)


def probed(probe, *words):
    """Return what a probe found, or why it found nothing, within its limit."""
    found = {}

    def body():
        try:
            found["facts"] = probe(*words)
        except Exception as error:
            found["error"] = "%s: %s" % (type(error).__name__, error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(LIMIT)
    return dict(found) or {"error": "no answer within %d s" % LIMIT}


def say(facts):
    """Print one frame."""
    body = json.dumps(facts).encode()
    sys.stdout.buffer.write(struct.pack("<cI", b"s", len(body)) + body)
    sys.stdout.buffer.flush()


def main():
    """Print both frames; what is asked stands in one line of standard input."""
    asked = json.loads(sys.stdin.buffer.readline().decode() or "{}")
    say({"now": time.time()})
    probes = (HOST if asked.get("host") else ()) + ALWAYS
    facts = {probe.__name__: probed(probe) for probe in probes}
    facts["asked_disks"] = probed(asked_disks, asked.get("disks") or [])
    while len(json.dumps(facts)) > MOST_SAID:
        longest = max(facts, key=lambda name: len(json.dumps(facts[name])))
        facts[longest] = {"error": "more than can be told"}
    say(facts)
    os._exit(0)  # a probe that hangs must not hold up the end


main()
