"""Sixty-four cells at once: what numba cannot say, said in vectors that any processor has."""

# The vectors are plain ones of LLVM, which cuts them into what the processor offers.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 64

FLOATS = ir.VectorType(ir.FloatType(), LANES)
SHORTS = ir.VectorType(ir.IntType(16), LANES)
BYTES = ir.VectorType(ir.IntType(8), LANES)
BITS = ir.VectorType(ir.IntType(1), LANES)


def lane(function: Callable[..., Any]) -> Callable[..., Any]:
    """An intrinsic of numba, called without the first argument."""
    return cast(Callable[..., Any], intrinsic(function))


@lane
def at_most(typing: Any, values: Any, start: Any, bits: Any) -> Any:
    """Bit j says whether ``values[start + j]`` is at most the float32 of these bits."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature, args, FLOATS)
        limit = _spread(builder, builder.bitcast(args[2], ir.FloatType()), FLOATS)
        below = builder.fcmp_ordered("<=", builder.load(place, align=64), limit)
        return builder.bitcast(below, ir.IntType(LANES))

    return types.uint64(values, types.uint64, types.int32), emit


@lane
def paint(typing: Any, values: Any, start: Any, mask: Any, colour: Any) -> Any:
    """Set ``values[start + j]``, uint16, to ``colour`` where bit j is set."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature, args, SHORTS)
        chosen = builder.bitcast(args[2], BITS)
        before = builder.load(place, align=64)
        after = builder.select(chosen, _spread(builder, args[3], SHORTS), before)
        builder.store(after, place, align=64)
        return context.get_dummy_value()

    return types.void(values, types.uint64, types.uint64, types.uint16), emit


@lane
def count(typing: Any, values: Any, start: Any, mask: Any) -> Any:
    """Add one to ``values[start + j]``, uint8, where bit j is set."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature, args, BYTES)
        one = builder.zext(builder.bitcast(args[2], BITS), BYTES)
        builder.store(builder.add(builder.load(place, align=64), one), place, align=64)
        return context.get_dummy_value()

    return types.void(values, types.uint64, types.uint64), emit


def _place(context: Any, builder: Any, signature: Any, args: Any, vector: Any) -> Any:
    """Where in an array a vector begins."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), vector.as_pointer())


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    """One value in every lane."""
    number = ir.IntType(32)
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(number, 0))
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(number, LANES), [0] * LANES)
    )
