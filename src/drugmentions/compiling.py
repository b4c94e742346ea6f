"""Functions over arrays to machine code that needs nothing but memory, by numba; of the extra `fast`."""

from collections.abc import Callable, Sequence
from functools import cache
from types import FunctionType
from typing import Any, Final

import numba
from llvmlite import binding, ir
from numba.core.compiler import Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_FLAGS: Final = {
    "error_model": "numpy",  # no exception where a number is divided by zero
    "nrt": False,  # no references counted
    "noalias": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_OF_INNER: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "_nrt": False,
    "forceinline": True,
    "no_cpython_wrapper": True,
}

_Intrinsic = tuple[object, Callable[..., object]]
"""A signature, and what emits the code."""


@global_compiler_lock  # type: ignore[untyped-decorator]
def machine_code(
    function: FunctionType, arguments: Sequence[object], letters: str, machine: binding.TargetMachine
) -> bytes:
    """An object file for a `machine`, in which stands a function, by its name, compiled for such arguments.

    Functions that it calls are compiled with it where they are wrapped, and those of `_INTRINSICS` are put in. letters:
    what it is to take behind the two addresses that are numba's own, `p` for each other address, `i` for a number of 64
    bits. Raises RuntimeError where numba makes what takes or returns something else, or needs what isn't in it.
    """
    typing, target = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    target.refresh()
    flags: Any = Flags()  # type: ignore[no-untyped-call]
    for name, value in _FLAGS.items():
        setattr(flags, name, value)
    types = tuple(map(numba.typeof, arguments))
    made: Any = compile_extra(typing, target, _with_inner(function), types, None, flags, {})  # type: ignore[no-untyped-call]
    module = binding.parse_assembly(made.library.get_llvm_str())
    entry = module.get_function(made.fndesc.llvm_func_name)
    entry.name = function.__name__
    for there in (*module.functions, *module.global_variables):
        if there.name != entry.name and not there.is_declaration:
            there.linkage = "internal"
    passes = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)  # what isn't needed is left out
    declared = [there.name for there in (*module.functions, *module.global_variables) if there.is_declaration]
    lacks = [name for name in declared if not name.startswith("llvm.")]
    takes = "".join(_letter(str(argument.type)) for argument in entry.arguments)
    returns = made.signature.return_type
    if lacks or takes != f"pp{letters}" or returns not in (numba.types.int64, numba.types.none):
        raise RuntimeError(
            f"{function.__name__} takes {takes}, not pp{letters}, returns {returns}, not a number, or lacks {lacks}"
        )
    return bytes(machine.emit_object(module))


def _letter(of_type: str) -> str:
    if of_type == "ptr" or of_type.endswith("*"):  # the latter until LLVM 15
        return "p"
    return "i" if of_type == "i64" else "?"


def _with_inner(function: FunctionType) -> FunctionType:
    """The function, in which others stand for those that are to be compiled with it."""
    known = dict(function.__globals__)
    for name in function.__code__.co_names:
        value = known.get(name)
        inner = getattr(value, "__wrapped__", None)
        if inner:
            known[name] = _inner(inner)
        elif isinstance(value, FunctionType) and value.__module__ == "drugmentions.compiled":
            known[name] = _INTRINSICS[value.__name__]
    return FunctionType(function.__code__, known, function.__name__, function.__defaults__)


@cache
def _inner(function: FunctionType) -> object:
    return numba.njit(**_OF_INNER)(_with_inner(function))


# What numba has no functions for.


def _loading(_context: object, _address: object) -> _Intrinsic:
    def code(_target: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Instruction:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)

    return numba.types.uint64(numba.types.int64), code


def _storing(_context: object, _address: object, _word: object) -> _Intrinsic:
    def code(_target: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Constant:
        address, word = arguments
        builder.store(word, builder.inttoptr(address, ir.IntType(64).as_pointer()), align=1)
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    return numba.types.void(numba.types.int64, numba.types.uint64), code


def _placing_lowest(_context: object, _bits: object) -> _Intrinsic:
    def code(_target: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Instruction:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return numba.types.uint64(numba.types.uint64), code


_INTRINSICS: Final = {"load": intrinsic(_loading), "store": intrinsic(_storing), "lowest": intrinsic(_placing_lowest)}
"""By the names of the functions of `compiled` that they stand for."""
