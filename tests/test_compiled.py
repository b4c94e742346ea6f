"""Machine code that is kept and loaded: without the compiler, whole or not at all, and the same as Python's own."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drugmentions.compiled import Int, Places, compiled, load, lowest, store

SCRIPT = """
import sys
import numpy as np
from drugmentions.sources.line_kernel import count_lines
print(count_lines(np.frombuffer(b"a\\nb\\n\\n", np.uint8)), "numba" in sys.modules)
"""


def counted(cache: Path) -> list[str]:
    """What a new process prints: how many lines it counted, and whether it loaded the compiler."""
    environ = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environ, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_code_is_compiled_once_and_anew_where_what_was_kept_is_damaged(tmp_path: Path) -> None:
    assert counted(tmp_path) == ["3", "True"]
    assert counted(tmp_path) == ["3", "False"]
    (kept,) = tmp_path.glob("drugmentions/count_lines-*.o")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1])
    assert counted(tmp_path) == ["3", "True"]
    assert kept.read_bytes() == whole
    assert list(kept.parent.iterdir()) == [kept]


@compiled
def _double(numbers: Places) -> None:
    for at in range(numbers.shape[0]):
        numbers[at] *= 2


@compiled
def _copied(place: Int, to: Int, words: Int) -> Int:
    """Copy words; returns the sum of the places of their lowest bits."""
    places: Int = 0
    for at in range(words):
        word = load(place + 8 * at)
        store(to + 8 * at, word)
        places += np.int64(lowest(word))
    return places


def test_arrays_are_changed_in_place_in_any_layout() -> None:
    numbers = np.arange(12)
    _double(numbers)
    _double(numbers[::3])
    assert numbers.tolist() == [2 * n * (2 if n % 3 == 0 else 1) for n in range(12)]


def test_what_numba_has_no_functions_for_does_the_same_in_python() -> None:
    numbers = np.array([1, 2, 1 << 63, 0x0101010101010180, 96], np.uint64)
    copies = np.zeros((2, 5), np.uint64)
    python = _copied.__wrapped__  # type: ignore[attr-defined]
    found = [copy(numbers.ctypes.data, copies[n].ctypes.data, 5) for n, copy in enumerate((_copied, python))]
    assert found == [0 + 1 + 63 + 7 + 5] * 2
    assert copies.tolist() == [numbers.tolist()] * 2


@compiled
def _makes_an_array(size: Int) -> Int:
    return int(np.zeros(size, np.int64).sum())


@compiled
def _takes_a_truth(is_so: bool) -> Int:  # as numba knows it
    return 1 if is_so else 0


@compiled
def _needs_another_library(number: Int) -> Int:
    return int(math.lgamma(number))


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        (_makes_an_array, 3, "No implementation of function .*zeros"),
        (_takes_a_truth, True, r"_takes_a_truth takes pp\?, not ppi, and lacks \[\]"),
        (_needs_another_library, 3, "lacks .*lgamma"),
    ],
)
def test_what_would_need_more_than_memory_is_refused(
    function: Callable[[object], Int], argument: object, message: str
) -> None:
    with pytest.raises(Exception, match=message):
        function(argument)
