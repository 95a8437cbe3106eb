"""Items on the source server: its load, its file systems, its guards, its clock, its network."""

from __future__ import annotations

from typing import Any

from smc_tui.drill.facts import Facts
from smc_tui.drill.rules import (
    Rule,
    Scope,
    Verdict,
    copied_disks,
    critical,
    named,
    on_copied,
    passed,
    unknown,
    warning,
)
from smc_tui.model.drill import Area
from smc_tui.model.units import bytes_text

CPU_BUSY = 0.90
MEMORY_USED = 0.95
FILLED = 0.99
#: Seconds: below this a log's order does not depend on whose clock it bears.
SKEW = 10.0

ARCHITECTURES = ("x86_64", "aarch64", "amd64", "arm64")
#: File systems whose images are read like any other's and which rescue systems know.
USUAL: tuple[str, ...] = (
    "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "exfat", "f2fs", "squashfs", "iso9660",
    "swap", "LVM2 member", "LUKS", "RAID member",
)  # fmt: skip


def architecture(facts: Facts) -> Verdict:
    """Judge the processor's kind."""
    machine = facts.probe["system"]["machine"]
    if machine in ARCHITECTURES:
        return passed(f"the machine is {machine}")
    return critical(
        f"the machine is {machine or 'of a kind it does not tell'}",
        "the disks can be read, but no destination runs them: turn the drill off to archive them",
    )


def cpu(facts: Facts) -> Verdict:
    """Judge the processors' load."""
    found = facts.probe["cpu"]
    text = f"{found['busy']:.0%} of {found['count']} processors busy"
    if found["busy"] > CPU_BUSY:
        return warning(text, "stop services that can be spared, or migrate at a quieter time")
    return passed(text)


def memory(facts: Facts) -> Verdict:
    """Judge the memory in use."""
    found = facts.probe["memory"]
    if not found["total"]:
        return unknown("the server does not tell its memory")
    share = 1 - found["available"] / found["total"]
    text = f"{share:.0%} of {bytes_text(found['total'])} in use"
    if share > MEMORY_USED:
        return warning(text, "stop services that can be spared: comparing takes about 100 MiB")
    return passed(text)


def space(facts: Facts) -> Verdict:
    """Judge the file systems' room, counted as df does: what root alone may use is no room."""
    shares = {
        row["point"]: row["used"] / (row["used"] + row["available"])
        for row in _writable(facts)
        if "available" in row and row.get("used")
    }
    return _filled(shares, "room", "delete files")


def inodes(facts: Facts) -> Verdict:
    """Judge the file systems' inodes."""
    shares = {
        row["point"]: 1 - row["inodes_free"] / row["inodes"]
        for row in _writable(facts)
        if "inodes_free" in row and row.get("inodes")
    }
    return _filled(shares, "inodes", "delete files, small ones first")


def _writable(facts: Facts) -> list[dict[str, Any]]:
    return [row for row in facts.probe["filesystems"] if not row["read_only"]]


def _filled(shares: dict[str, float], what: str, advice: str) -> Verdict:
    """Judge how much is in use, 0 to 1, by mount point."""
    if not shares:
        return unknown(f"no file system tells its {what}")
    full = [f"{point} ({share:.1%})" for point, share in shares.items() if share > FILLED]
    if full:
        return warning(f"nearly no {what} left on {named(full)}", advice)
    point, share = max(shares.items(), key=lambda each: each[1])
    return passed(f"the fullest of {len(shares)} is {point}: {share:.0%} in use")


def types(facts: Facts) -> Verdict:
    """Judge the types of the copied file systems."""
    found = [kind for disk in facts.disks for kind in disk.filesystems]
    found += [row["type"] for row in on_copied(facts)]
    odd = [kind for kind in found if kind not in USUAL]
    if odd:
        return warning(
            f"of an unusual type: {named(odd)}",
            "copied block by block like any other; see that the destination's system knows it",
        )
    return passed(named(found) or "no file system was recognised on the disks")


def left_out(facts: Facts) -> Verdict:
    """Judge what is mounted and not copied, and what would be copied in part."""
    copied = copied_disks(facts)
    if not copied:
        return unknown("the disks to be migrated are no block devices of the server")
    torn, left, remote = [], [], []
    # One disk of a mirror has all its data, and several paths lead to the same disk.
    whole = [
        row
        for row in facts.probe["stacking"]
        if row["level"] == "raid1" or row["kind"] == "multipath"
    ]
    mirrored = {name for row in whole for name in row["disks"] if copied & set(row["disks"])}
    for row in facts.probe["filesystems"]:
        under = set(row["disks"])
        if row["remote"]:
            remote.append(row["point"])
        elif under and not under & copied:
            left.append(row["point"])
        elif under - copied - mirrored:
            torn.append(row["point"])
    if torn:
        return critical(
            f"only some of the disks under {named(torn)} are to be migrated",
            "import the source anew with all its disks: the copy would be incomplete",
        )
    if left or remote:
        parts = [f"on other disks: {named(left)}"] if left else []
        parts += [f"on the network: {named(remote)}"] if remote else []
        return warning(
            f"not copied, because it is {'; '.join(parts)}",
            "import the source anew with those disks, or see that the copy does without",
        )
    return passed("everything that is mounted is on the disks to be migrated")


def firewall(facts: Facts) -> Verdict:
    """Judge firewalls, which come along."""
    found = facts.probe["firewall"]
    told = list(found["active"])
    if found["nft_denials"]:
        told.append(f"nftables with {found['nft_denials']} rules that deny")
    if found["iptables"]:
        told.append("iptables")
    if told:
        return warning(
            f"in force: {named(told)}",
            "it is copied: see that it lets in what the destination's network needs",
        )
    return passed("none was found in force")


def proxy(facts: Facts) -> Verdict:
    """Judge network proxies, which come along."""
    found = facts.probe["proxy"]["found"]
    if found:
        return warning(
            f"configured in {named(found)}",
            "it is copied: see that the destination reaches it, or take it out there",
        )
    return passed("none is configured")


def guards(facts: Facts) -> Verdict:
    """Judge SELinux and AppArmor."""
    found = facts.probe["security"]
    told = []
    if found["selinux"] == "1":
        told.append("SELinux enforces")
    elif found["selinux"] == "0" or found["selinux_config"] in ("enforcing", "permissive"):
        told.append("SELinux is permissive or comes with the next boot")
    if found["apparmor"]:
        told.append(f"AppArmor is in force with {found['apparmor_profiles']} profiles")
    if found["selinux"] == "1":
        return warning(
            ", ".join(told),
            "labels are copied; files written to the copy from outside must be relabelled",
        )
    return passed(", ".join(told) or "neither is in force")


def clock(facts: Facts) -> Verdict:
    """Judge the difference of the clocks."""
    if facts.skew is None:
        return unknown("the source did not tell its clock")
    ahead = "ahead of" if facts.skew > 0 else "behind"
    text = f"its clock is {abs(facts.skew):.1f} s {ahead} this host's"
    if abs(facts.skew) > SKEW:
        return warning(text, "set the clocks by NTP: times in logs and of images are compared")
    return passed(text)


def network(facts: Facts) -> Verdict:
    """Judge addresses and names that are tied to this machine."""
    found = facts.probe["network"]
    told = [f"static address in {named(found['static'])}"] if found["static"] else []
    if found["bound"]:
        told.append(f"tied to this machine's hardware address in {named(found['bound'])}")
    if told:
        return warning(
            "; ".join(told),
            "set it to DHCP or to the destination's address, at the latest on the copy",
        )
    return passed("no static address was found")


def cloud_init(facts: Facts) -> Verdict:
    """Judge cloud-init, which acts on the copy's first boot."""
    found = facts.probe["cloud_init"]
    if not found["there"]:
        return passed("it is not installed: the destination sets nothing up by itself")
    if found["disabled"]:
        return passed("it is installed and disabled")
    return warning(
        "it is in force and acts on the copy's first boot as on a new machine",
        "see /etc/cloud: host name, SSH host keys and passwords may be made anew",
    )


def swap(facts: Facts) -> Verdict:
    """Tell of swap, which is copied as it is."""
    found = facts.probe["memory"]["swaps"]
    if found:
        return passed(f"on {named(found)}; what was swapped out is copied with it")
    return passed("none is in use")


_S, _H = Area.SOURCE, Scope.HOST

RULES: tuple[Rule, ...] = (
    Rule(_S, "Architecture", _H, "neither x86_64 nor aarch64", ("system",), architecture),
    Rule(_S, "CPU utilisation", _H, "more than 90 %", ("cpu",), cpu),
    Rule(_S, "Memory utilisation", _H, "more than 95 %", ("memory",), memory),
    Rule(_S, "File system space", _H, "more than 99 % in use", ("filesystems",), space),
    Rule(_S, "Inode utilisation", _H, "more than 99 % in use", ("filesystems",), inodes),
    Rule(_S, "File system types", _H, "an unusual type", (), types),
    Rule(
        _S, "Disks left out", _H, "mounted and not copied, or copied in part",
        ("filesystems", "stacking", "asked_disks"), left_out,
    ),
    Rule(_S, "Firewall", _H, "one in force", ("firewall",), firewall),
    Rule(_S, "Network proxy", _H, "one configured", ("proxy",), proxy),
    Rule(_S, "SELinux and AppArmor", _H, "SELinux enforces", ("security",), guards),
    Rule(_S, "Clock", _H, "more than 10 s apart", (), clock),
    Rule(_S, "Network addresses", _H, "static, or tied to hardware", ("network",), network),
    Rule(_S, "cloud-init", _H, "in force", ("cloud_init",), cloud_init),
    Rule(_S, "Swap", _H, "", ("memory",), swap),
)  # fmt: skip
