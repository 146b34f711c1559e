"""One table of every kernel against its peers: ``python benchmarks/table.py`` renews README.md.

Ratios only, ours and peers taking turns in one run; peers that are not installed are named
as left out. ``--size`` sets the side of the layers, ``--quick`` takes small layers and few
windows and renews ratios.toml instead, which compare.py reads.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import bench_distance
import bench_fields
import bench_focal
import bench_geology
import bench_recipe
import bench_structure
import bench_terrain
import numpy as np

HERE = Path(__file__).parent
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
PEERS = {
    "cv2": "OpenCV",
    "scipy": "SciPy",
    "bottleneck": "bottleneck",
    "edt": "edt",
    "xrspatial": "xarray-spatial",
    "harmonica": "harmonica",
}
QUICK = 1024

Case = tuple[str, dict[str, Callable[[], tuple[Callable, int]]]]


def cases(size: int, quick: bool) -> Iterator[Case]:
    """What is measured, and by engine what prepares it: a call, and how many cells it does."""
    for quantity in bench_focal.QUANTITIES:
        for side in (11,) if quick else bench_focal.SIDES:
            engines = bench_focal.engines_of(quantity, side)
            if len(engines) > 1:
                yield (
                    f"focal {quantity}, {side} cells",
                    {
                        e: lambda e=e, q=quantity, s=side: bench_focal.prepare(q, e, s // 2, size)
                        for e in engines
                    },
                )
    for name, outputs in bench_terrain.SETS.items():
        if name != "hillshade" or not quick:
            yield (
                f"terrain, {name}",
                {
                    e: lambda e=e, o=outputs: (
                        bench_terrain.ENGINES[e][1](bench_terrain.relief(size), o),
                        size * size,
                    )
                    for e in bench_terrain.INSTALLED
                },
            )
    for case in bench_geology.CASES:
        yield (
            case,
            {
                e: lambda e=e, c=case: bench_geology.prepare(c, e, size)
                for other, e in bench_geology.cases()
                if other == case
            },
        )
    for pattern in bench_distance.PATTERNS:
        yield (
            f"distance, {pattern}",
            {
                e: lambda e=e, p=pattern: bench_distance.prepare(p, e, size)
                for e in bench_distance.INSTALLED
            },
        )
    for name, quantities in bench_fields.SETS.items():
        if name == "five fused" or not quick:
            yield (
                f"fields, {name}",
                {
                    e: lambda e=e, q=quantities: (
                        bench_fields.ENGINES[e][1](bench_fields.magnetics(size), q),
                        size * size,
                    )
                    for e in bench_fields.INSTALLED
                },
            )
    for case in bench_structure.CASES:
        yield (
            f"structure, {case}",
            {
                e: lambda e=e, c=case: bench_structure.prepare(c, e, size)
                for e in bench_structure.INSTALLED
            },
        )


def measure(size: int, quick: bool) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Name, million cells a second of ours, and ours over every peer."""
    for name, engines in cases(size, quick):
        runs = {engine: make() for engine, make in engines.items()}
        best = dict.fromkeys(runs, np.inf)
        for run, _ in runs.values():
            run()
        for _ in range(3):
            for engine, (run, cells) in runs.items():
                begin = time.perf_counter()
                run()
                best[engine] = min(best[engine], (time.perf_counter() - begin) / cells)
        ours = best.pop("ours")
        yield name, 1e-6 / ours, {engine: seconds / ours for engine, seconds in best.items()}


def recipe(size: int) -> dict[str, float]:
    """The fixed recipe's ratios."""
    found = bench_recipe.table(size, rounds=2)
    return {key: found[key] for key in ("peers", "processor", "kernels") if key in found}


def left_out() -> list[str]:
    """Peers that are not installed."""
    return [name for module, name in PEERS.items() if not find_spec(module)]


def render(size: int) -> str:
    """The table as Markdown."""
    lines = [
        f"{size} × {size} cells, 2 % gaps, {os.cpu_count()} processors, two threads; numpy "
        f"{np.__version__}, numba {importlib.import_module('numba').__version__}.",
        "",
        "| | ours, million cells a second | ours over |",
        "|---|---|---|",
    ]
    for name, rate, ratios in measure(size, quick=False):
        told = ", ".join(f"{engine} ×{ratio:.1f}" for engine, ratio in ratios.items())
        lines.append(f"| {name} | {rate:.0f} | {told or 'no peer installed'} |")
        print(lines[-1], flush=True)
    found = recipe(size)
    told = "; ".join(
        f"{text} {found[key]:.2f}"
        for key, text in (
            ("peers", "peers' time over ours"),
            ("processor", "peers' processor time over ours"),
            ("kernels", "builder over its kernels"),
        )
        if key in found
    )
    lines.append(f"| the fixed recipe, 60 features of 20 layers | | {told} |")
    lines += ["", f"Left out, not installed: {', '.join(left_out()) or 'none'}."]
    return "\n".join(lines)


def quick_ratios() -> dict[str, float]:
    """Ratios by name, of a run of less than a minute."""
    found = {
        f"{name}, over {engine}": ratio
        for name, _, ratios in measure(QUICK, quick=True)
        for engine, ratio in ratios.items()
    }
    return found | {
        f"recipe, {key}": ratio for key, ratio in recipe(QUICK).items() if key != "peers"
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--quick", action="store_true", help="renew ratios.toml instead")
    arguments = parser.parse_args()
    if arguments.quick:
        lines = [
            "# Ours over peers on small layers, as measured once; compare.py refuses half of it.",
            "# Renewed by: python benchmarks/table.py --quick",
            "[ratios]",
            *(f'"{name}" = {ratio:.2f}' for name, ratio in quick_ratios().items()),
        ]
        (HERE / "ratios.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    text = (HERE / "README.md").read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    table = f"{BEGIN}\n{render(arguments.size)}\n{END}"
    (HERE / "README.md").write_text(head + table + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
