"""What recording all writes costs: ``python -m tests.benchmarks.tracing [--rounds N]``, as root.

Random 4 KiB O_DIRECT writes of fio to a loop device, paced to 40,000 a second, in turn
without and with a tracefs instance that records them as the program on the source has
it, and somebody who reads it. Prints the medians and the cost; changes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.live.disks import loop
from tests.live.freezing import TRACEFS
from tests.support.disks import MIB

EVENTS = ("block_rq_issue", "block_rq_complete")


@contextlib.contextmanager
def traced(device: Path) -> Iterator[None]:
    """Record the writes to a device, and read what is recorded, for the time of a block."""
    number = device.stat().st_rdev
    kernel = os.major(number) << 20 | os.minor(number)
    instance = TRACEFS / "instances" / f"bench-{os.getpid()}"
    instance.mkdir()
    try:
        for event in EVENTS:
            folder = instance / "events/block" / event
            (folder / "filter").write_text(f"dev == {kernel}")
            (folder / "enable").write_text("1")
        with (instance / "trace_pipe").open("rb") as pipe:
            reader = subprocess.Popen(["cat"], stdin=pipe, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            reader.kill()
            reader.wait()
    finally:
        instance.rmdir()


def writes_a_second(device: Path, rate: int, seconds: int) -> float:
    """Return how many writes a second fio got done, asked for so many."""
    words = ["--name=w", "--rw=randwrite", "--bs=4k", "--direct=1", "--iodepth=16"]
    words += ["--ioengine=libaio", "--time_based", f"--runtime={seconds}", f"--rate_iops={rate}"]
    words += [f"--filename={device}", "--output-format=json"]
    done = subprocess.run(["fio", *words], check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["jobs"][0]["write"]["iops"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=40_000, help="writes a second")
    asked = parser.parse_args()
    plain, recorded = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "disk"
        with file.open("wb") as made:
            made.truncate(512 * MIB)
        with loop(file) as device:
            writes_a_second(device, 0, 2)  # the file has its blocks from here on
            for _ in range(asked.rounds):
                plain.append(writes_a_second(device, asked.rate, asked.seconds))
                with traced(device):
                    recorded.append(writes_a_second(device, asked.rate, asked.seconds))
    without, with_it = median(plain), median(recorded)
    print(f"without {without:.0f}/s, recorded {with_it:.0f}/s: {1 - with_it / without:.1%} fewer")


if __name__ == "__main__":
    main()
