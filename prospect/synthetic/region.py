"""The synthetic region, assembled: ground, surveys, truth, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import shapely
import xarray as xr
from affine import Affine
from numpy.random import Generator
from numpy.typing import NDArray
from shapely.geometry import Polygon, box

from prospect.errors import GridError
from prospect.grid import Grid, Window
from prospect.raster import polygons
from prospect.synthetic import surveys
from prospect.synthetic.deposits import (
    EXPECTED,
    blind_driver,
    discover,
    exponent,
    intensity,
    latent_fields,
    realise,
    report,
    scores,
)
from prospect.synthetic.drilling import boreholes
from prospect.synthetic.fields import Field
from prospect.synthetic.geology import CLASSES, Geology, make_geology, parts
from prospect.synthetic.relief import Relief, make_relief
from prospect.synthetic.worlds import World, world
from prospect.vector import frame

CRS = pyproj.CRS("EPSG:32642")
CORNER = (620_000.0, 4_440_000.0)
"""North-west corner, in the mountains south of Batken."""

MARGIN = 10_000.0
"""Ground made beyond the map on every side, in metres, so that nothing ends at its edge."""

ATTRS: dict[str, dict[str, Any]] = {
    "magnetics": {
        "role": "magnetics.tmi",
        "kind": "continuous",
        "units": "nT",
        "long_name": "Total-field magnetic anomaly",
        "required": True,
    },
    "gravity": {
        "role": "gravity.bouguer",
        "kind": "continuous",
        "units": "mGal",
        "long_name": "Complete Bouguer anomaly",
    },
    "elevation": {
        "role": "elevation",
        "kind": "continuous",
        "units": "m",
        "long_name": "Elevation",
        "required": True,
    },
    "lithology": {
        "role": "geology.lithology",
        "kind": "categorical",
        "units": "",
        "long_name": "Rock class",
        "classes": CLASSES,
    },
    "cover": {
        "role": "cover.surficial",
        "kind": "categorical",
        "units": "",
        "long_name": "Quaternary cover",
        "classes": {0: "outcrop", 1: "quaternary cover"},
    },
    "magnetics_rtp": {
        "role": "magnetics.rtp",
        "kind": "continuous",
        "units": "nT",
        "long_name": "Magnetic anomaly reduced to the pole",
    },
    **{
        f"radiometrics_{element}": {
            "role": f"radiometrics.{element}",
            "kind": "continuous",
            "units": unit,
            "long_name": f"{name} by gamma rays",
        }
        for element, unit, name in (
            ("K", "%", "Potassium"),
            ("Th", "ppm", "Equivalent thorium"),
            ("U", "ppm", "Equivalent uranium"),
        )
    },
}

# A part takes its own stream, so that changing one leaves the others as they were; new
# parts go to the end.
_GROUND = (
    "belt", "faults", "plutons", "basins", "relief", "latent", "magnetics", "gravity",
    "geochemistry", "licences", "names", "radiometrics", "blind", "drilling",
)  # fmt: skip
_DRAWN = ("deposits", "discovery", "report")

_FIRST = (
    "Ak", "Altyn", "Boz", "Chong", "Dzhar", "Eki", "Jangy", "Kara", "Keng", "Kök", "Kürp",
    "Kyzyl", "Orto", "Sary", "Töö", "Üch",
)  # fmt: skip
_LAST = (
    "Archa", "Bel", "Bulak", "Dara", "Döbö", "Jar", "Jol", "Kapka", "Köl", "Kuduk", "Sai",
    "Suu", "Tash", "Tör", "Tüz", "Unkur",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Truth:
    """
    What no one knows of a real region.

    Attributes
    ----------
    intensity : Dataset of (y, x), float32
        Expected deposits per cell of each commodity. Its order is the best score there is:
        no map can rank better. 0 where the commodity cannot be, NaN under cover (unless the
        world is of concealed deposits).
    score : Dataset of (y, x), float32
        z, the part of the logarithm of the intensity that mapped geology explains.
    deposits : DataFrame
        Every realised deposit: ``x``, ``y`` in m, ``name``, ``commodity``, ``known``.
    """

    intensity: xr.Dataset
    score: xr.Dataset
    deposits: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Region:
    """
    A mountain region that never was, with its layers, labels and truth.

    Attributes
    ----------
    seed, realisation : int
        What it was made from.
    kind : str
        Of world.
    grid : Grid
        Of all layers.
    layers : Dataset of (y, x)
        Float32 with NaN for gaps, each with ``role``, ``kind``, ``units`` and ``long_name``.
        The categorical ``lithology`` and ``cover`` are int32 with ``classes``; -1 is a gap.
    faults : GeoDataFrame
        Lines with ``kind`` (``thrust`` or ``strike_slip``) and ``name``.
    geology : GeoDataFrame
        Polygons with ``unit``. Ground under Quaternary cover has none.
    licence_blocks : GeoDataFrame
        Polygons with ``name``.
    occurrences : DataFrame
        What is known: ``x``, ``y`` in m, ``name``, ``commodity``, ``status``.
    assays : DataFrame
        Drainage samples as a laboratory reports them: ``sample``, ``x``, ``y`` and columns
        such as ``Sb_ppm``, as text, with ``<0.5`` below the detection limit.
    boreholes : DataFrame
        Of the coal basins: ``hole``, ``x``, ``y``, ``collar_m``, ``depth_m``, ``basement_m``,
        ``coal_m`` and ``coal``, 1 or 0.
    truth : Truth
        What is not known.
    """

    seed: int
    realisation: int
    kind: str
    grid: Grid
    layers: xr.Dataset
    faults: pd.DataFrame
    geology: pd.DataFrame
    licence_blocks: pd.DataFrame
    occurrences: pd.DataFrame
    assays: pd.DataFrame
    boreholes: pd.DataFrame
    truth: Truth

    @property
    def lithology(self) -> xr.DataArray:
        """Rock classes, int32; -1 under Quaternary cover."""
        return self.layers["lithology"]

    @property
    def classes(self) -> dict[int, str]:
        """Names of the rock classes."""
        return dict(CLASSES)


def make_region(
    seed: int = 0,
    *,
    shape: tuple[int, int] = (320, 400),
    cell: float = 250.0,
    realisation: int = 0,
    kind: str = "ordinary",
) -> Region:
    """
    Make a fold–thrust belt with antimony, gold and coal in it.

    Thrust sheets, strike-slip faults, plutons and coal basins decide where ore is likely,
    together with a latent field that only geochemistry hints at. Deposits are drawn from
    that intensity, and fewer than half of them are known, mostly those easy to reach.
    Halos follow the latent field and never the deposits drawn, which they would betray.

    Parameters
    ----------
    seed : int
        Another seed makes another region. Region 0 serves as the sample because each
        commodity in it has enough known deposits to learn from: 26, 31 and 12.
    shape : (int, int)
        Rows and columns. The number of deposits does not depend on it.
    cell : float
        Side of a cell in metres. ``shape=(80, 100), cell=1000`` is the same extent, quickly.
    realisation : int
        Another number draws other deposits, known or not, in the same ground.
    kind : str
        Of world: ``ordinary``, where ore follows what the commodity files expect, or one that
        contradicts them: ``wrong signs``, ``other lengths``, ``missing driver``,
        ``catchment dispersion`` or ``concealed deposits``. Ground and surveys are the same
        in all but ``catchment dispersion``.

    Returns
    -------
    Region

    Raises
    ------
    GridError
        If the map would be less than 10 km wide.
    ProspectError
        If there is no such kind of world.

    Examples
    --------
    >>> region = make_region(shape=(80, 100), cell=1000.0)
    >>> sorted(region.truth.intensity)
    ['antimony', 'coal', 'gold']
    """
    if min(shape) * cell < MARGIN:
        raise GridError(
            f"A region needs at least {MARGIN / 1000:g} km on each side, but its shape is "
            f"{tuple(shape)} with cells of {cell:g} m: make it larger."
        )
    how = world(kind)
    streams = _streams(seed, realisation)
    grid = Grid(CRS, Affine(cell, 0.0, CORNER[0], 0.0, -cell, CORNER[1]), shape)
    edge = round(MARGIN / cell)
    ground = grid.crop(grid.window.expand(edge, edge))
    inner = Window(edge, edge, *grid.shape).slices

    geology = make_geology(ground, streams)
    relief = make_relief(geology, streams["relief"])
    latent = latent_fields(ground, streams["latent"])
    layers, assays = _observe(geology, relief, latent, grid, inner, streams, how)
    names = _names(streams["names"])

    cover = relief.cover[inner]
    basin = geology.basin_depth[inner] > 0
    mapped = {name: field[inner] for name, field in scores(geology, how).items()}
    # Where ore is not asked for: under cover, unless that is what the world is about.
    unknown = cover & (not how.concealed)
    z = {name: np.where(unknown, np.nan, field) for name, field in mapped.items()}
    hidden = blind_driver(ground, streams["blind"])[inner] if how.blind else 0.0
    coal_bearing = ~basin if how.sign < 0 else basin
    rate = {
        name: intensity(
            z[name] + hidden,
            latent[name][inner],
            coal_bearing if name == "coal" else ~basin,
            number,
        )
        for name, number in EXPECTED.items()
    }
    deposits = realise(grid, rate, streams["deposits"])
    faults, licences = _faults(geology, grid, names), _licences(grid, names, streams["licences"])
    deposits["name"] = list(islice(names, len(deposits)))
    row, col, _ = grid.index(deposits["x"].to_numpy(), deposits["y"].to_numpy())
    access = np.exp(-relief.valley_distance[inner][row, col] / 4_000.0)
    deposits["known"] = discover(deposits, access, streams["discovery"])
    deposits["known"] &= ~cover[row, col]  # nobody finds deposits under cover
    return Region(
        seed=seed,
        realisation=realisation,
        kind=kind,
        grid=grid,
        layers=layers,
        faults=faults,
        geology=_units(layers["lithology"].to_numpy(), grid),
        licence_blocks=licences,
        occurrences=report(deposits[deposits["known"]], grid, streams["report"]),
        assays=assays,
        boreholes=boreholes(
            grid,
            geology.basin_depth[inner],
            relief.elevation[inner],
            exponent(mapped["coal"], latent["coal"][inner]),
            streams["drilling"],
        ),
        truth=Truth(_dataset(rate, grid), _dataset(z, grid), deposits),
    )


def _streams(seed: int, realisation: int) -> dict[str, Generator]:
    """A generator for each part; those of the draw alone depend on the realisation."""
    keys: dict[str, tuple[int, ...]] = {name: (0, i) for i, name in enumerate(_GROUND)}
    keys |= {name: (1, i, realisation) for i, name in enumerate(_DRAWN)}
    return {
        name: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        for name, key in keys.items()
    }


def _observe(
    geology: Geology,
    relief: Relief,
    latent: dict[str, Field],
    grid: Grid,
    inner: tuple[slice, slice],
    streams: dict[str, Generator],
    how: World,
) -> tuple[xr.Dataset, pd.DataFrame]:
    """The layers on the map's grid, and the drainage samples that some come from."""
    samples, limits = surveys.drainage_samples(
        geology, relief, latent, streams["geochemistry"], dispersed=how.dispersed
    )
    magnetics = surveys.magnetics(geology, streams["magnetics"])
    pole = surveys.reduced_to_pole(magnetics, grid.cell.dx)
    rays = surveys.radiometrics(geology, relief, latent, streams["radiometrics"])
    # Decimals that no instrument gives would only swell the files.
    fields = {
        "magnetics": magnetics[inner].round(1),
        "gravity": surveys.gravity(geology, relief, streams["gravity"])[inner].round(2),
        "elevation": relief.elevation[inner].round(1),
        "lithology": np.where(relief.cover, -1, geology.bedrock)[inner],
        "cover": relief.cover[inner],
        **surveys.geochemical_maps(grid.x, grid.y, samples, limits),
        "magnetics_rtp": pole[inner].round(1),
        **{f"radiometrics_{name}": field[inner].round(2) for name, field in rays.items()},
    }
    layers = _dataset(fields, grid)
    for name, attrs in ATTRS.items():
        layers[name].attrs = dict(attrs)
    for name in ("lithology", "cover"):
        layers[name] = layers[name].astype(np.int32)
    for element in surveys.BACKGROUND:
        layers[f"{element}_ppm"].attrs = {
            "role": f"geochemistry.{element}",
            "kind": "continuous",
            "units": "ppm",
            "long_name": f"{element} in stream sediment",
        }
    x, y = samples["x"].to_numpy(), samples["y"].to_numpy()
    inside = grid.index(x, y)[2]
    return layers, surveys.laboratory(samples[inside], limits)


def _dataset(fields: dict[str, NDArray[Any]], grid: Grid) -> xr.Dataset:
    """Arrays as float32 on a grid."""
    layers = {name: (("y", "x"), field.astype(np.float32)) for name, field in fields.items()}
    return xr.Dataset(layers, coords=grid.coordinates())


def _names(rng: Generator) -> Iterator[str]:
    """Place names in no order; no two alike in a region of the usual size."""
    names = [f"{first}-{last}" for first in _FIRST for last in _LAST]
    return cycle(rng.permutation(names).tolist())


def _faults(geology: Geology, grid: Grid, names: Iterator[str]) -> pd.DataFrame:
    """Fault traces within the map."""
    edge = box(*grid.bounds)
    kinds = {"thrust": geology.thrusts, "strike_slip": geology.strike_slip}
    lines = [
        (part, kind, name)
        for kind, traces in kinds.items()
        for trace, name in zip(traces, names, strict=False)
        for part in parts(trace.intersection(edge))
    ]
    columns = {
        "kind": [kind for _, kind, _ in lines],
        "name": [f"{name} {'thrust' if kind == 'thrust' else 'fault'}" for _, kind, name in lines],
    }
    table: pd.DataFrame = frame(columns, [line for line, _, _ in lines], grid.crs)
    return table


def _units(lithology: NDArray[np.int32], grid: Grid) -> pd.DataFrame:
    """The lithology as polygons that share smooth edges, as a map sheet draws them."""
    outlines = polygons(lithology, grid, mask=lithology >= 0)
    smooth = shapely.coverage_simplify([outline for outline, _ in outlines], 1.5 * grid.cell.dx)
    units = {"unit": [CLASSES[code] for _, code in outlines]}
    table: pd.DataFrame = frame(units, list(smooth), grid.crs)
    return table


def _licences(grid: Grid, names: Iterator[str], rng: Generator) -> pd.DataFrame:
    """Some twelve blocks that do not overlap, a few with a corner given back."""
    west, south, east, north = grid.bounds
    blocks: list[Polygon] = []
    for _ in range(40):
        width = rng.uniform(0.04, 0.12) * (east - west)
        height = rng.uniform(0.05, 0.13) * (north - south)
        x, y = rng.uniform(west, east - width), rng.uniform(south, north - height)
        block = box(x, y, x + width, y + height)
        if rng.random() < 0.4:
            block = block.difference(box(x, y, x + 0.4 * width, y + 0.5 * height))
        if len(blocks) < 12 and not any(block.distance(other) < 1_000.0 for other in blocks):
            blocks.append(block)
    titles = {"name": [f"{next(names)} block" for _ in blocks]}
    table: pd.DataFrame = frame(titles, blocks, grid.crs)
    return table
