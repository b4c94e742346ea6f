"""Machine code for loops over bytes: compiled once, kept, and loaded without the compiler; of the extra `fast`."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, update_wrapper
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Final, NamedTuple, TypeVar, cast

import numpy as np
import xxhash
from llvmlite import binding
from numpy.typing import NDArray

from drugmentions.durable import replacing

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Words = NDArray[np.uint64]
Int = int | np.int64


class Texts(NamedTuple):
    """An Arrow array of string views without nulls. buffers: the addresses of what longer texts stand in."""

    views: NDArray[np.uint32]
    buffers: Places


class Pieces(NamedTuple):
    """Texts one behind the other. address: of the first; behind the last is a word more. starts: and the end."""

    address: int
    starts: Places


WORD: Final = 8
"""Bytes that are loaded and stored together."""
HELD: Final = 12
"""Bytes of a text that its view holds, at most."""

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile a function of arrays and whole numbers, and of tuples of these, that returns a whole number or nothing.

    It makes no arrays, and no array that it writes to shares memory with another argument. It is compiled, or loaded,
    when it is first called with arguments of such types, and lets go of the interpreter while it runs. Others that are
    `compiled` are compiled with it where it calls them: they take and return what they like.
    """
    return cast("_Function", _Compiled(cast("FunctionType", function)))


class _Compiled:
    """A function, and its machine code by the types of its arguments."""

    def __init__(self, function: FunctionType) -> None:
        update_wrapper(self, function)
        self._function = function
        self._source = _read(Path(function.__code__.co_filename))
        self._returns = function.__annotations__["return"] is not None
        self._codes: dict[str, _Code] = {}
        self._making = Lock()

    def __call__(self, *arguments: object) -> int | None:
        types = "".join(map(_type_of, arguments))
        code = self._codes.get(types)
        if code is None:
            with self._making:
                code = self._codes.get(types) or self._make(arguments, types)
                self._codes[types] = code
        result = code.run(arguments)
        return result if self._returns else None

    def _make(self, arguments: Sequence[object], types: str) -> "_Code":
        letters = "".join(letter for argument in arguments for letter, _ in _passed(argument))
        name, keep = self._function.__name__, _cache_directory()
        path = keep / f"{name}-{_digest(self._source, types)}.o" if keep and self._source else None
        code = _kept(path) if path else None
        if code is None:
            from drugmentions.compiling import machine_code  # noqa: PLC0415  # numba takes its time, and memory

            code = machine_code(self._function, arguments, letters, _machine())
            if path:
                _keep(code, path)
        return _Code(name, code, len(letters))


class _Code:
    """Machine code in this process."""

    def __init__(self, name: str, code: bytes, words: int) -> None:
        self._name = name
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *(ctypes.c_void_p,) * 2, *(ctypes.c_int64,) * words)
        self._entry = prototype(self._engine.get_function_address(name))

    def run(self, arguments: Sequence[object]) -> int:
        """What the function returns; any number where it returns nothing."""
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        words = (word for argument in arguments for _, word in _passed(argument))
        if self._entry(ctypes.addressof(result), ctypes.addressof(error), *words):
            raise RuntimeError(f"{self._name} failed")
        return result.value


def _type_of(argument: object) -> str:
    """What other code is compiled for."""
    if isinstance(argument, np.ndarray):
        flags = argument.flags
        layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
        return f"{argument.dtype.str}{argument.ndim}{layout}{flags.writeable:d} "
    if isinstance(argument, tuple):
        return f"{type(argument).__name__}({''.join(map(_type_of, argument))})"
    return f"{type(argument).__name__} "


def _passed(argument: object) -> Iterator[tuple[str, int]]:
    """An argument as numba's functions take it: addresses (`p`) and numbers (`i`).

    Of an array: whom it belongs to, twice, which is nobody; its size, and that of an item; where it is; its shape and
    strides.
    """
    if isinstance(argument, np.ndarray):
        yield from (("p", 0), ("p", 0), ("i", argument.size), ("i", argument.itemsize))
        yield "p", argument.__array_interface__["data"][0]
        yield from (("i", word) for word in (*argument.shape, *argument.strides))
    elif isinstance(argument, tuple):
        for part in argument:
            yield from _passed(part)
    else:
        yield "i", int(cast("int", argument))


# Object files, in the user's cache if there is a place for them.


def _cache_directory() -> Path | None:
    """Where they are kept; None where nobody knows a home."""
    kept = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if kept.is_absolute():  # others are to be passed over
        return kept / "drugmentions"
    with suppress(RuntimeError):
        return Path("~/.cache/drugmentions").expanduser()
    return None


def _kept(path: Path) -> bytes | None:
    """What is kept, if it is there, and whole."""
    with suppress(OSError):
        code = path.read_bytes()
        if _sum_of(code[_SUM:]) == code[:_SUM]:
            return code[_SUM:]
    return None


def _keep(code: bytes, path: Path) -> None:
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path, durable=False) as temporary:
            temporary.write_bytes(_sum_of(code) + code)


_SUM: Final = 16


def _sum_of(code: bytes) -> bytes:
    return xxhash.xxh3_128_digest(code)


def _digest(source: bytes, types: str) -> str:
    """All that an object file depends on: the source of its function, its types, what compiles, and for what."""
    return sha256(b"%b %b %b" % (source, types.encode(), _made_by())).hexdigest()[:32]


@cache
def _made_by() -> bytes:
    versions = [platform.python_version(), *(version(name) for name in ("numba", "llvmlite", "numpy"))]
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    return repr((_OURS, versions, settings, _processor())).encode()


@cache
def _processor() -> tuple[str, str, str]:
    """This one, as LLVM calls it: its triple, name and features."""
    return binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


@cache
def _read(source: Path) -> bytes:
    """A file as it is now, when it was imported; nothing where it can't be read."""
    try:
        return source.read_bytes()
    except OSError:
        return b""


_OURS: Final = [_read(Path(__file__)), _read(Path(__file__).with_name("compiling.py"))]


def _machine() -> binding.TargetMachine:
    """What compiles for this processor."""
    triple, name, features = _processor()
    target = binding.Target.from_triple(triple)
    return target.create_target_machine(
        cpu=name,
        features=features,
        opt=3,
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


binding.initialize_native_target()
binding.initialize_native_asmprinter()


@compiled
def bits_of(marks: Words, block: Int) -> np.uint64:
    """Bits for the 64 marks of a block, each a byte that is 0 or 1, the first the lowest."""
    bits = np.uint64(0)
    for word in range(8):
        bits |= (marks[8 * block + word] * _TO_BITS >> np.uint64(56)) << np.uint64(8 * word)
    return bits


_TO_BITS: Final = np.uint64(0x0102040810204080)
"""By which eight bytes, each 0 or 1, are multiplied to have these bits in the highest byte."""


# What numba has no functions for; `compiling` puts others in their place.


def load(address: Int) -> np.uint64:
    """Eight bytes from an address."""
    return np.uint64(ctypes.c_uint64.from_address(int(address)).value)


def store(address: Int, word: np.uint64) -> None:
    """Put eight bytes at an address."""
    ctypes.c_uint64.from_address(int(address)).value = int(word)


def lowest(bits: np.uint64) -> np.uint64:
    """The place of the lowest bit that is set."""
    return np.uint64((int(bits) & -int(bits)).bit_length() - 1)
