"""A made-up country for the end-to-end benchmark: 20 layers, zstd, streamed to the disk.

Fields are waves and smooth noise of 2 to 32 cells, to a 256th of their spread, as maps are;
2 % of every measured layer are gaps in holes. With an outline, about half of the bounding box
lies outside the country and is empty in every measured layer.
"""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from scipy.ndimage import gaussian_filter

from prospect.project import GridSpec, LayerSpec, Project
from prospect.stack import open_stack

DEFINITION = tomllib.loads((Path(__file__).parent / "recipe.toml").read_text(encoding="utf-8"))
LAYERS: dict[str, str] = DEFINITION["layers"]
SIDE = 1024
STRIPE = 512


@cache
def texture(scale: int, seed: int) -> np.ndarray:
    """Noise that is smooth over some cells and repeats every 1,024."""
    noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    field = gaussian_filter(noise, scale, mode="wrap")
    return (field / field.std()).astype(np.float32)


def field(k: int, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """The smooth value of layer ``k``."""
    near = texture((2, 4, 8, 16, 32)[k % 5], k % 5)
    far = texture((32, 16)[k % 2], 7 + k % 2)
    value = near[np.ix_((rows + 37 * k) % SIDE, (cols + 61 * k) % SIDE)]
    value += far[np.ix_((rows // 3 + 91 * k) % SIDE, (cols // 3 + 17 * k) % SIDE)]
    value += np.sin(rows / (60 + k), dtype=np.float32)[:, None] * np.cos(
        cols / (70 + k), dtype=np.float32
    )
    return np.round(value * 256) / 256


def inside(rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Where the country is: a star of 50 % of its bounding box."""
    y = ((rows + 0.5) / shape[0] * 2 - 1).astype(np.float32)[:, None]
    x = ((cols + 0.5) / shape[1] * 2 - 1).astype(np.float32)[None, :]
    turn = np.arctan2(y, x)
    rim = 0.785 + 0.09 * np.sin(3 * turn + 1) + 0.06 * np.sin(7 * turn) + 0.04 * np.sin(19 * turn)
    return np.hypot(x, y) < rim


def cells(name: str, rows: np.ndarray, cols: np.ndarray, country: np.ndarray | None) -> np.ndarray:
    """Some rows of a layer, as they stand in its file."""
    k, kind = list(LAYERS).index(name), LAYERS[name]
    value = field(k, rows, cols)
    if kind == "lines":
        # A line runs where a smooth field passes through zero.
        line = texture(32, 20 + k)[np.ix_(rows % SIDE, cols % SIDE)]
        return (np.abs(line) < 0.012).astype(np.float32)
    holes = texture(8, 30 + k % 3)[np.ix_((rows + 11 * k) % SIDE, (cols + 29 * k) % SIDE)]
    gaps = holes > 2.054
    if country is not None:
        gaps |= ~country
    if kind == "classes":
        found = np.digitize(value, (-0.8, 0.0, 0.8)).astype(np.uint8)
        found[gaps] = 255
        return found
    if kind == "positive":
        value = np.exp(value)
    value[gaps] = np.nan
    return value


def make_country(folder: Path, shape: tuple[int, int], *, outline: bool) -> None:
    """Write every layer, stripe by stripe, on two threads."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str) -> None:
        classes, lines = LAYERS[name] == "classes", LAYERS[name] == "lines"
        with rasterio.open(
            folder / f"{name}.tif",
            "w",
            driver="GTiff",
            height=shape[0],
            width=shape[1],
            count=1,
            dtype="uint8" if classes else "float32",
            nodata=None if lines else 255 if classes else np.nan,
            crs="EPSG:32642",
            transform=Affine(DEFINITION["cell"], 0, 2e5, 0, -DEFINITION["cell"], 48e5),
            tiled=True,
            blockxsize=512,
            blockysize=512,
            compress="zstd",
            zstd_level=3,
            predictor=2 if classes else 3,
            bigtiff="IF_SAFER",
        ) as dataset:
            cols = np.arange(shape[1])
            for top in range(0, shape[0], STRIPE):
                rows = np.arange(top, min(top + STRIPE, shape[0]))
                country = inside(rows, cols, shape) if outline else None
                block = cells(name, rows, cols, country)
                dataset.write(block, 1, window=((top, top + len(rows)), (0, shape[1])))

    for k in range(5):
        texture((2, 4, 8, 16, 32)[k], k)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, LAYERS))


def open_country(folder: Path) -> xr.Dataset:
    """The layers as a stack; the elevation is required."""
    kinds = {"classes": "categorical"}
    specs = tuple(
        LayerSpec(
            name=name,
            path=folder / f"{name}.tif",
            role=name,
            kind=kinds.get(kind, "continuous"),
            required=name == "elevation",
        )
        for name, kind in LAYERS.items()
    )
    stack = open_stack(Project(folder, grid=GridSpec(like="elevation"), layers=specs))
    for name, kind in LAYERS.items():
        if kind == "lines":
            stack[name].attrs["kind"] = "geometry"
        if kind == "classes":
            stack[name].attrs["classes"] = dict(enumerate(("shale", "granite", "marl", "schist")))
    return stack
