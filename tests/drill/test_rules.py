"""Every item's rule: what passes, what is worse, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.drill import judge
from smc_tui.drill.facts import Facts
from smc_tui.drill.shapes import SHAPES, shaped, sorted_out
from smc_tui.model.drill import Level, Report, result_of
from smc_tui.model.errors import SmcError
from tests.drill.samples import GIB, PROBE, facts

PASSED, WARNING, CRITICAL, UNKNOWN = (
    Level.PASSED,
    Level.WARNING,
    Level.CRITICAL,
    Level.NOT_CHECKED,
)


def item(name: str, found: Facts):
    return next(each for each in judge.report(found, 1.0).items if each.name == name)


def put(found: Facts, path: str, value) -> None:
    """Set one fact of the probe: ``boot.uefi``, ``kernels.0.image``."""
    *way, last = path.split(".")
    place = found.probe
    for word in way:
        place = place[int(word)] if word.isdigit() else place[word]
    place[int(last) if last.isdigit() else last] = value


def test_a_server_in_good_order_passes_everywhere():
    made = judge.report(facts(), 1.0)
    assert {each.name: each.finding for each in made.items if each.level is not PASSED} == {}
    assert made.result is PASSED
    assert len({each.name for each in made.items}) == len(made.items) == len(judge.RULES)


OTHER_DISK = {**PROBE["filesystems"][0], "point": "/srv", "device": "/dev/vdb", "disks": ["vdb"]}
BOOT_ELSEWHERE = {**OTHER_DISK, "point": "/boot"}
ESP_ELSEWHERE = {**OTHER_DISK, "point": "/boot/efi"}
TORN = {**OTHER_DISK, "disks": ["vda", "vdb"]}
MIRROR = {"kind": "raid", "name": "md0", "level": "raid1", "disks": ["vda", "vdb"]}
ROOT = PROBE["filesystems"][0]

CASES = [
    ("Architecture", {"system.machine": "riscv64"}, CRITICAL, "riscv64"),
    ("Architecture", {"system.machine": "aarch64"}, PASSED, "aarch64"),
    ("CPU utilisation", {"cpu.busy": 0.90}, PASSED, "90%"),
    ("CPU utilisation", {"cpu.busy": 0.91}, WARNING, "91%"),
    ("Memory utilisation", {"memory.available": GIB // 4}, WARNING, "97%"),
    ("Memory utilisation", {"memory.total": 0}, UNKNOWN, "does not tell"),
    ("File system space", {"filesystems.0.available": GIB // 8}, WARNING, "/ (99.4%)"),
    ("File system space", {"filesystems.0.used": 0}, UNKNOWN, "no file system"),
    ("Inode utilisation", {"filesystems.0.inodes_free": 5}, WARNING, "/ (99.5%)"),
    ("File system types", {"filesystems.0.type": "zfs"}, WARNING, "zfs"),
    ("Disks left out", {"filesystems": [ROOT, OTHER_DISK]}, WARNING, "/srv"),
    ("Disks left out", {"filesystems": [{**OTHER_DISK, "remote": True}]}, WARNING, "network"),
    ("Disks left out", {"filesystems": [ROOT, TORN]}, CRITICAL, "/srv"),
    ("Disks left out", {"filesystems": [TORN], "stacking": [MIRROR]}, PASSED, "everything"),
    (
        "Disks left out",
        {"filesystems": [TORN], "stacking": [{**MIRROR, "kind": "multipath", "level": ""}]},
        PASSED,
        "everything",
    ),
    (
        "Disks left out",
        {"filesystems": [TORN], "stacking": [{**MIRROR, "level": "raid0"}]},
        CRITICAL,
        "/srv",
    ),
    ("Disks left out", {"asked_disks": []}, UNKNOWN, "no block devices"),
    ("Firewall", {"firewall.active": ["ufw"]}, WARNING, "ufw"),
    ("Firewall", {"firewall.nft_denials": 3}, WARNING, "3 rules"),
    ("Firewall", {"firewall.iptables": True}, WARNING, "iptables"),
    ("Network proxy", {"proxy.found": ["/etc/environment"]}, WARNING, "/etc/environment"),
    ("SELinux and AppArmor", {"security.selinux": "1"}, WARNING, "enforces"),
    ("SELinux and AppArmor", {"security.selinux": "0"}, PASSED, "permissive"),
    ("Network addresses", {"network.static": ["/etc/netplan/a.yaml"]}, WARNING, "a.yaml"),
    ("Network addresses", {"network.bound": ["/etc/udev/x"]}, WARNING, "hardware address"),
    ("cloud-init", {"cloud_init.there": True}, WARNING, "first boot"),
    ("cloud-init", {"cloud_init": {"there": True, "disabled": True}}, PASSED, "disabled"),
    ("Swap", {"memory.swaps": []}, PASSED, "none"),
    ("Kernel", {"kernels.0.image": ""}, CRITICAL, "no kernel"),
    ("Kernel", {"kernels": []}, CRITICAL, "no kernel"),
    (
        "Kernel",
        {"kernels": [], "tables.fstab": [{**PROBE["tables"]["fstab"][0], "point": "/boot"}]},
        UNKNOWN,
        "not mounted",
    ),
    (
        "Kernel",
        {
            "kernels": [
                {**PROBE["kernels"][0], "release": "6.9", "image": ""},
                PROBE["kernels"][0],
            ],
            "boot.entries": [],
        },
        WARNING,
        "6.9",
    ),
    ("initramfs", {"kernels.0.initramfs": ""}, WARNING, "none was found"),
    (
        "initramfs",
        {"kernels.0.initramfs": "", "kernels.0.builtin": ["virtio_blk"]},
        PASSED,
        "built in",
    ),
    ("virtio drivers", {"initramfs.0.virtio": []}, WARNING, "initramfs lacks"),
    ("virtio drivers", {"initramfs.0.virtio": ["virtio_blk"]}, WARNING, "initramfs lacks"),
    (
        "virtio drivers",
        {"initramfs.0.virtio": [], "kernels.0.builtin": ["virtio_scsi", "virtio_pci"]},
        PASSED,
        "built into",
    ),
    (
        "virtio drivers",
        {"initramfs.0.virtio": None, "initramfs.0.why": "it is odd"},
        UNKNOWN,
        "it is odd",
    ),
    ("virtio drivers", {"initramfs.0.virtio": [], "kernels.0.available": []}, WARNING, "no virtio"),
    ("virtio drivers", {"initramfs": [], "kernels.0.modules": False}, UNKNOWN, "no modules"),
    ("Boot mode", {"boot.uefi": True}, WARNING, "no EFI system partition"),
    (
        "Boot mode",
        {"boot.uefi": True, "boot.esp": ["/boot/efi"], "filesystems": [ROOT, ESP_ELSEWHERE]},
        CRITICAL,
        "not copied",
    ),
    (
        "Boot mode",
        {
            "boot.uefi": True,
            "boot.esp": ["/boot/efi"],
            "filesystems": [ROOT, {**ROOT, "point": "/boot/efi"}],
        },
        PASSED,
        "give the copy UEFI",
    ),
    ("Boot partition", {"filesystems": [ROOT, BOOT_ELSEWHERE]}, CRITICAL, "/dev/vdb"),
    ("Boot partition", {"filesystems": [ROOT, {**ROOT, "point": "/boot"}]}, PASSED, "is copied"),
    ("Boot loader", {"boot.grub_version": "grub-install (GRUB) 1.98"}, WARNING, "1.98"),
    ("Boot loader", {"boot.grub_version": "grub-install (GRUB) 1.99"}, PASSED, "1.99"),
    (
        "Boot loader",
        {"boot.grub_configs": [], "boot.grub_legacy": ["/boot/grub/menu.lst"]},
        WARNING,
        "before 1.99",
    ),
    ("Boot loader", {"boot.grub_configs": []}, WARNING, "no configuration"),
    ("Boot loader", {"boot.grub_configs": [], "boot.systemd_boot": True}, PASSED, "systemd"),
    ("fstab", {"tables.fstab": []}, WARNING, "empty"),
    ("fstab", {"tables.fstab.0.device": "/dev/sda1"}, WARNING, "/dev/sda1 on /"),
    ("fstab", {"tables.fstab.0.device": "/dev/nvme0n1p1"}, WARNING, "nvme0n1p1"),
    ("fstab", {"tables.fstab.0.device": "/dev/disk/by-path/x"}, WARNING, "by-path"),
    ("fstab", {"tables.fstab.0.device": "/dev/mapper/vg-root"}, PASSED, "none of 1"),
    ("crypttab", {"tables.crypttab": ["/dev/vda3"]}, WARNING, "/dev/vda3"),
    ("crypttab", {"tables.crypttab": ["UUID=2"]}, PASSED, "none of 1"),
    ("LVM, RAID, LUKS, multipath", {"stacking": [MIRROR]}, WARNING, "RAID: md0"),
    (
        "LVM, RAID, LUKS, multipath",
        {"stacking": [{**MIRROR, "kind": "lvm", "name": "vg-root"}]},
        PASSED,
        "LVM: vg-root",
    ),
]


@pytest.mark.parametrize(("name", "changes", "level", "words"), CASES)
def test_items_on_the_server(name, changes, level, words):
    found = facts()
    for path, value in changes.items():
        put(found, path, value)
    made = item(name, found)
    assert (made.level, words in made.finding) == (level, True), made
    assert bool(made.advice) == (level in (WARNING, CRITICAL))


def test_every_probe_that_is_missing_makes_its_items_honest():
    found = facts()
    found.probe, found.missing = {}, dict.fromkeys(SHAPES, "no answer within 20 s")
    for rule, made in zip(judge.RULES, judge.report(found, 1).items, strict=True):
        if rule.needs:
            assert (made.level, made.finding) == (UNKNOWN, "no answer within 20 s")


def test_what_boots_is_not_judged_where_it_is_not_copied():
    found = facts()
    put(found, "asked_disks.0.disks", ["vdb"])
    for name in ("Kernel", "initramfs", "virtio drivers", "Boot loader", "fstab"):
        made = item(name, found)
        assert made.level is UNKNOWN
        assert "root file system" in made.finding


def test_disks_of_this_host_are_no_server():
    names = {each.name for each in judge.report(replace(facts(), local=True), 1).items}
    assert {"Disks", "Room for images", "Duration"} <= names
    assert not names & {"CPU utilisation", "Kernel", "fstab"}


def disk(found: Facts, **changes) -> Facts:
    found.disks = [replace(found.disks[0], **changes)]
    return found


def test_a_disk_that_is_not_the_imported_one_is_critical():
    for code in ("Disk.NotFound", "Disk.Shrank", "Disk.Replaced"):
        made = item("Disks", disk(facts(), error=SmcError(code, "/dev/vda is odd")))
        assert (made.level, made.finding) == (CRITICAL, "/dev/vda is odd")
        assert made.advice


@pytest.mark.parametrize(
    ("free", "used", "level"),
    [
        (100 * GIB, 20 * GIB, PASSED),
        (20 * GIB + GIB // 4, 20 * GIB, WARNING),  # for the first image, not for those kept
        (20 * GIB - 1, 20 * GIB, CRITICAL),
        (20 * GIB - 1, None, WARNING),  # 40 GiB at the most: that is not known to be needed
        (50 * GIB, None, PASSED),
    ],
)
def test_room_at_the_destination(free, used, level):
    found = disk(facts(), used=used)
    found.room = replace(found.room, free=free)
    assert item("Room for images", found).level is level
    found.room = None
    assert item("Room for images", found).level is UNKNOWN


def test_room_counts_the_images_that_are_kept():
    found = facts()
    first, kept = judge.copy_rules.needed(found)
    assert first == 20 * GIB
    assert kept > first + 3 * judge.ASSUMED_CHANGE * first - GIB
    found.wanted = replace(found.wanted, once=True)
    once = judge.copy_rules.needed(found)[1]
    assert once < kept


@pytest.mark.parametrize(
    ("name", "changes", "level"),
    [
        ("Clock", {"skew": 11.0}, WARNING),
        ("Clock", {"skew": -11.0}, WARNING),
        ("Clock", {"skew": None}, UNKNOWN),
        ("Latency", {"trip": 0.3}, WARNING),
        ("Latency", {"trip": None}, UNKNOWN),
        ("Throughput", {"link_bps": 1e6}, WARNING),
        ("Throughput", {"link_bps": None}, UNKNOWN),
        ("Duration", {"link_bps": 1e5}, WARNING),
        ("Duration", {"link_bps": None}, UNKNOWN),
        ("Duration", {"read_bps": None}, PASSED),
    ],
)
def test_items_on_the_link(name, changes, level):
    assert item(name, replace(facts(), **changes)).level is level


def test_a_speed_limit_counts():
    found = facts()
    found.wanted = replace(found.wanted, limit_mbit=8)
    assert item("Throughput", found).level is WARNING
    assert judge.estimated(found)["full_transfer_seconds"] == pytest.approx(20 * GIB / 1e6, 0.01)


EXT4 = {"point": "/", "type": "ext4"}
VFAT = {"point": "/boot/efi", "type": "vfat"}
NTFS = {"point": "/mnt", "type": "ntfs3"}
FREEZE = "freeze: writes are recorded and the last ones read while it stands still"
ROOT = "reach the source as root, or allow its user sudo without a password"


@pytest.mark.parametrize(
    ("changes", "mounts", "words"),
    [
        ({}, [], "/dev/vda: nothing writes to it: any image shows one instant"),
        ({"mounted": True, "written": True}, [EXT4],
         f"/dev/vda: ext4 on / mounted for writing; {FREEZE}"),
        ({"mounted": True}, [], f"it is mounted for writing; {FREEZE}"),
        ({"mounted": True}, [EXT4, VFAT],
         f"{FREEZE}; vfat on /boot/efi cannot be frozen, so flushed and watched"),
        ({"mounted": True}, [EXT4] * 5, "ext4 on /, ext4 on /, ext4 on / and 2 more mounted"),
        # A file system that the survey did not see, as on a volume over two disks.
        ({}, [EXT4], f"ext4 on / mounted for writing; {FREEZE}"),
    ],
)  # fmt: skip
def test_one_instant_is_possible(changes, mounts, words):
    found = disk(facts(), **changes)
    found.probe["asked_disks"][0]["mounts"] = mounts
    made = item("Consistent instant", found)
    assert words in made.finding
    assert made.level is PASSED


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (
            (GIB, False),
            "is possible too (1.00 GiB free in vg), but the freeze is used",
        ),
        ((0, True), "an LVM snapshot is possible too (a thin pool in vg), but the freeze is used"),
        ((0, False), "no LVM snapshot: vg has no room"),
    ],
)
def test_a_snapshot_that_would_be_possible_is_told_of(group, words):
    found = disk(facts(), mounted=True)
    found.probe["asked_disks"][0]["mounts"] = [EXT4]
    row = {"free": group[0], "thin": group[1], "disks": ["vda"]}
    found.probe["volume_groups"]["groups"] = {"vg": row}
    made = item("Consistent instant", found)
    assert made.finding.endswith(words)
    assert made.level is PASSED


@pytest.mark.parametrize(
    ("tracing", "words", "advice"),
    [
        ({"root": False, "mounted": False}, "need root", ROOT),
        ({"mounted": False}, "tracefs is not mounted", "mount -t tracefs tracefs"),
        ({"mounted": False, "known": False}, "its kernel has no tracefs", "stop the services"),
        ({"points": False}, "does not tell of block events", "stop the services"),
        ({"instances": False}, "tracefs can only be read", "stop the services"),
        (None, "is not known", "stop the services"),
    ],
)
def test_no_instant_is_possible_and_what_would_help_is_said(tracing, words, advice):
    found = disk(facts(), mounted=True)
    found.probe["asked_disks"][0]["mounts"] = [EXT4]
    if tracing is None:
        del found.probe["tracing"]
    else:
        found.probe["tracing"].update(tracing)
    made = item("Consistent instant", found)
    assert words in made.finding
    assert made.finding.endswith("its images are fuzzy")
    assert advice in made.advice
    assert made.level is WARNING


def test_what_is_written_to_and_cannot_be_frozen_is_warned_of():
    raw = item("Consistent instant", disk(facts(), written=True))
    assert "by no mounted file system that could be frozen" in raw.finding
    assert raw.level is WARNING
    found = disk(facts(), mounted=True)
    found.probe["asked_disks"][0]["mounts"] = [EXT4, NTFS]
    odd = item("Consistent instant", found)
    assert "ntfs3 on /mnt cannot be frozen" in odd.finding
    assert odd.level is WARNING


def test_the_worst_item_is_the_result():
    some = facts()
    assert result_of(judge.report(some, 1).items) is PASSED
    some.skew = None
    assert judge.report(some, 1).result is PASSED  # what is not known is no warning
    some.trip = 1.0
    assert judge.report(some, 1).result is WARNING
    disk(some, error=SmcError("Disk.NotFound", "gone"))
    assert judge.report(some, 1).result is CRITICAL


def test_a_report_survives_its_document():
    made = judge.report(facts(), 1.25)
    assert Report.of(made.document()).document() == made.document()


def test_a_report_without_sense_is_refused_and_escapes_are_taken_out():
    good = judge.report(facts(), 1).document()
    for change in ({"items": []}, {"items": None}, {"at": 3}, {"seconds": "x"}, {"items": [{}]}):
        with pytest.raises(ValueError, match="drill"):
            Report.of({**good, **change})
    first = {**good["items"][0], "finding": "\x1b[2J" + "x" * 5000}
    kept = Report.of({**good, "items": [first]}).items[0].finding
    assert "\x1b" not in kept
    assert len(kept) == 1000


# The gate between the source and the rules


def test_the_sample_has_the_shapes():
    answer = {name: {"facts": value} for name, value in PROBE.items()}
    assert sorted_out(answer) == (PROBE, {})


@pytest.mark.parametrize(
    "bad",
    [None, 3, "x", [], {"busy": "0.2", "count": 4}, {"busy": float("nan"), "count": 4},
     {"busy": -1.0, "count": 4}, {"busy": 1e300, "count": 4}, {"busy": True, "count": 4},
     {"count": 4}],
)  # fmt: skip
def test_what_has_another_shape_is_no_answer(bad):
    kept, missing = sorted_out({"cpu": {"facts": bad}})
    assert kept == {}
    assert "form" in missing["cpu"]
    assert missing["memory"] == "the source did not say"


def test_shapes_within_shapes():
    assert not shaped({"vg": {"free": 1, "thin": 1, "disks": []}}, {"*": SHAPES["volume_groups"]})
    assert not shaped([{**PROBE["filesystems"][0], "size": "big"}], SHAPES["filesystems"])
    rows = [{key: PROBE["filesystems"][0][key] for key in
             ("point", "type", "device", "remote", "read_only", "disks")}]  # fmt: skip
    assert shaped(rows, SHAPES["filesystems"])
    assert shaped(None, ([str], None))
    assert not shaped([1], ([str], None))
