"""Named places where a test can have a run killed, as `kill -9` would at that moment."""

import os
import signal
from collections import Counter
from typing import Final

FAILPOINTS: Final = (
    "locked",
    "planned",
    "part-written",
    "batch-done",
    "carried",
    "matched",
    "merged",
    "outputs-written",
    "graph-replaced",
    "mentions-replaced",
    "rejects-replaced",
    "report-replaced",
    "manifest-replaced",
    "collected",
)
"""In the order in which a run passes them; those of batches are passed once a batch."""

VARIABLE: Final = "DRUGMENTIONS_FAILPOINT"
"""`name`, or `name:3` for the third time that it is passed."""

_passed: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """End the process here, without any cleaning up, if the environment says so."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    _passed[name] += 1
    place, _, times = wanted.partition(":")
    if place == name and _passed[name] == int(times or 1):
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
