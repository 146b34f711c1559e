"""Vectors of the processor where loops do not become any: 64 counts, or 16 numbers, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

tools = cast(Any, cgutils)

LANES, WORDS = 64, 16
"""Counts of 16 bits in a row of counts; words of 64 bits, or float32, that are taken at once."""

COUNTS = ir.VectorType(ir.IntType(16), LANES)
SETS = ir.VectorType(ir.IntType(64), WORDS)
NUMBERS = ir.VectorType(ir.FloatType(), WORDS)


def _at(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any) -> Any:
    """Where a vector begins: ``index`` elements into an array."""
    data = tools.create_struct_proxy(kind)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _row(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """Where a row of counts begins."""
    lanes = context.get_constant(types.intp, LANES)
    return _at(context, builder, kind, array, builder.mul(row, lanes), COUNTS)


def _move(typing: Any, into: Any, i: Any, come: Any, j: Any, gone: Any, k: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kinds = signature.args
        here = _row(context, builder, kinds[0], given[0], given[1])
        more = builder.load(_row(context, builder, kinds[2], given[2], given[3]), align=2)
        less = builder.load(_row(context, builder, kinds[4], given[4], given[5]), align=2)
        moved = builder.sub(builder.add(builder.load(here, align=2), more), less)
        builder.store(moved, here, align=2)
        return context.get_dummy_value()

    return types.void(into, types.intp, come, types.intp, gone, types.intp), build


def _count(typing: Any, counts: Any, i: Any, most: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        row = builder.load(_row(context, builder, signature.args[0], given[0], given[1]), align=2)
        number = builder.trunc(given[2], ir.IntType(16))
        none, first = ir.Constant(COUNTS, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        every = builder.shuffle_vector(builder.insert_element(none, number, first), none, places)
        mask = builder.icmp_unsigned("<=", row, every)
        return builder.ctpop(builder.bitcast(mask, ir.IntType(LANES)))

    return types.intp(counts, types.intp, types.intp), build


def _union(typing: Any, sets: Any, start: Any, keep: Any, part: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kinds = signature.args
        words = builder.load(_at(context, builder, kinds[0], given[0], given[1], SETS), align=8)
        mask = builder.load(_at(context, builder, kinds[2], given[2], given[3], SETS), align=8)
        signature = ir.FunctionType(ir.IntType(64), [SETS])
        name = f"llvm.vector.reduce.or.v{WORDS}i64"
        reduce = tools.get_or_insert_function(builder.module, signature, name)
        return builder.call(reduce, [builder.and_(words, mask)])

    return types.uint64(sets, types.intp, keep, types.intp), build


def _run(typing: Any, values: Any, i: Any, length: Any, before: Any, sums: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kinds, places = signature.args, ir.VectorType(ir.IntType(32), WORDS)
        values, i, length, before, sums = given
        there = _at(context, builder, kinds[0], values, builder.add(i, length), NUMBERS)
        here = _at(context, builder, kinds[0], values, i, NUMBERS)
        run = builder.fsub(builder.load(there, align=4), builder.load(here, align=4))
        none, first = ir.Constant(NUMBERS, [0.0] * WORDS), ir.Constant(ir.IntType(32), 0)
        far = 1
        while far < WORDS:
            # Every number is added to the one ``far`` on, until all before each are in it.
            behind = ir.Constant(places, [k - far if k >= far else WORDS for k in range(WORDS)])
            run = builder.fadd(run, builder.shuffle_vector(run, none, behind))
            far *= 2
        last = builder.extract_element(run, ir.Constant(ir.IntType(32), WORDS - 1))
        start = builder.insert_element(none, before, first)
        every = builder.shuffle_vector(start, none, ir.Constant(places, [0] * WORDS))
        after = builder.add(i, context.get_constant(types.intp, 1))
        into = _at(context, builder, kinds[4], sums, after, NUMBERS)
        builder.store(builder.fadd(run, every), into, align=4)
        # Not taken from what was stored: the next ones wait for one addition only.
        return builder.fadd(last, before)

    return types.float32(values, types.intp, types.intp, types.float32, sums), build


move_counts = cast(Callable[[Any, int, Any, int, Any, int], None], intrinsic(_move))
"""``into[i] += come[j] - gone[k]``: rows of 64 counts of 16 bits."""

count_up_to = cast(Callable[[Any, int, int], int], intrinsic(_count))
"""How many of the 64 counts of ``counts[i]`` are at most ``most``."""

union_of = cast(Callable[[Any, int, Any, int], Any], intrinsic(_union))
"""Bits of the 16 words from ``sets[start]`` on, of which ``keep[part:]`` masks each."""

run_on = cast(Callable[[Any, int, int, Any, Any], Any], intrinsic(_run))
"""
The next 16 running sums of ``length`` values, ``sums[i + 1]`` and on; answers the last.

``before`` is ``sums[i]``, and ``values[i]`` leaves first: float32, whole numbers.
"""
