"""Machine code that is kept and loaded: without the compiler, whole or not at all, and the same as Python's own."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from drugmentions import compiled as compiled_module
from drugmentions.compiled import WORD, Int, Places, compiled, load, lowest, store

SCRIPT = """
import sys
import numpy as np
from drugmentions.sources.line_kernel import count_lines
print(count_lines(np.frombuffer(b"a\\nb\\n\\n", np.uint8)), "numba" in sys.modules)
"""


def counted(cache: Path | str) -> list[str]:
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


def test_changed_code_is_compiled_anew_and_settings_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(tmp_path) == ["3", "True"]
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert counted(tmp_path) == ["3", "True"]
    assert len(list(tmp_path.glob("drugmentions/count_lines-*.o"))) == 2


@pytest.mark.parametrize("place", ["", "here", "/dev/null"])
def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/dev/null")
    assert counted(place) == ["3", "True"]
    assert list(tmp_path.iterdir()) == []


def test_who_has_no_home_has_nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert compiled_module._cache_directory() is None


@compiled
def _double(numbers: Places) -> None:
    for at in range(numbers.shape[0]):
        numbers[at] *= 2


@compiled
def _copied(place: Int, to: Int, count: Int) -> Int:
    """Copy words; returns the sum of the places of their lowest bits."""
    places: Int = 0
    for at in range(0, WORD * count, WORD):
        word = load(place + at)
        store(to + at, word)
        places += np.int64(lowest(word))
    return places


def test_arrays_are_changed_in_place_in_any_layout() -> None:
    numbers = np.arange(12)
    _double(numbers)
    _double(numbers[::3])
    assert numbers.tolist() == [2 * n * (2 if n % 3 == 0 else 1) for n in range(12)]


def test_threads_that_call_at_once_share_what_one_of_them_compiled() -> None:
    @compiled
    def halve(numbers: Places) -> None:
        for at in range(numbers.shape[0]):
            numbers[at] //= 2

    arrays = [np.arange(10, dtype=np.int64) * n for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(halve, arrays))
    assert [array.tolist() for array in arrays] == [[at * n // 2 for at in range(10)] for n in range(8)]


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


@compiled
def _returns_two(number: Int) -> tuple[Int, Int]:
    return number, number


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        (_makes_an_array, 3, "No implementation of function .*zeros"),
        (_takes_a_truth, True, r"_takes_a_truth takes pp\?, not ppi"),
        (_returns_two, 3, r"_returns_two takes ppi, not ppi, returns UniTuple.*, not a number"),
        (_needs_another_library, 3, "lacks .*lgamma"),
    ],
)
def test_what_would_need_more_than_memory_is_refused(
    function: Callable[[object], Int], argument: object, message: str
) -> None:
    with pytest.raises(Exception, match=message):
        function(argument)
