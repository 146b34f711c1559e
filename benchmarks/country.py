"""End to end on a made-up country: layers on the disk to a cloud-optimised GeoTIFF on the disk.

    python benchmarks/country.py                      # 4 million cells: ratio and profile
    python benchmarks/country.py --cells 100 --outline
    python benchmarks/country.py --memory 10 100 400  # peak memory by size
    python benchmarks/country.py --cells 0 --trained 380 --outline
    python benchmarks/country.py --write              # and renew results/country.md

20 layers (zstd, predictor 3) become the 60 features of recipe.toml; a forest of 200 trees gives
likelihood and spread. Ours is the engine with its defaults on two threads; the other side is
country_script.py. ``--trained`` takes the model that ``prospect train`` makes instead, with spread
and applicability. Each runs in a process of its own, after a small run has compiled what is
compiled; processor time and peak memory are of that process. Cells are in millions and count the
bounding box; layers are kept in a folder and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from country_layers import DEFINITION, make_country, open_country

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "country.md"
TREES = 200
DEPOSITS = 40
BANDS = ["likelihood", "spread"]
TRAINED_BANDS = [*BANDS, "dissimilarity", "applicable"]
SEEN = (1024, 1536)
"""Rows and columns of the country that is learnt from."""


def shape_of(million: float) -> tuple[int, int]:
    """Rows and columns, twice as wide as high."""
    rows = round((million * 1e6 / 2) ** 0.5)
    return rows, round(million * 1e6 / rows)


def layers(folder: Path, shape: tuple[int, int], outline: bool) -> Path:
    """The folder of a country's layers, made when it is not there."""
    country = folder / f"{shape[0]}x{shape[1]}{'o' if outline else ''}"
    if not (country / "done").exists():
        start = time.perf_counter()
        make_country(country, shape, outline=outline)
        (country / "done").touch()
        print(f"{country.name} made in {time.perf_counter() - start:.0f} s", flush=True)
    return country


def learn(folder: Path) -> dict[str, Any]:
    """
    Two models: the recipe and a forest whose trees are draws; and one as users train it.

    The second learns from deposits where the made-up truth is highest, a cell in a hundred
    apart, with the defaults of ``prospect train``.
    """
    import geopandas as gpd
    from sklearn.ensemble import BaggingClassifier
    from sklearn.tree import DecisionTreeClassifier

    from prospect import train
    from prospect.features import FeatureBuilder
    from prospect.grid import Grid
    from prospect.ground import Ground
    from prospect.model import Model

    stack = open_country(layers(folder, SEEN, outline=True))
    builder = FeatureBuilder(DEFINITION["feature"]).fit(stack)
    features = builder.transform(stack, workers=2).values
    rng = np.random.default_rng(0)
    row, col = np.nonzero(np.isfinite(stack["elevation"].values))
    pick = rng.choice(len(row), 2300, replace=False)
    cells = np.ascontiguousarray(features[:, row[pick], col[pick]].T)
    known = np.nan_to_num(cells)
    known = (known - known.mean(axis=0)) / known.std(axis=0)
    truth = known[:, 0] + known[:, 10] * known[:, 20] + np.abs(known[:, 30])
    truth += 1.5 * rng.normal(size=len(truth))
    tree = DecisionTreeClassifier(max_features="sqrt")
    forest = BaggingClassifier(tree, TREES, random_state=0, n_jobs=2)
    forest.fit(cells, (truth > np.quantile(truth, 0.7)).astype(int))
    scripts = Model("gold", "A made-up country", builder, forest, Ground(), {}, pd.DataFrame())
    best = np.argsort(-truth)[: 3 * DEPOSITS : 3]
    transform = Grid.of(stack).transform
    x, y = transform * (col[pick][best] + 0.5, row[pick][best] + 0.5)
    places = gpd.points_from_xy(x, y, crs=Grid.of(stack).crs)
    deposits = gpd.GeoDataFrame({"commodity": ["gold"] * len(x)}, geometry=places)
    trained = train(stack, deposits, "gold", builder=builder, workers=2)
    return {"model": scripts, "trained": trained}


def ours(
    country: Path, model: Any, output: Path, profile: bool, bands: list[str]
) -> dict[str, float]:
    """The engine; with a profile on one thread, the seconds in each kind of work."""
    from prospect.features import running
    from prospect.scoring import prepare
    from prospect.scoring import run as running_map

    spent = {"features": 0.0, "inference": 0.0, "reading": 0.0, "writing": 0.0}
    workers = 1 if profile else 2
    run = prepare(model, open_country(country), output, workers=workers, bands=bands)
    if profile:
        clock = time.thread_time

        def timed(name: str, call: Any) -> Any:
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                begin = clock()
                try:
                    return call(*args, **kwargs)
                finally:
                    spent[name] += clock() - begin

            return wrapped

        running.Call.run = timed("features", running.Call.run)  # type: ignore[attr-defined]
        running._read = timed("reading", running._read)
        kind = type(run.job.maker)
        kind.compute = timed("inference", kind.compute)  # type: ignore[method-assign]
        files = running_map.MapFiles
        files.finish = timed("writing", files.finish)  # type: ignore[method-assign]
    run.to_files()
    return {**spent, "planned": run.plan.memory}


def child(side: str, country: Path, folder: Path) -> dict[str, float]:
    """One side in this process: seconds, processor seconds, peak memory."""
    import cloudpickle

    from prospect.scoring import score

    trained = side.startswith("trained")
    model = cloudpickle.loads((folder / ("trained" if trained else "model")).read_bytes())
    # What the script makes and no more, or what is asked of a model that was trained.
    bands = TRAINED_BANDS if trained else BANDS
    output = folder / f"{side}.tif"
    small = open_country(layers(folder, SEEN, outline=True))
    if side != "script":
        score(model, small, folder / "warm.tif", workers=1, tile=256, bands=bands)
    start, busy = time.perf_counter(), time.process_time()
    told: dict[str, float] = {}
    if side == "script":
        import country_script

        country_script.run(country, model.builder, model.estimator, output)
    else:
        told = ours(country, model, output, side.endswith("profile"), bands)
    return {
        **told,
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - busy,
        "memory": peak_memory(),
    }


def peak_memory() -> float:
    """Bytes this process held at the most; what getrusage says counts who started it, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024.0 * int(line.split()[1])
    return float("nan")


def measure(side: str, country: Path, folder: Path) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--side", side, str(country), str(folder)]
    paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def differences(folder: Path) -> tuple[float, float]:
    """Share of cells whose likelihood differs by more than 0.01, and the mean difference."""
    import rasterio

    many, total, cells = 0, 0.0, 0
    with rasterio.open(folder / "ours.tif") as a, rasterio.open(folder / "script.tif") as b:
        for top in range(0, a.height, 512):
            window = ((top, min(top + 512, a.height)), (0, a.width))
            one, two = a.read(1, window=window), b.read(1, window=window)
            apart = np.abs(one - two)
            apart[np.isnan(one) & np.isnan(two)] = np.nan
            known = ~(np.isnan(one) & np.isnan(two))
            cells += int(known.sum())
            many += int((~(apart[known] <= 0.01)).sum())
            total += float(np.nansum(apart))
    return many / cells, total / cells


def compare(folder: Path, million: float, outline: bool, rounds: int) -> str:
    """Both sides by turns, and where our time goes."""
    shape = shape_of(million)
    country = layers(folder, shape, outline)
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for side in ("ours", "script"):
            found = measure(side, country, folder)
            print(side, {k: round(v, 1) for k, v in found.items()}, flush=True)
            kept = best.setdefault(side, found)
            best[side] = {name: min(value, found[name]) for name, value in kept.items()}
    a, b = best["ours"], best["script"]
    share, mean = differences(folder)
    if share > 0.05:
        raise SystemExit(f"{share:.1%} of cells differ: one of the two is wrong.")
    where = "the country half of the bounding box" if outline else "no empty ground"
    return (
        f"{shape[0]:,} × {shape[1]:,} cells, {where}.\n\n"
        "| | seconds | processor seconds | peak memory |\n|---|---|---|---|\n"
        f"| ours, 2 threads | {a['seconds']:.0f} | {a['processor']:.0f} | "
        f"{a['memory'] / 1e9:.2f} GB |\n"
        f"| the careful script | {b['seconds']:.0f} | {b['processor']:.0f} | "
        f"{b['memory'] / 1e9:.2f} GB |\n"
        f"| the script over ours | ×{b['seconds'] / a['seconds']:.1f} | "
        f"×{b['processor'] / a['processor']:.1f} | |\n\n"
        f"{share:.2%} of cells differ by more than 0.01 (means {mean:.1e} apart), where peers' "
        "medians see filled gaps and their sums are of float32.\n\n"
        + shares(measure("profile", country, folder))
    )


def memory(folder: Path, millions: list[float], outline: bool, side: str = "ours") -> str:
    """Seconds and peak memory by size."""
    lines = [
        "| million cells | seconds | processor seconds | peak memory | planned |",
        "|---|---|---|---|---|",
    ]
    for million in millions:
        country = layers(folder, shape_of(million), outline)
        found = measure(side, country, folder)
        lines.append(
            f"| {million:g} | {found['seconds']:.0f} | {found['processor']:.0f} | "
            f"{found['memory'] / 1e9:.2f} GB | {found['planned'] / 1e9:.2f} GB |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def shares(spent: dict[str, float]) -> str:
    """Where our processor time goes."""
    kinds = ("features", "inference", "reading", "writing")
    inside = sum(spent[kind] for kind in kinds)
    parts = ", ".join(f"{kind} {spent[kind] / spent['processor']:.0%}" for kind in kinds)
    return (
        f"Of our processor time, on one thread: {parts}; {inside / spent['processor']:.0%} in "
        "kernels and codecs.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=float, default=4, help="million cells")
    parser.add_argument("--outline", action="store_true", help="half of the map is empty")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--memory", type=float, nargs="*", default=[], help="million cells, each")
    parser.add_argument("--trained", type=float, nargs="*", default=[], help="million cells, each")
    parser.add_argument("--folder", type=Path, help="where layers are made and kept")
    parser.add_argument("--write", action="store_true", help=f"renew {RESULTS.name}")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        side, country, folder = asked.side
        print(json.dumps(child(side, Path(country), Path(folder))))
        return
    import cloudpickle

    folder = asked.folder or Path(tempfile.gettempdir()) / "prospect-country"
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in learn(folder).items():
        (folder / name).write_bytes(cloudpickle.dumps(model))
    text = compare(folder, asked.cells, asked.outline, asked.rounds) if asked.cells else ""
    if asked.memory:
        text += "\n" + memory(folder, asked.memory, asked.outline)
    if asked.trained:
        small = layers(folder, shape_of(asked.trained[0] / 10), asked.outline)
        text += "\nThe model as `prospect train` makes it, with spread and applicability:\n\n"
        text += memory(folder, asked.trained, asked.outline, "trained")
        text += "\n" + shares(measure("trained profile", small, folder))
    print(text)
    if asked.write:
        # Where layers are kept is of no interest elsewhere.
        given = " ".join(sys.argv[1:]).replace(f"--folder {asked.folder} ", "")
        command = f"python benchmarks/country.py {given}"
        RESULTS.write_text(f"# A country, end to end\n\nMade by `{command}`.\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
