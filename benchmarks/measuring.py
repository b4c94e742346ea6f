"""What benchmark scripts share: a process with its time and its peak of memory, and what machine this is."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl


class Timing(NamedTuple):
    """One process: seconds on the clock, peak of its resident memory in MiB, what it printed last."""

    seconds: float
    peak: float
    said: str


def measure(command: list[str]) -> Timing:
    """Run a command; raises CalledProcessError where it fails."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        output.seek(0)
        said = output.read().decode().strip()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return Timing(seconds, usage.ru_maxrss / 1024, said.rpartition("\n")[2])


def machine() -> dict[str, Any]:
    """The machine, the versions, the day, and the command that runs."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "platform": platform.platform(terse=True),
        "processor": next(
            (
                line.partition(":")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.machine(),
        ),
        "python": platform.python_version(),
        "polars": pl.__version__,
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
    }
