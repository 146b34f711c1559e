"""Logarithms of layers and their linear combinations, which log-ratios and scores are."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, config, extending, types  # type: ignore[attr-defined]
from numpy.typing import NDArray

from prospect._kernels._jit import kernel

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SQRT_HALF = 0x3F3504F3
HIGH, LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# The logarithm of 2 in two parts: products with the first are exact.
ONE, HALF, NAN = np.float32(1), np.float32(0.5), np.float32(np.nan)
C3, C4, C5, C6, C7, C8, C9, C10 = (
    np.float32(c)
    for c in (
        0.3333333170806254,
        -0.25000821102680737,
        0.2000122655436545,
        -0.16623354872585636,
        0.1420176628556928,
        -0.13160214785392127,
        0.12761524394830454,
        -0.07634340990031624,
    )
)
# Of (log(1 + f) - f + f²/2) / f³ from f = √½ - 1 to √2 - 1, fitted for 6e-9 of the logarithm.


def intrinsic(plain: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """A function that writes code for LLVM, and what does the same where none is compiled."""

    def choose(function: Callable[..., Any]) -> Any:
        compiled = not config.DISABLE_JIT  # type: ignore[attr-defined]
        return extending.intrinsic(function) if compiled else plain

    return choose


def plain_floats_at(address: int) -> Any:
    """As floats_at."""
    return ctypes.cast(int(address), ctypes.POINTER(ctypes.c_float))


@intrinsic(lambda x: np.float32(np.floor(np.log2(x) + 0.5)))
def power_of(context: Any, value: Any) -> Any:
    """Of a positive float32, the power of 2 that leaves 0.71 to 1.41 of it."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sitofp(_power(builder, arguments[0]), ir.FloatType())

    return types.float32(types.float32), build


@intrinsic(lambda x: np.float32(x / np.exp2(np.floor(np.log2(x) + 0.5))))
def fraction_of(context: Any, value: Any) -> Any:
    """What that power leaves."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        shifted = builder.shl(_power(builder, arguments[0]), ir.Constant(word, 23))
        bits = builder.sub(builder.bitcast(arguments[0], word), shifted)
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.float32), build


@intrinsic(lambda a, b, c: np.float32(np.float64(a) * b + c))
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once: half the instructions, and the same wherever it stands."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), build


@intrinsic(plain_floats_at)
def floats_at(context: Any, address: Any) -> Any:
    """The floats at an address."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.FloatType().as_pointer())

    pointer: Any = types.CPointer(types.float32)  # type: ignore[no-untyped-call]
    return pointer(types.int64), build


@intrinsic(lambda: None)
def wide(context: Any) -> Any:
    """Let the compiler use the widest vectors here: its default halves those of 512 bits."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # llvmlite knows no such attribute, but writes down what it is given.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), build


@intrinsic(lambda source, target: ctypes.memmove(int(target), int(source), 64))
def stream_sixteen(context: Any, source: Any, target: Any) -> Any:
    """Copy 16 floats past the caches, to an address that 64 divides."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.VectorType(ir.FloatType(), 16).as_pointer()
        here, there = (builder.inttoptr(address, pointer) for address in arguments)
        store = builder.store(builder.load(here, align=4), there, align=64)
        one = ir.Constant(ir.IntType(32), 1)
        store.set_metadata("nontemporal", builder.module.add_metadata([one]))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), build


@intrinsic(lambda: None)
def fence(context: Any) -> Any:
    """Let other threads see what went past the caches."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.none(), build


def _power(builder: Any, value: Any) -> Any:
    """In integers of 32 bits, which numba would make 64 and so halve the vectors."""
    word = ir.IntType(32)
    bits = builder.sub(builder.bitcast(value, word), ir.Constant(word, SQRT_HALF))
    return builder.ashr(bits, ir.Constant(word, 23))


@kernel
def logarithms(values: Floats, floor: np.float32, out: Floats) -> None:
    """Natural logarithms of positive numbers above a floor, within 2e-7 of themselves."""
    wide()
    for j in range(out.shape[0]):
        x = values[j]
        # A gap is not below the floor, and stays.
        x = floor if x < floor else x
        f = fraction_of(x) - ONE
        p = fma(C10, f, C9)
        p = fma(p, f, C8)
        p = fma(p, f, C7)
        p = fma(p, f, C6)
        p = fma(p, f, C5)
        p = fma(p, f, C4)
        p = fma(p, f, C3)
        e = power_of(x)
        square = f * f
        tail = fma(p * f, square, fma(e, LOW, -HALF * square))
        log = fma(e, HIGH, f + tail)
        out[j] = log if x == x else NAN


@kernel
def combinations(
    addresses: Ints,
    strides: Ints,
    floors: Floats,
    mean_starts: Ints,
    mean_members: Ints,
    starts: Ints,
    members: Ints,
    weights: Floats,
    shifts: Floats,
    planes: Ints,
    basis: Floats,
    out: Floats,
) -> None:
    """Planes of ``out``: weighted sums of logarithms of layers, and of means of such.

    Layers come as addresses of their first cells and cells from row to row: as a tuple their
    number would be part of the type, and every recipe compile anew. ``basis`` is space for
    a part of a row of all logarithms, then of all means.
    """
    wide()
    logs, chunk = addresses.shape[0], basis.shape[1]
    height, width = out.shape[1], out.shape[2]
    for y in range(height):
        for left in range(0, width, chunk):
            w = min(chunk, width - left)
            for i in range(logs):
                first = addresses[i] + 4 * (y * strides[i] + left)
                logarithms(carray(floats_at(first), (w,)), floors[i], basis[i, :w])
            for k in range(mean_starts.shape[0] - 1):
                line = basis[logs + k, :w]
                line[:] = np.float32(0)
                m, end = mean_starts[k], mean_starts[k + 1]
                u = ONE / np.float32(end - m)
                while m + 4 <= end:
                    a, b = basis[mean_members[m], :w], basis[mean_members[m + 1], :w]
                    c, d = basis[mean_members[m + 2], :w], basis[mean_members[m + 3], :w]
                    add_four(a, b, c, d, u, u, u, u, line)
                    m += 4
                for n in range(m, end):
                    add_one(basis[mean_members[n], :w], u, line)
            for k in range(planes.shape[0]):
                target = out[planes[k], y, left : left + w]
                line = basis[-1, :w]
                m, end = starts[k], starts[k + 1]
                a = basis[members[m], :w]
                if end - m == 1:
                    weigh(a, weights[m], shifts[k], line)
                    stream(line, target)
                    continue
                b = basis[members[m + 1], :w]
                weigh_two(a, b, weights[m], weights[m + 1], shifts[k], line)
                m += 2
                while m + 4 <= end:
                    a, b = basis[members[m], :w], basis[members[m + 1], :w]
                    c, d = basis[members[m + 2], :w], basis[members[m + 3], :w]
                    t, u, v, x = weights[m], weights[m + 1], weights[m + 2], weights[m + 3]
                    add_four(a, b, c, d, t, u, v, x, line)
                    m += 4
                for n in range(m, end):
                    add_one(basis[members[n], :w], weights[n], line)
                stream(line, target)
    fence()


@kernel
def stream(line: Floats, target: Floats) -> None:
    """Copy a row past the caches, which it would only pass through."""
    here, there = line.ctypes.data, target.ctypes.data
    count = line.shape[0]
    start = min(((-there) % 64) // 4, count)
    for j in range(start):
        target[j] = line[j]
    whole = (count - start) // 16
    for k in range(whole):
        at = 4 * start + 64 * k
        stream_sixteen(here + at, there + at)
    for j in range(start + 16 * whole, count):
        target[j] = line[j]


@kernel
def weigh(a: Floats, u: np.float32, shift: np.float32, line: Floats) -> None:
    """A row times a weight."""
    wide()
    for j in range(line.shape[0]):
        line[j] = fma(a[j], u, shift)


@kernel
def weigh_two(
    a: Floats, b: Floats, u: np.float32, v: np.float32, shift: np.float32, line: Floats
) -> None:
    """Two rows times their weights."""
    wide()
    for j in range(line.shape[0]):
        line[j] = fma(a[j], u, fma(b[j], v, shift))


@kernel
def add_one(a: Floats, u: np.float32, line: Floats) -> None:
    """One more row."""
    wide()
    for j in range(line.shape[0]):
        line[j] = fma(a[j], u, line[j])


@kernel
def add_four(
    a: Floats,
    b: Floats,
    c: Floats,
    d: Floats,
    t: np.float32,
    u: np.float32,
    v: np.float32,
    w: np.float32,
    line: Floats,
) -> None:
    """Four more rows."""
    wide()
    for j in range(line.shape[0]):
        line[j] = fma(a[j], t, fma(b[j], u, fma(c[j], v, fma(d[j], w, line[j]))))
