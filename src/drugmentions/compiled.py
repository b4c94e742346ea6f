"""Machine code for loops over bytes, by numba, kept under the hash of its source; of the extra `fast`."""

import os
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Words = NDArray[np.uint64]
Int = int | np.int64

LOW: Final = np.uint64(0x0101010101010101)
"""The lowest bit of each of eight bytes."""
HIGH: Final = np.uint64(0x8080808080808080)
"""The highest bit of each of eight bytes."""

_Function = TypeVar("_Function", bound=Callable[..., object])
_Intrinsic = tuple[object, Callable[..., object]]
"""A signature, and what emits the code."""


def compiled(function: _Function) -> _Function:
    """Compile a function when it is first called, and keep it for later processes where there is a place for that."""
    settings: Any = numba.config
    before, settings.CACHE_DIR = (
        settings.CACHE_DIR,
        settings.CACHE_DIR or _cache_directory(function.__code__.co_filename),
    )
    try:
        return cast("_Function", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except (RuntimeError, OSError):  # no place: it is compiled in every process
        return cast("_Function", numba.njit(nogil=True, error_model="numpy")(function))
    finally:
        settings.CACHE_DIR = before


@cache
def _cache_directory(source: str) -> str:
    """Where compiled code is kept: a directory of the user's cache for this very source, so that none is stale."""
    kept = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    found = sha256(Path(__file__).read_bytes() + Path(source).read_bytes()).hexdigest()
    return str(Path(kept, "drugmentions", found[:16]))


# Polars' buffers are addresses here, and bits are looked for, neither of which numba has functions for.


def _loading(_context: object, _address: object) -> _Intrinsic:
    def code(_target: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Instruction:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)

    return numba.types.uint64(numba.types.int64), code


def _storing(_context: object, _address: object, _word: object) -> _Intrinsic:
    def code(_target: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Constant:
        builder.store(arguments[1], builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)
        return ir.Constant(ir.IntType(8).as_pointer(), None)  # what numba takes for None

    return numba.types.none(numba.types.int64, numba.types.uint64), code


def _counting(_context: object, _bits: object) -> _Intrinsic:
    def code(_target: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Instruction:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return numba.types.uint64(numba.types.uint64), code


load: Final = cast("Callable[[Int], np.uint64]", intrinsic(_loading))
"""Eight bytes from an address."""
store: Final = cast("Callable[[Int, np.uint64], None]", intrinsic(_storing))
"""Eight bytes to an address."""
lowest: Final = cast("Callable[[np.uint64], np.uint64]", intrinsic(_counting))
"""The place of the lowest bit that is set."""
