"""What the probe's answers must look like: the gate between a hostile source and the rules.

A rule can rely on every type in its facts. What has another shape is no answer, and
says so in its item instead of failing the drill.
"""

from __future__ import annotations

import math
from typing import Any

NO_WORD = "the source did not say"

#: A number above this is no size, count or share of anything here.
_MOST = 1 << 62

_USAGE = {"size?": int, "available?": int, "used?": int, "inodes?": int, "inodes_free?": int}

#: probe -> shape: a type; a list with the shape of its members; a dict of its keys, of
#: which ``?`` may be missing and ``*`` is any; ``None`` in a tuple: may be null.
SHAPES: dict[str, Any] = {
    "cpu": {"busy": float, "count": int},
    "memory": {"total": int, "available": int, "swaps": [str]},
    "system": {"machine": str, "kernel": str, "container": bool},
    "security": {
        "selinux": str,
        "selinux_config": str,
        "apparmor": bool,
        "apparmor_profiles": int,
    },
    "firewall": {"active": [str], "nft_denials": (int, None), "iptables": bool},
    "proxy": {"found": [str]},
    "filesystems": [
        {
            "point": str,
            "type": str,
            "device": str,
            "remote": bool,
            "read_only": bool,
            "disks": [str],
            **_USAGE,
        }
    ],
    "tables": {
        "fstab": [{"device": str, "point": str, "type": str, "options": str}],
        "crypttab": [str],
    },
    "boot": {
        "uefi": bool,
        "esp": [str],
        "grub_configs": [str],
        "grub_legacy": [str],
        "grub_version": str,
        "systemd_boot": bool,
        "extlinux": bool,
        "entries": [str],
    },
    "kernels": [
        {
            "release": str,
            "image": str,
            "initramfs": str,
            "modules": bool,
            "builtin": [str],
            "available": [str],
        }
    ],
    "initramfs": [{"path": str, "virtio": ([str], None), "why": str}],
    "network": {"static": [str], "bound": [str]},
    "cloud_init": {"there": bool, "disabled": bool},
    "stacking": [{"kind": str, "name": str, "level": str, "disks": [str]}],
    "volume_groups": {
        "asked": bool,
        "groups": {"*": {"free": int, "thin": bool, "disks": [str]}},
    },
    "tracing": {
        "root": bool,
        "mounted": bool,
        "points": bool,
        "instances": bool,
        "known": bool,
    },
    "asked_disks": [
        {
            "path": str,
            "block": bool,
            "name": str,
            "disks": [str],
            "allocated": int,
            "mounts": [{"point": str, "type": str}],
        }
    ],
}


def shaped(value: Any, shape: Any) -> bool:
    """Tell whether a JSON value has a shape."""
    match shape:
        case list():
            return isinstance(value, list) and all(shaped(each, shape[0]) for each in value)
        case tuple():
            return value is None or shaped(value, shape[0])
        case dict():
            return isinstance(value, dict) and _keys(value, shape)
    if shape is float or shape is int:
        number = isinstance(value, int | float if shape is float else int)
        return (
            number
            and not isinstance(value, bool)
            and (isinstance(value, int) or math.isfinite(value))
            and 0 <= value <= _MOST
        )
    return type(value) is shape


def _keys(value: dict[str, Any], shape: dict[str, Any]) -> bool:
    if "*" in shape:
        return all(shaped(each, shape["*"]) for each in value.values())
    for key, wanted in shape.items():
        name = key.removesuffix("?")
        if name not in value:
            if name == key:
                return False
        elif not shaped(value[name], wanted):
            return False
    return True


def sorted_out(answer: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what of the probe's answer can be relied on, and why the rest is missing."""
    facts, missing = {}, {}
    for name, shape in SHAPES.items():
        found = answer.get(name)
        if not isinstance(found, dict) or ("facts" not in found and "error" not in found):
            missing[name] = NO_WORD
        elif "facts" not in found:
            missing[name] = str(found["error"])[:200]
        elif not shaped(found["facts"], shape):
            missing[name] = "the source's answer has not the form of one"
        else:
            facts[name] = found["facts"]
    return facts, missing
