"""Trees over blocks where vectors are narrow: kernels compiled for lesser processors, one thread.

Each processor is made believe in a process of its own (``NUMBA_CPU_NAME``), with a cache of its
own. Processor time of ours and of scikit-learn, taking turns; prints a table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

PROCESSORS = {
    "as it is": {},
    "x86-64-v3 (AVX2, 32 bytes)": {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""},
    "x86-64-v2 (SSE4, 16 bytes)": {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": ""},
    "x86-64 (SSE2, 16 bytes)": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
}
NAMES = ("random forest, 200 trees", "extra trees, 400")


def measure() -> None:
    """Print scikit-learn's processor time over ours, a model a line."""
    from bench_inference import MODELS, ours, sklearn

    for name in MODELS:
        if not name.startswith(NAMES):
            continue
        runs = {"ours": ours(name, 128, 1), "sklearn": sklearn(name, 128, 1)}
        best = dict.fromkeys(runs, float("inf"))
        for turn in range(4):
            for engine, (run, cells) in runs.items():
                begin = time.process_time()
                run()
                if turn:
                    best[engine] = min(best[engine], (time.process_time() - begin) / cells)
        rate = 1e-6 / best["ours"]
        print(f"  {name:38} {rate:5.2f} Mpx/s  x{best['sklearn'] / best['ours']:.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    else:
        for processor, environment in PROCESSORS.items():
            print(processor, flush=True)
            with tempfile.TemporaryDirectory() as cache:
                given = {**os.environ, **environment, "NUMBA_CACHE_DIR": cache}
                subprocess.run([sys.executable, __file__, "measure"], env=given, check=True)
