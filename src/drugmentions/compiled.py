"""Machine code for loops over bytes: compiled once, kept, and loaded without the compiler; of the extra `fast`."""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, update_wrapper
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Final, TypeVar, cast

import numpy as np
import xxhash
from llvmlite import binding
from numpy.typing import NDArray

from drugmentions.durable import replacing

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Words = NDArray[np.uint64]
Int = int | np.int64

TO_BITS: Final = np.uint64(0x0102040810204080)
"""By which eight bytes, each 0 or 1, are multiplied to have these bits in the highest byte."""

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Make a function of arrays and whole numbers, some of them in tuples maybe, one of machine code.

    It returns a whole number or nothing, and makes no arrays; those that it writes to overlap no others. It is
    compiled, or loaded, when it is first called with arguments of such types, and lets go of the interpreter while it
    runs. Others that are `compiled` are compiled with it where it calls them: they take and return what they like.
    """
    return cast("_Function", _Compiled(cast("FunctionType", function)))


class _Compiled:
    """A function, and its machine code by the types of its arguments."""

    def __init__(self, function: FunctionType) -> None:
        update_wrapper(self, function)
        self._function = function
        self._returns = function.__annotations__["return"] is not None
        self._codes: dict[str, _Code] = {}
        self._making = Lock()

    def __call__(self, *arguments: object) -> int | None:
        types = "".join(map(_type_of, arguments))
        code = self._codes.get(types)
        if code is None:
            with self._making:
                code = self._codes.get(types) or _Code(self._function, arguments, types)
                self._codes[types] = code
        result = code.run(arguments)
        return result if self._returns else None


class _Code:
    """Machine code in this process."""

    def __init__(self, function: FunctionType, arguments: Sequence[object], types: str) -> None:
        self._name = function.__name__
        words = [word for argument in arguments for word in _words_of(argument)]
        self._engine = _loaded(_object_file(function, arguments, types))
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *(ctypes.c_void_p,) * 2, *(ctypes.c_int64,) * len(words))
        self._entry = prototype(self._engine.get_function_address(self._name))

    def run(self, arguments: Sequence[object]) -> int:
        """What the function returns; any number where it returns nothing."""
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        words = (word for argument in arguments for _, word in _words_of(argument))
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


def _words_of(argument: object) -> Iterator[tuple[str, int]]:
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
            yield from _words_of(part)
    else:
        yield "i", int(cast("int", argument))


# Object files.


def _loaded(code: bytes) -> binding.ExecutionEngine:
    """What holds the functions of an object file."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _object_file(function: FunctionType, arguments: Sequence[object], types: str) -> bytes:
    """The function for arguments of these types; kept in the user's cache, if there is a place for that."""
    path = _cache_directory() / f"{function.__name__}-{_digest(function, types)}.o"
    with suppress(OSError):
        code = path.read_bytes()
        if _sum_of(code[_SUM:]) == code[:_SUM]:
            return code[_SUM:]
    from drugmentions.compiling import machine_code  # noqa: PLC0415  # numba takes its time, and memory

    words = "".join(kind for argument in arguments for kind, _ in _words_of(argument))
    code = machine_code(function, arguments, words, _machine())
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=False) as temporary:
            temporary.write_bytes(_sum_of(code) + code)
    return code


def _cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser(), "drugmentions")


def _digest(function: FunctionType, types: str) -> str:
    """All that an object file depends on."""
    source = Path(function.__code__.co_filename).read_bytes()
    return sha256(source + f"{types}{_made_by()}".encode()).hexdigest()[:32]


@cache
def _made_by() -> str:
    """What compiles, and for which processor."""
    compilers = [path.read_text() for path in (Path(__file__), Path(__file__).with_name("compiling.py"))]
    versions = [version(name) for name in ("numba", "llvmlite")]
    processor = [binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()]
    return repr((compilers, versions, processor))


def _machine() -> binding.TargetMachine:
    """This processor, as LLVM is to compile for it."""
    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


_SUM: Final = 16


def _sum_of(code: bytes) -> bytes:
    return xxhash.xxh3_128_digest(code)


binding.initialize_native_target()
binding.initialize_native_asmprinter()


# What numba has no functions for: buffers are addresses, and bits are looked for. `compiling` puts in machine code.


def load(address: Int) -> np.uint64:
    """Eight bytes from an address."""
    return np.uint64(ctypes.c_uint64.from_address(int(address)).value)


def store(address: Int, word: np.uint64) -> None:
    """Eight bytes to an address."""
    ctypes.c_uint64.from_address(int(address)).value = int(word)


def lowest(bits: np.uint64) -> np.uint64:
    """The place of the lowest bit that is set."""
    return np.uint64((int(bits) & -int(bits)).bit_length() - 1)
