"""Items on what the copy boots from: kernel, initramfs, boot loader, names of devices."""

from __future__ import annotations

import re
from typing import Any

from smc_tui.drill.facts import Facts
from smc_tui.drill.rules import (
    Rule,
    Scope,
    Verdict,
    copied_disks,
    critical,
    mounted,
    named,
    passed,
    unknown,
    warning,
)
from smc_tui.model.drill import Area

#: What a virtual machine's disk needs, one of each group.
_DISK_DRIVERS = ("virtio_blk", "virtio_scsi")
_BUS_DRIVER = "virtio_pci"

OLDEST_GRUB = (1, 99)

#: Names that the order of discovery gives, or that hang on where a disk is plugged in.
_BY_PLACE = re.compile(
    r"/dev/((sd|vd|xvd|hd)[a-z]+\d*|nvme\d\S*|mmcblk\d\S*|disk/by-(path|id)/\S+)"
)


def default_kernel(facts: Facts) -> dict[str, Any] | None:
    """Return the kernel that is booted by default, as far as that can be told.

    The first entry of the boot loader, else the running one.
    """
    rows: list[dict[str, Any]] = facts.probe["kernels"]
    entries = facts.probe["boot"]["entries"] if "boot" in facts.probe else []
    for entry in entries[:1]:
        for row in rows:
            if row["image"] and row["image"].endswith("/" + entry):
                return row
    return rows[0] if rows else None


def kernel(facts: Facts) -> Verdict:
    """Judge whether there is a kernel to boot."""
    there = [row for row in facts.probe["kernels"] if row["image"]]
    chosen = default_kernel(facts)
    entries = facts.probe.get("tables", {}).get("fstab", [])
    if (
        not there
        and mounted(facts, "/boot") is None
        and any(row["point"] == "/boot" for row in entries)
    ):
        return unknown("/boot is a partition of its own and not mounted: mount it, drill again")
    if not there:
        return critical(
            "no kernel was found in /boot", "install one on the source: the copy would not boot"
        )
    if chosen is None or not chosen["image"]:
        release = chosen["release"] if chosen else ""
        return warning(
            f"no file of the running kernel {release} was found; there is {there[0]['image']}",
            "see that the boot loader starts a kernel that is there",
        )
    return passed(f"{chosen['image']} ({chosen['release']})")


def initramfs(facts: Facts) -> Verdict:
    """Judge whether the default kernel has an initramfs."""
    chosen = default_kernel(facts)
    if chosen is None:
        return unknown("no kernel was found")
    if chosen["initramfs"]:
        return passed(chosen["initramfs"])
    if set(chosen["builtin"]) & set(_DISK_DRIVERS):
        return passed(f"none for {chosen['release']}, whose drivers are built in")
    return warning(
        f"none was found in /boot for {chosen['release']}",
        "make it anew: update-initramfs -c -k all, or dracut --regenerate-all",
    )


def virtio(facts: Facts) -> Verdict:
    """Judge whether the default kernel reaches a virtual machine's disk."""
    chosen = default_kernel(facts)
    if chosen is None:
        return unknown("no kernel was found")
    release = chosen["release"]
    builtin, available = set(chosen["builtin"]), set(chosen["available"])
    image = next(
        (row for row in facts.probe["initramfs"] if row["path"] == chosen["initramfs"]), None
    )
    inside = set(image["virtio"]) if image and image["virtio"] is not None else None
    if _enough(builtin):
        return passed(f"built into {release}: {named(sorted(builtin))}")
    if inside is not None and _enough(builtin | inside):
        return passed(f"in {chosen['initramfs']}: {named(sorted(inside))}")
    if not chosen["modules"]:
        return unknown(f"there are no modules of {release} in /lib/modules")
    if not _enough(builtin | available):
        return warning(
            f"{release} has no virtio driver for disks",
            "install a kernel with virtio, or give the copy disks that it has a driver for",
        )
    if inside is None:
        why = image["why"] if image else "there is no initramfs"
        return unknown(f"{release} has the modules; whether its initramfs does: {why}")
    return warning(
        f"{release} has virtio modules, but its initramfs lacks them",
        "add virtio_blk, virtio_scsi and virtio_pci to the initramfs and make it anew",
    )


def _enough(drivers: set[str]) -> bool:
    return bool(drivers & set(_DISK_DRIVERS)) and _BUS_DRIVER in drivers


def boot_mode(facts: Facts) -> Verdict:
    """Judge the firmware that the copy needs, and whether its ESP comes along."""
    found = facts.probe["boot"]
    if not found["uefi"]:
        return passed("BIOS: give the copy a machine that boots by BIOS")
    copied = copied_disks(facts)
    partitions = [mounted(facts, point) for point in found["esp"]]
    disks = [set(row["disks"]) for row in partitions if row is not None]
    if disks and not any(each & copied for each in disks):
        return critical(
            f"UEFI, and the EFI system partition at {named(found['esp'])} is not copied",
            "import the source anew with the disk it is on: the copy would not boot",
        )
    if not found["esp"]:
        return warning(
            "UEFI, and no EFI system partition is mounted",
            "see that it is on a disk that is migrated, and mounted in fstab",
        )
    return passed(f"UEFI, EFI system partition at {named(found['esp'])}: give the copy UEFI too")


def boot_partition(facts: Facts) -> Verdict:
    """Judge whether /boot comes along."""
    row = mounted(facts, "/boot")
    if row is None:
        return passed("/boot is part of the root file system")
    if set(row["disks"]) & copied_disks(facts):
        return passed(f"/boot is on {row['device']}, which is copied")
    return critical(
        f"/boot is on {row['device']}, which is not copied",
        "import the source anew with the disk it is on: the copy would not boot",
    )


def loader(facts: Facts) -> Verdict:
    """Judge the boot loader."""
    found = facts.probe["boot"]
    version = re.search(r"(\d+)\.(\d+)", found["grub_version"])
    if found["grub_configs"]:
        if version and tuple(map(int, version.groups())) < OLDEST_GRUB:
            return warning(
                f"GRUB {version[0]} with {found['grub_configs'][0]}", "install GRUB 1.99 or later"
            )
        shown = f" {version[0]}" if version else ""
        return passed(f"GRUB{shown} with {found['grub_configs'][0]}")
    if found["grub_legacy"]:
        return warning(
            f"GRUB before 1.99, by {found['grub_legacy'][0]}", "install GRUB 1.99 or later"
        )
    if found["systemd_boot"]:
        return passed("systemd-boot")
    if found["extlinux"]:
        return passed("extlinux")
    return warning(
        "no configuration of GRUB, systemd-boot or extlinux was found",
        "see what boots this server, and that it does not depend on what is not copied",
    )


def fstab(facts: Facts) -> Verdict:
    """Judge what fstab calls devices."""
    rows = facts.probe["tables"]["fstab"]
    if not rows:
        return warning("it is empty or cannot be read", "see what mounts the file systems at boot")
    bad = [f"{row['device']} on {row['point']}" for row in rows if _BY_PLACE.match(row["device"])]
    if bad:
        return warning(
            f"by the name of a device: {named(bad)}",
            "write UUID=… or LABEL=… (see blkid): the names change with the machine",
        )
    return passed(f"none of {len(rows)} entries hangs on a device's name")


def crypttab(facts: Facts) -> Verdict:
    """Judge what crypttab calls devices."""
    rows = facts.probe["tables"]["crypttab"]
    bad = [name for name in rows if _BY_PLACE.match(name)]
    if bad:
        return warning(f"by the name of a device: {named(bad)}", "write UUID=… (see blkid)")
    return passed(f"none of {len(rows)} entries hangs on a device's name" if rows else "empty")


def stacking(facts: Facts) -> Verdict:
    """Judge what stands between the disks and their file systems."""
    copied = copied_disks(facts)
    rows = [row for row in facts.probe["stacking"] if set(row["disks"]) & copied]
    if not rows:
        return passed("none on the disks to be migrated")
    kinds: dict[str, list[str]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], []).append(row["name"])
    words = {"lvm": "LVM", "raid": "RAID", "luks": "LUKS", "multipath": "multipath"}
    text = "; ".join(f"{words.get(kind, kind)}: {named(each)}" for kind, each in kinds.items())
    advice = []
    if "luks" in kinds:
        advice.append("the copy asks for the passphrase at boot, have it at hand")
    if "multipath" in kinds:
        advice.append("take multipath out of the copy's initramfs")
    if "raid" in kinds:
        advice.append("the copy's array is degraded if not all its disks are migrated")
    return warning(text, "; ".join(advice)) if advice else passed(text)


_S, _B = Area.SOURCE, Scope.BOOT

RULES: tuple[Rule, ...] = (
    Rule(_S, "Kernel", _B, "none in /boot", ("kernels",), kernel),
    Rule(_S, "initramfs", _B, "none for the default kernel", ("kernels",), initramfs),
    Rule(
        _S, "virtio drivers", _B, "not in the kernel or its initramfs",
        ("kernels", "initramfs"), virtio,
    ),
    Rule(_S, "Boot mode", _B, "ESP not copied", ("boot", "filesystems"), boot_mode),
    Rule(_S, "Boot partition", _B, "/boot not copied", ("filesystems",), boot_partition),
    Rule(_S, "Boot loader", _B, "none found, or GRUB < 1.99", ("boot",), loader),
    Rule(_S, "fstab", _B, "a device by its name", ("tables",), fstab),
    Rule(_S, "crypttab", _B, "a device by its name", ("tables",), crypttab),
    Rule(
        _S, "LVM, RAID, LUKS, multipath", Scope.HOST, "RAID, LUKS or multipath",
        ("stacking", "asked_disks"), stacking,
    ),
)  # fmt: skip
