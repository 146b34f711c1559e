"""Fails if a ratio to a peer fell below half of what ratios.toml notes.

``python benchmarks/compare.py --quick`` takes about a minute at most. Ratios of one run are
compared, never times; a case without its peer is passed over and named.
"""

from __future__ import annotations

import argparse
import sys
import tomllib

import table

LOOSE = 0.5
"""Machines and what else runs on them differ; a kernel that lost its vectors loses more."""


def share(name: str, found: dict[str, float], before: float) -> float:
    """How much of a noted ratio is left; all of it where its peer is not installed."""
    if name not in found:
        return 1.0
    # How much the builder adds to its kernels is better small.
    return before / found[name] if name == "recipe, kernels" else found[name] / before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small layers (the only way)")
    parser.parse_args()
    path = table.HERE / "ratios.toml"
    noted = tomllib.loads(path.read_text(encoding="utf-8"))["ratios"]
    found = table.quick_ratios()
    if any(share(name, found, before) < LOOSE for name, before in noted.items()):
        # Something else may have run just then: the better of two turns counts.
        again = table.quick_ratios()
        found = {
            name: max(found[name], again[name], key=lambda ratio, n=name: share(n, {n: ratio}, 1.0))
            for name in found
        }
    fallen = 0
    for name, before in noted.items():
        if name not in found:
            print(f"  passed over: {name}")
            continue
        verdict = "ok" if share(name, found, before) >= LOOSE else "FELL"
        fallen += verdict != "ok"
        print(f"{verdict:>4}  {name}: {found[name]:.2f}, noted {before:.2f}")
    if fallen:
        print(f"{fallen} of {len(noted)} ratios fell below half of what was noted.")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
