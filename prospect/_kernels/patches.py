"""Sixty-four cells at once, or sixteen: what numba cannot say, in vectors any processor has."""

# The vectors are plain ones of LLVM, which cuts them into what the processor offers.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

LANES = 64

FLOATS = ir.VectorType(ir.FloatType(), LANES)

FEW = 16
FEW_FLOATS = ir.VectorType(ir.FloatType(), FEW)
SHORTS = ir.VectorType(ir.IntType(16), LANES)
BYTES = ir.VectorType(ir.IntType(8), LANES)
BITS = ir.VectorType(ir.IntType(1), LANES)


def lane(function: Callable[..., Any]) -> Callable[..., Any]:
    """An intrinsic of numba, called without the first argument."""
    return cast(Callable[..., Any], intrinsic(function))


@kernel
def aligned(size: int) -> NDArray[np.uint8]:
    """Bytes that begin where a vector may."""
    spare = np.empty(size + 64, np.uint8)
    begin = -spare.ctypes.data % 64
    return spare[begin : begin + size]


@lane
def at_most(typing: Any, values: Any, start: Any, bits: Any) -> Any:
    """Bit j says whether ``values[start + j]`` is at most the float32 of these bits."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args, args, FLOATS)
        limit = _spread(builder, builder.bitcast(args[2], ir.FloatType()), FLOATS)
        below = builder.fcmp_ordered("<=", builder.load(place, align=64), limit)
        return builder.bitcast(below, ir.IntType(LANES))

    return types.uint64(values, types.uint64, types.int32), emit


@lane
def paint(typing: Any, values: Any, start: Any, mask: Any, colour: Any) -> Any:
    """Set ``values[start + j]``, uint16, to ``colour`` where bit j is set."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args, args, SHORTS)
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
        place = _place(context, builder, signature.args, args, BYTES)
        one = builder.zext(builder.bitcast(args[2], BITS), BYTES)
        builder.store(builder.add(builder.load(place, align=64), one), place, align=64)
        return context.get_dummy_value()

    return types.void(values, types.uint64, types.uint64), emit


@lane
def add_either(
    typing: Any, values: Any, start: Any, low: Any, less: Any, high: Any, more: Any
) -> Any:
    """Add to ``values[start + j]``, float32, where ``low`` has bit j, or where ``high`` has."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args, args, FLOATS)
        added = ir.Constant(FLOATS, [0.0] * LANES)
        for mask, amount in (args[2:4], args[4:6]):
            chosen = builder.bitcast(mask, BITS)
            added = builder.select(chosen, _spread(builder, amount, FLOATS), added)
        total = builder.fadd(builder.load(place, align=64), added)
        builder.store(total, place, align=64)
        return context.get_dummy_value()

    word, number = types.uint64, types.float32
    return types.void(values, word, word, number, word, number), emit


@lane
def below(typing: Any, left: Any, right: Any) -> Any:
    """Bit j says whether ``left[j]`` is less than ``right[j]``, both float32, of sixteen."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.Constant(ir.IntType(64), 0)
        values = [
            builder.load(_place(context, builder, (kind,), (array, number), FEW_FLOATS), align=64)
            for kind, array in zip(signature.args, args, strict=True)
        ]
        return builder.bitcast(builder.fcmp_ordered("<", *values), ir.IntType(FEW))

    return types.uint16(left, right), emit


@lane
def add_squares(typing: Any, values: Any, points: Any, start: Any, first: Any, sums: Any) -> Any:
    """
    Add the squared distances of four dimensions to ``sums[j]``, float32, of sixteen.

    From dimension ``first`` on they stand, sixteen each in ``values``; of ``points`` one each, of
    a point that starts at ``start``.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds, number = signature.args, ir.IntType(64)
        lane_of = builder.mul(args[3], ir.Constant(number, FEW))
        from_values = _place(context, builder, (kinds[0],), (args[0], lane_of), FEW_FLOATS)
        begin = builder.add(args[2], args[3])
        from_points = _place(context, builder, (kinds[1],), (args[1], begin), ir.FloatType())
        squares = []
        for d in range(4):
            step = ir.Constant(number, d)
            place = builder.gep(from_values, [step], source_etype=FEW_FLOATS)
            lanes = builder.load(place, align=64)
            point = builder.load(builder.gep(from_points, [step], source_etype=ir.FloatType()))
            away = builder.fsub(lanes, _spread(builder, point, FEW_FLOATS))
            squares.append(builder.fmul(away, away))
        total = builder.fadd(builder.fadd(*squares[:2]), builder.fadd(*squares[2:]))
        zero = ir.Constant(number, 0)
        place = _place(context, builder, (kinds[4],), (args[4], zero), FEW_FLOATS)
        builder.store(builder.fadd(builder.load(place, align=64), total), place, align=64)
        return context.get_dummy_value()

    return types.void(values, points, types.uint64, types.uint64, sums), emit


def _place(context: Any, builder: Any, kinds: Any, args: Any, vector: Any) -> Any:
    """Where in an array a vector begins."""
    array = context.make_array(kinds[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), vector.as_pointer())


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    """One value in every lane."""
    number = ir.IntType(32)
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(number, 0))
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(number, vector.count), [0] * vector.count)
    )
