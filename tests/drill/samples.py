"""Facts of a server in good order, to be made worse one thing at a time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from smc_tui.drill.facts import DiskFound, Facts, Room, Wanted

GIB = 1 << 30

PROBE: dict[str, Any] = {
    "cpu": {"busy": 0.2, "count": 4},
    "memory": {"total": 8 * GIB, "available": 4 * GIB, "swaps": ["/dev/vda2"]},
    "system": {"machine": "x86_64", "kernel": "6.1.0-28-amd64", "container": False},
    "security": {
        "selinux": "",
        "selinux_config": "",
        "apparmor": True,
        "apparmor_profiles": 12,
    },
    "firewall": {"active": [], "nft_denials": 0, "iptables": False},
    "proxy": {"found": []},
    "filesystems": [
        {
            "point": "/",
            "type": "ext4",
            "device": "/dev/vda1",
            "remote": False,
            "read_only": False,
            "disks": ["vda"],
            "size": 40 * GIB,
            "available": 20 * GIB,
            "used": 20 * GIB,
            "inodes": 1000,
            "inodes_free": 900,
        }
    ],
    "tables": {
        "fstab": [{"device": "UUID=1", "point": "/", "type": "ext4", "options": ""}],
        "crypttab": [],
    },
    "boot": {
        "uefi": False,
        "esp": [],
        "grub_configs": ["/boot/grub/grub.cfg"],
        "grub_legacy": [],
        "grub_version": "grub-install (GRUB) 2.06-13",
        "systemd_boot": False,
        "extlinux": False,
        "entries": ["vmlinuz-6.1.0-28-amd64"],
    },
    "kernels": [
        {
            "release": "6.1.0-28-amd64",
            "image": "/boot/vmlinuz-6.1.0-28-amd64",
            "initramfs": "/boot/initrd.img-6.1.0-28-amd64",
            "modules": True,
            "builtin": [],
            "available": ["virtio_blk", "virtio_pci"],
        }
    ],
    "initramfs": [
        {
            "path": "/boot/initrd.img-6.1.0-28-amd64",
            "virtio": ["virtio_blk", "virtio_pci"],
            "why": "",
        }
    ],
    "network": {"static": [], "bound": []},
    "cloud_init": {"there": False, "disabled": False},
    "stacking": [],
    "volume_groups": {"asked": True, "groups": {}},
    "tracing": {
        "root": True,
        "mounted": True,
        "points": True,
        "instances": True,
        "known": True,
    },
    "asked_disks": [
        {
            "path": "/dev/vda",
            "block": True,
            "name": "vda",
            "disks": ["vda"],
            "allocated": 0,
            "mounts": [],
        }
    ],
}


def facts() -> Facts:
    """Return facts with which every rule passes."""
    return Facts(
        Wanted(
            home=Path("/home"),
            at="2026-11-22T21:48:03.000Z",
            keep=3,
            once=False,
            limit_mbit=0,
            ssh=None,
            disks=({"index": 0, "path": "/dev/vda", "size": 40 * GIB, "identity": {}},),
        ),
        disks=[
            DiskFound("/dev/vda", 40 * GIB, used=20 * GIB, filesystems=("ext4",), written=False)
        ],
        probe=copy.deepcopy(PROBE),
        skew=0.2,
        hash="blake3",
        link_bps=100e6,
        trip=0.001,
        read_bps=500e6,
        room=Room(free=100 * GIB, total=200 * GIB, inodes_free=10_000, stored=0),
    )
