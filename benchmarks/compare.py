"""Fails if a ratio to a peer fell below two fifths of what ratios.toml notes.

``python benchmarks/compare.py --quick`` takes less than a minute a turn, and turns three times
at most. Ratios of one run are compared, never times; a case without its peer is passed over
and named.
"""

from __future__ import annotations

import argparse
import sys
import tomllib

import table

LOOSE = 0.4
"""Machines and what else runs on them differ; a kernel that lost its vectors loses more."""

TRIES = 3
"""What falls is measured again: a neighbour's burst of work is no regression."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small layers (the only way)")
    parser.parse_args()
    path = table.HERE / "ratios.toml"
    noted = tomllib.loads(path.read_text(encoding="utf-8"))["ratios"]
    best: dict[str, float] = {}
    for _ in range(TRIES):
        for name, ratio in table.quick_ratios().items():
            if name in noted:
                best[name] = max(best.get(name, 0.0), _share(name, ratio, noted[name]))
        fallen = [name for name, share in best.items() if share < LOOSE]
        if not fallen:
            break
    for name, before in noted.items():
        if name not in best:
            print(f"  passed over: {name}")
        else:
            verdict = "FELL" if name in fallen else "ok"
            print(f"{verdict:>4}  {name}: {best[name]:.2f} of the {before:.2f} noted")
    if fallen:
        print(f"{len(fallen)} of {len(noted)} ratios fell far below what was noted.")
    return 1 if fallen else 0


def _share(name: str, ratio: float, before: float) -> float:
    """How much of a noted ratio is left; what the builder adds to its kernels is better small."""
    return before / ratio if name == "recipe, kernels" else ratio / before


if __name__ == "__main__":
    sys.exit(main())
