"""The careful script that the engine is measured against: rasterio, OpenCV, SciPy, scikit-learn.

By blocks of 512 x 2048 cells, two threads in every step: layers are read with their halo, a
thread a layer; features come from peer.py, whose rows are whichever of the three is fastest and
share what they can, a thread a stripe; cells that count are gathered once, and every tree is
asked once for the mean and the spread both, a thread half of the trees. Empty blocks are
skipped. The GeoTIFF is written with two threads of GDAL, and copied to a cloud-optimised one.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from peer import PAD, STRIPE, Peer, Tile

HEIGHT, WIDTH = 512, 2048
THREADS = 2


class Block(Peer):
    """The rows of a recipe on one block, whose layers were read with a halo."""

    def __init__(
        self,
        layers: dict[str, np.ndarray],
        steps: Any,
        cell: float,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.steps, self.cell, self.pool, self.layers = steps, cell, pool, layers
        some = next(iter(layers.values()))
        self.shape = some.shape[0] - 2 * PAD, some.shape[1] - 2 * PAD
        self.local = threading.local()
        self.maps = self.distances()

    def distances(self) -> dict:
        """With the halo, which is at least every cap."""
        import cv2

        jobs = {}
        for step in self.steps:
            if step.operation.name in ("distance_to", "proximity", "distance_to_classes"):
                jobs.setdefault((step.spec.of[0], tuple(step.parameters.get("codes", ()))), None)

        def one(job: tuple) -> np.ndarray:
            name, codes = job
            layer = self.layers[name]
            source = np.isin(layer, codes) if codes else layer > 0
            if not source.any():
                return np.full(self.shape, np.inf, np.float32)
            away = cv2.distanceTransform(
                (~source).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
            )
            away = away[PAD:-PAD, PAD:-PAD]
            return away * np.float32(self.cell)

        return dict(zip(jobs, self.pool.map(one, jobs), strict=True))

    def fill(self, out: np.ndarray) -> None:
        """Every feature of the block, a thread a stripe."""

        def one(top: int) -> None:
            rows = min(STRIPE, self.shape[0] - top)
            tile, at = Tile(self, top, rows), 0
            with np.errstate(invalid="ignore", divide="ignore"):
                for step in self.steps:
                    many = len(step.columns)
                    tile.row(step, out[at : at + many, top : top + rows])
                    at += many

        list(self.pool.map(one, range(0, self.shape[0], STRIPE)))


def read(path: Path, top: int, left: int, shape: tuple[int, int]) -> np.ndarray:
    """A block with its halo; gaps lie beyond the map."""
    with rasterio.open(path) as dataset:
        classes = dataset.dtypes[0] == "uint8"
        lines = dataset.nodata is None
        rows = max(0, top - PAD), min(dataset.height, top + shape[0] + PAD)
        cols = max(0, left - PAD), min(dataset.width, left + shape[1] + PAD)
        values = dataset.read(1, window=(rows, cols))
    if classes:
        values = np.where(values == 255, -1, values).astype(np.int32)
    before = (rows[0] - top + PAD, cols[0] - left + PAD)
    after = (top + shape[0] + PAD - rows[1], left + shape[1] + PAD - cols[1])
    if any(before) or any(after):
        gap = -1 if classes else 0 if lines else np.nan
        pads = list(zip(before, after, strict=True))
        values = np.pad(values, pads, constant_values=gap)
    return values


def ask(trees: list, cells: np.ndarray, pool: ThreadPoolExecutor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of the trees, each asked once."""

    def some(part: list) -> tuple[np.ndarray, np.ndarray]:
        total, squares = np.zeros(len(cells)), np.zeros(len(cells))
        for tree in part:
            share = tree.tree_.predict(cells)[:, 1]
            total += share
            squares += share * share
        return total, squares

    parts = list(pool.map(some, [trees[k::THREADS] for k in range(THREADS)]))
    mean = sum(part[0] for part in parts) / len(trees)
    square = sum(part[1] for part in parts) / len(trees)
    return mean, np.sqrt(np.maximum(square - mean * mean, 0))


def run(folder: Path, builder: Any, forest: Any, output: Path) -> None:
    """Score the country in a folder."""
    import cv2

    cv2.setNumThreads(1)
    steps, cell = builder.steps_, builder.cell_.dx
    names = list(builder.layers_)
    count = len(builder.feature_names)
    raw = output.with_suffix(".plain.tif")
    features = np.empty(count * HEIGHT * WIDTH, np.float32)
    with rasterio.open(folder / "elevation.tif") as like, ThreadPoolExecutor(THREADS) as pool:
        profile = {
            "driver": "GTiff",
            "height": like.height,
            "width": like.width,
            "count": 2,
            "dtype": "float32",
            "nodata": np.nan,
            "crs": like.crs,
            "transform": like.transform,
            "tiled": True,
            "blockxsize": 512,
            "blockysize": 512,
            "compress": "zstd",
            "predictor": 3,
            "num_threads": THREADS,
            "bigtiff": "IF_SAFER",
        }
        with rasterio.open(raw, "w", **profile) as target:
            for top in range(0, like.height, HEIGHT):
                for left in range(0, like.width, WIDTH):
                    shape = min(HEIGHT, like.height - top), min(WIDTH, like.width - left)
                    window = ((top, top + shape[0]), (left, left + shape[1]))
                    known = ~np.isnan(like.read(1, window=window))
                    out = np.full((2, *shape), np.nan, np.float32)
                    if known.any():
                        blocks = pool.map(
                            lambda name, t=top, e=left, s=shape: read(
                                folder / f"{name}.tif", t, e, s
                            ),
                            names,
                        )
                        layers = dict(zip(names, blocks, strict=True))
                        made = features[: count * shape[0] * shape[1]].reshape(count, *shape)
                        Block(layers, steps, cell, pool).fill(made)
                        cells = np.ascontiguousarray(made[:, known].T)
                        out[0, known], out[1, known] = ask(forest.estimators_, cells, pool)
                    target.write(out, window=window)
    rasterio.shutil.copy(
        str(raw),
        str(output),
        driver="COG",
        compress="ZSTD",
        predictor="FLOATING_POINT",
        num_threads=str(THREADS),
        bigtiff="IF_SAFER",
    )
    raw.unlink()
