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


def rocks() -> xr.DataArray:
    """Patches of five classes."""
    from scipy import ndimage

    noise = np.random.default_rng(2).normal(size=(5, *SHAPE))
    codes = np.argmax([ndimage.gaussian_filter(field, 4) for field in noise], axis=0)
    attrs = {"classes": {code: f"rock {code}" for code in range(5)}}
    values = codes.astype(np.int32)
    return xr.DataArray(values, GRID.coordinates(), ("y", "x"), name="rocks", attrs=attrs)


def with_skimage(z: xr.DataArray) -> Iterator[Row]:
    from skimage.filters import gaussian, median, rank
    from skimage.morphology import dilation, erosion

    name, r, window, v = "scikit-image", 300.0, np.ones((21, 21), np.uint8), z.values
    ours = features.gaussian(z, sigma=3 * CELL).values
    theirs = gaussian(v.astype(np.float64), 3.0, preserve_range=True)
    yield "gaussian", name, ours, theirs, "float32 against float64"
    yield "focal_median", name, features.focal_median(z, radius=r).values, median(v, window), "none"
    yield "focal_min", name, features.focal_min(z, radius=r).values, erosion(v, window), "none"
    yield "focal_max", name, features.focal_max(z, radius=r).values, dilation(v, window), "none"
    # Its rank filters take whole numbers only: metres, and codes of classes.
    metres = np.round(v).astype(np.uint16)
    whole = z.copy(data=metres.astype(np.float32))
    ours = features.focal_range(whole, radius=r).values
    yield "focal_range, of whole metres", name, ours, rank.gradient(metres, window), "none"
    ours = features.focal_mean(whole, radius=r).values
    why = "theirs drops the fraction"
    yield "focal_mean, of whole metres", name, ours, rank.mean(metres, window), why
    ours = features.focal_percentile(whole, radius=r, percentile=90.0).values
    theirs = rank.percentile(metres, window, p0=0.9)
    why = "none, for nine tenths of 440 is a whole rank; else ours lies between two values"
    yield "focal_percentile 90, of whole metres", name, ours, theirs, why
    classes = rocks()
    codes = classes.values.astype(np.uint8)
    ours = features.class_entropy(classes, radius=r).values
    theirs = rank.entropy(codes, window) * np.log(2)
    yield (
        "class_entropy",
        name,
        ours,
        theirs,
        "theirs is in bits, here made nats; rounded to float32",
    )
    ours = features.class_majority(classes, radius=r).values
    yield "class_majority", name, ours, rank.majority(codes, window), "none"


def with_xrspatial(z: xr.DataArray) -> Iterator[Row]:
    from xrspatial import aspect, curvature, slope

    z = z.assign_attrs(res=(CELL, CELL))
    why = "float32, and our arctangent, good to 4e-5°"
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

        def run(mode: str, *more: str) -> np.ndarray:
            made = Path(folder) / "made.tif"
            subprocess.run(["gdaldem", mode, path, made, *more, "-q"], check=True)
            with rasterio.open(made) as source:
                return source.read(1).astype(np.float64)

        for told, method, more in (
            ("", "horn", ()),
            (", Zevenbergen–Thorne", "zevenbergen-thorne", ("-alg", "ZevenbergenThorne")),
        ):
            why = (
                "theirs adds float32 heights first; ours is within 5e-5° of float64"
                if method == "horn"
                else "float32, and our arctangent, good to 4e-5°"
            )
            ours = features.slope(z, method=method).values
            yield f"slope{told}", "gdaldem", ours, run("slope", *more), why
            apart = np.abs(features.aspect(z, method=method).values - run("aspect", *more))
            # North is 0 and 360.
            apart = np.minimum(apart, 360 - apart)
            yield f"aspect{told}", "gdaldem", apart, np.zeros(SHAPE), why
            ours = features.hillshade(z, method=method).values
            # Theirs is a byte: 1 is the darkest, for 0 is its gap, and 255 the brightest.
            theirs = (run("hillshade", *more) - 1) / 254
            why = "theirs is rounded to a byte: half of 1/254 is 0.002"
            yield f"hillshade{told}", "gdaldem", ours, theirs, why
        for name, told, mode, more, why in (
            ("ruggedness", ", -alg Riley", "TRI", ("-alg", "Riley"), "float32 in both"),
            ("roughness", "", "roughness", (), "none"),
        ):
            ours = getattr(features, name)(z).values
            yield f"{name}{told}", "gdaldem", ours, run(mode, *more), why
        ours = features.terrain_derivatives(z, outputs=["position"]).values[0]
        why = "theirs subtracts a float32 mean, ours adds differences"
        yield "position, of terrain_derivatives", "gdaldem", ours, run("TPI"), why


OTHERWISE = """\
Where definitions differ, so that other choices would not agree:

- **Edges.** SciPy and scikit-image mirror or extend the layer, or count fewer cells; ours counts
  the cells there are, `min_valid` of them at least. Derivatives of 3 × 3 cells leave the outer ring
  a gap with gdaldem and xarray-spatial, as with us (gdaldem's `-compute_edges` fills it).
- **Gaps.** gdaldem makes a gap of every cell with one among its 3 × 3, which are the cells that are
  gaps with us. xarray-spatial looks at the neighbours that a formula takes, so that a slope comes
  out inside a gap of one cell. SciPy's `uniform_filter` carries a NaN to the end of its row, and of
  those columns; scikit-image's rank filters take whole numbers only.
- **Flats.** No aspect: a gap with us and gdaldem, −1 with xarray-spatial. Curvatures, eastness and
  northness are 0.
- **Ruggedness** is Riley's root of summed squares; gdaldem's default is Wilson's mean of absolute
  differences.
- **Hillshade** runs from 0 to 1; gdaldem's is a byte from 1 to 255.
- **Curvature.** xarray-spatial has a hundred times the total one, on square cells.
- **Percentiles** lie between two values by line, as with NumPy; scikit-image's are one of them.
- **Entropy** is in nats; scikit-image's in bits."""


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


def assays() -> list[xr.DataArray]:
    """Skewed layers that are parts of a whole."""
    rng = np.random.default_rng(2)
    values = np.exp(rng.normal(size=(4, *SHAPE)) + np.arange(4)[:, None, None])
    parts = (values / values.sum(axis=0)).astype(np.float32)
    names = ("Sb", "As", "Pb", "Zn")
    return [
        xr.DataArray(part, GRID.coordinates(), ("y", "x"), name=name)
        for part, name in zip(parts, names, strict=True)
    ]


def table_of(parts: list[xr.DataArray]) -> np.ndarray:
    """A row a cell, a column a part, float64."""
    return np.stack([part.values.ravel() for part in parts], axis=1).astype(np.float64)


def beside(planes: np.ndarray) -> np.ndarray:
    """Planes side by side."""
    return np.concatenate(list(planes), axis=1)


def of_table(table: np.ndarray) -> np.ndarray:
    """Columns of a table as planes side by side."""
    return beside(table.T.reshape(-1, *SHAPE))


def with_scipy_powers(z: xr.DataArray) -> Iterator[Row]:
    from scipy import stats

    part = assays()[2]
    for method, function in (("box-cox", stats.boxcox), ("yeo-johnson", stats.yeojohnson)):
        theirs = function(part.values.ravel().astype(np.float64))[0]
        theirs = ((theirs - theirs.mean()) / theirs.std()).reshape(SHAPE)
        ours = features.power_transform(part, method=method).values
        yield f"power_transform, {method}", "SciPy", ours, theirs, "float32 against float64"


def with_composition_stats(z: xr.DataArray) -> Iterator[Row]:
    import composition_stats as peer

    parts, why = assays(), "float32 against float64"
    table = table_of(parts)
    ours = beside(features.log_ratio_clr(*parts).values)
    yield "log_ratio_clr", "composition-stats", ours, of_table(peer.clr(table)), why
    ours = beside(features.log_ratio_alr(*parts).values)
    theirs = of_table(peer.alr(table, denominator_idx=3))
    yield "log_ratio_alr", "composition-stats", ours, theirs, why
    # The same binary partition: one against three, one against two, one against one.
    partition = np.array([[1, -1, -1, -1], [0, 1, -1, -1], [0, 0, 1, -1]])
    theirs = of_table(peer.ilr(table, basis=peer.sbp_basis(partition)))
    balances = [features.ilr_balance(*parts[k:], numerator=1).values for k in range(3)]
    yield "ilr_balance", "composition-stats", np.concatenate(balances, axis=1), theirs, why


def with_pyrolite(z: xr.DataArray) -> Iterator[Row]:
    from pyrolite.comp import codata

    parts, why = assays(), "float32 against float64"
    table = table_of(parts)
    ours = beside(features.log_ratio_clr(*parts).values)
    yield "log_ratio_clr", "pyrolite", ours, of_table(codata.CLR(table)), why
    ours = beside(features.log_ratio_alr(*parts).values)
    yield "log_ratio_alr", "pyrolite", ours, of_table(codata.ALR(table, ind=-1)), why


PEERS = {
    "SciPy": (find_spec("scipy"), with_scipy),
    "scikit-image": (find_spec("skimage"), with_skimage),
    "SciPy's powers": (find_spec("scipy"), with_scipy_powers),
    "composition-stats": (find_spec("composition_stats"), with_composition_stats),
    "pyrolite": (find_spec("pyrolite"), with_pyrolite),
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
        "harmonica has no pseudo-gravity; ours is tested against the formula of a prism. "
        "Log-ratios are of four skewed parts of a whole (pyrolite is in no extra).",
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
    lines += ["", OTHERWISE]
    lines += ["", f"Left out, not installed: {', '.join(absent) or 'none'}.", ""]
    target = HERE.parent / "docs" / "agreement.md"
    target.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
