"""How far our operations agree with others': renews docs/agreement.md.

Peers that are not installed are left out and named. Fields are random and smooth without gaps,
so that only the arithmetic is compared; edges, where peers mirror or extend, are left out.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import xarray as xr
from affine import Affine

from prospect import features
from prospect.grid import Grid

HERE = Path(__file__).parent
SHAPE, CELL = (400, 500), 30.0
GRID = Grid("EPSG:32642", Affine(CELL, 0, 500_000, 0, -CELL, 4_400_000), SHAPE)

Row = tuple[str, str, np.ndarray, np.ndarray, str]


def layer() -> xr.DataArray:
    """Hills, with some noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] / 40
    values = 1500 + 300 * np.sin(y) * np.cos(x) + rng.normal(size=SHAPE)
    return xr.DataArray(values.astype(np.float32), GRID.coordinates(), ("y", "x"), name="hills")


def mapped() -> xr.DataArray:
    """A few cells of a geometry."""
    values = (np.random.default_rng(1).random(SHAPE) < 0.002).astype(np.float32)
    attrs = {"kind": "geometry"}
    return xr.DataArray(values, GRID.coordinates(), ("y", "x"), name="points", attrs=attrs)


def with_scipy(z: xr.DataArray) -> Iterator[Row]:
    from scipy import ndimage

    v = z.values.astype(np.float64)
    r, side, why = 300.0, 21, "float32 against float64"
    yield (
        "focal_mean",
        "SciPy",
        features.focal_mean(z, radius=r).values,
        ndimage.uniform_filter(v, side),
        why,
    )
    mean = ndimage.uniform_filter(v - 1500, side)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter((v - 1500) ** 2, side) - mean**2, 0))
    yield "focal_std", "SciPy", features.focal_std(z, radius=r).values, spread, why
    lowest = ndimage.minimum_filter(v, side)
    yield "focal_min", "SciPy", features.focal_min(z, radius=r).values, lowest, "none"
    highest = ndimage.maximum_filter(v, side)
    yield "focal_max", "SciPy", features.focal_max(z, radius=r).values, highest, "none"
    middle = ndimage.median_filter(z.values, side)
    yield "focal_median", "SciPy", features.focal_median(z, radius=r).values, middle, "none"
    smooth = ndimage.gaussian_filter(v, 3.0, truncate=4.0)
    ours = features.gaussian(z, sigma=3 * CELL).values
    yield "gaussian", "SciPy", ours, smooth, why
    source = mapped()
    away = ndimage.distance_transform_edt(source.values == 0, sampling=CELL)
    ours = features.distance_to(source, cap=10_000.0).values
    yield "distance_to", "SciPy", ours, np.minimum(away, 10_000), "rounded to float32"


def with_skimage(z: xr.DataArray) -> Iterator[Row]:
    from skimage.filters import gaussian

    ours = features.gaussian(z, sigma=3 * CELL).values
    theirs = gaussian(z.values.astype(np.float64), 3.0, preserve_range=True)
    yield "gaussian", "skimage", ours, theirs, "float32 against float64"


def with_xrspatial(z: xr.DataArray) -> Iterator[Row]:
    from xrspatial import aspect, curvature, slope

    z = z.assign_attrs(res=(CELL, CELL))
    why = "theirs is float32 throughout"
    yield "slope", "xarray-spatial", features.slope(z).values, slope(z).values, why
    apart = np.abs(features.aspect(z).values - aspect(z).values)
    # North is 0 and 360.
    apart = np.minimum(apart, 360 - apart)
    yield "aspect", "xarray-spatial", apart, np.zeros(SHAPE), why
    ours = features.total_curvature(z).values
    theirs = curvature(z).values / 100
    yield "total_curvature", "xarray-spatial", ours, theirs, "theirs is a hundred times as much"


def with_gdaldem(z: xr.DataArray) -> Iterator[Row]:
    import rasterio

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "z.tif"
        profile = {
            "driver": "GTiff",
            "height": SHAPE[0],
            "width": SHAPE[1],
            "count": 1,
            "dtype": "float32",
            "crs": GRID.crs.to_wkt(),
            "transform": GRID.transform,
        }
        with rasterio.open(path, "w", **profile) as target:
            target.write(z.values, 1)
        for name, mode, more in (
            ("slope", "slope", ()),
            ("ruggedness", "TRI", ("-alg", "Riley")),
            ("roughness", "roughness", ()),
        ):
            made = Path(folder) / f"{mode}.tif"
            subprocess.run(["gdaldem", mode, path, made, *more, "-q"], check=True)
            with rasterio.open(made) as source:
                theirs = source.read(1)
            ours = getattr(features, name)(z).values
            yield name, "gdaldem", ours, theirs, "float32 in both"


def with_harmonica(z: xr.DataArray) -> Iterator[Row]:
    import harmonica as hm

    # Theirs is south-up and wraps around, so it is given the hills mirrored on every side.
    around = max(SHAPE) // 2
    values = np.pad(z.values[::-1].astype(np.float64), around, mode="symmetric")
    north, east = (CELL * np.arange(n) for n in values.shape)
    grid = xr.DataArray(values, {"northing": north, "easting": east}, ("northing", "easting"))

    def theirs(name: str, **options: float) -> np.ndarray:
        with warnings.catch_warnings():
            # Its libraries warn of one another.
            warnings.simplefilter("ignore", FutureWarning)
            made = getattr(hm, name)(grid, **options).values
        return made[around:-around, around:-around][::-1]

    flat, windows = "float32 against float64", "windows against one transform, mirrored"
    for name in ("derivative_easting", "derivative_northing"):
        yield name, "harmonica", getattr(features, name)(z).values, theirs(name), flat
    for name in ("derivative_upward", "total_gradient_amplitude"):
        yield name, "harmonica", getattr(features, name)(z).values, theirs(name), windows
    tilt = -np.degrees(theirs("tilt_angle"))
    why = f"{windows}; theirs is in radians, negative over sources"
    yield "tilt_angle", "harmonica", features.tilt_angle(z).values, tilt, why
    for height in (5 * CELL, 20 * CELL):
        up = features.upward_continuation(z, height=height).values
        name = f"upward_continuation, {height / CELL:g} cells"
        other = theirs("upward_continuation", height_displacement=height)
        yield name, "harmonica", up, other, windows
    pole = {"inclination": 65.0, "declination": 10.0}
    ours = features.reduction_to_pole(z, **pole).values
    other = theirs("reduction_to_pole", **pole) + values.mean()
    why = "both whole, ours mirrored less far; theirs takes the mean out, here put back"
    yield "reduction_to_pole", "harmonica", ours, other, why


PEERS = {
    "SciPy": (find_spec("scipy"), with_scipy),
    "skimage": (find_spec("skimage"), with_skimage),
    "xarray-spatial": (find_spec("xrspatial"), with_xrspatial),
    "harmonica": (find_spec("harmonica"), with_harmonica),
    "gdaldem": (shutil.which("gdaldem"), with_gdaldem),
}
EDGE = 30


def main() -> None:
    lines = [
        "# Agreement with other programs",
        "",
        f"Hills of 1500 ± 300 m with noise of 1 m on {SHAPE[0]} × {SHAPE[1]} cells of {CELL:g} m, "
        f"{EDGE} cells of every edge left out, where others mirror or extend and ours takes the "
        "cells beyond as gaps. None of the others skips gaps in the same way, so there are none.",
        "harmonica has no pseudo-gravity; ours is tested against the formula of a prism.",
        "Made by `python benchmarks/agreement.py`.",
        "",
        "| Operation | against | largest difference | root mean square | of a spread of | why |",
        "|---|---|---|---|---|---|",
    ]
    absent = []
    z = layer()
    for peer, (there, rows) in PEERS.items():
        if not there:
            absent.append(peer)
            continue
        for name, other, ours, theirs, why in rows(z):
            inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
            apart = np.abs(ours.astype(np.float64) - theirs)[inner]
            assert np.isfinite(apart).all(), name
            spread = float(np.std(theirs[inner]))
            told = f"{spread:.3g}" if spread else "an angle"
            size = f"{apart.max():.2g} | {np.sqrt((apart**2).mean()):.2g}"
            lines.append(f"| {name} | {other} | {size} | {told} | {why} |")
    lines += ["", f"Left out, not installed: {', '.join(absent) or 'none'}.", ""]
    target = HERE.parent / "docs" / "agreement.md"
    target.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
