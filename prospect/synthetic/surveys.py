"""What surveys of the synthetic ground measured: magnetics, gravity, drainage samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import KDTree

from prospect.synthetic.fields import Field, random_field
from prospect.synthetic.geology import GRANITOID, Geology, strike_grain
from prospect.synthetic.relief import Drainage, Relief

# Each row follows the classes of the geology: shale, carbonate, flysch, schist, granitoid,
# Jurassic, molasse.
SUSCEPTIBILITY = np.array([4e-4, 5e-5, 7e-4, 1.8e-3, 1.3e-2, 2e-4, 3e-4])
DENSITY = np.array([2.66, 2.71, 2.66, 2.70, 2.62, 2.66, 2.66])

OFFSETS = {
    "Sb": [0.5, -0.1, 0.0, 0.1, -0.5, -0.1, -0.2],
    "Au": [0.2, -0.2, 0.0, 0.2, 0.0, -0.2, -0.2],
    "As": [0.6, -0.4, 0.1, 0.2, -0.4, 0.0, -0.2],
    "Hg": [0.4, 0.0, 0.0, -0.1, -0.4, 0.1, -0.1],
    "Cu": [0.4, -0.7, 0.0, 0.2, -0.5, -0.1, -0.2],
    "Pb": [0.2, -0.1, 0.0, 0.0, 0.4, -0.1, -0.1],
    "Zn": [0.5, -0.3, 0.1, 0.1, -0.2, -0.1, -0.1],
}
BACKGROUND = {"Sb": 0.8, "Au": 0.002, "As": 9.0, "Hg": 0.05, "Cu": 28.0, "Pb": 17.0, "Zn": 78.0}
"""Median in ppm."""
HALO = {"Sb": (0.9, 0.0), "Au": (0.0, 0.9), "As": (0.64, 0.64), "Hg": (0.86, 0.0)}
"""How the antimony and gold latent fields show in the logarithm of an element."""
CENSORED = {"Au": 0.55, "Sb": 0.35, "As": 0.10}
"""Share of samples below the detection limit."""

RADIOMETRICS = {
    "K": [2.6, 0.5, 1.9, 2.2, 3.6, 1.4, 1.7],
    "Th": [12.0, 2.5, 9.0, 11.0, 20.0, 6.0, 7.0],
    "U": [4.0, 1.6, 2.5, 2.6, 5.0, 2.0, 2.1],
}
"""Median of a rock: % potassium, ppm thorium and uranium."""
GRAVEL = {"K": 1.9, "Th": 8.5, "U": 2.4}
ALTERED = 0.15
"""How the gold latent field shows in the logarithm of potassium."""
FIELD = 58.0, 5.0
"""Inclination and declination of the magnetic field, in degrees."""

REACH = 2_500.0
"""Distance in metres from the nearest sample beyond which a geochemical map has a gap."""


def magnetics(geology: Geology, rng: Generator) -> Field:
    """
    Total-field anomaly in nT, 300 m above 2 km of magnetised ground [1]_.

    The inclination is 58°, the declination 5°; north–south flight lines 500 m apart leave
    faint stripes.

    References
    ----------
    .. [1] Blakely (1995). Potential Theory in Gravity and Magnetic Applications, ch. 11.
    """
    grid, cell = geology.grid, geology.grid.cell.dx
    grain = strike_grain(geology, rng, 2_500.0, stretch=5.0)
    zoning = random_field(rng, grid.shape, cell, 5_000.0, smoothness=1.0)
    # Plutons came after the folding, so its grain hardly shows in them.
    fabric = np.where(geology.bedrock == GRANITOID, 0.15, 0.7)
    magnetised = SUSCEPTIBILITY[geology.bedrock - 1] * np.exp(fabric * grain + 0.25 * zoning)
    pad = round(15_000.0 / cell)
    source = np.pad(magnetised, pad, mode="reflect")
    k, dip = _dip(source.shape, cell)
    response = 53_500.0 / 2 * dip**2 * np.exp(-300.0 * k) * -np.expm1(-2_000.0 * k)
    anomaly = fft.irfft2(response * fft.rfft2(source), s=source.shape)[pad:-pad, pad:-pad]
    regional = 30.0 * random_field(rng, grid.shape, cell, 60_000.0)
    noise = rng.normal(0.0, 5.0, grid.shape)
    return np.asarray(anomaly + regional + noise + _levelling(grid.shape, cell, rng))


def reduced_to_pole(measured: Field, cell: float) -> Field:
    """
    The measured anomaly in nT as it would be were the field vertical, its noise included.

    The mean stays as it is, since no field says what it would be at the pole.
    """
    pad = round(15_000.0 / cell)
    source = np.pad(measured, pad, mode="reflect")
    _, dip = _dip(source.shape, cell)
    dip[0, 0] = 1.0
    turned = fft.irfft2(fft.rfft2(source) / dip**2, s=source.shape)
    return np.asarray(turned[pad:-pad, pad:-pad])


def radiometrics(
    geology: Geology, relief: Relief, latent: dict[str, Field], rng: Generator
) -> dict[str, Field]:
    """
    Potassium in %, equivalent thorium and uranium in ppm, from the air.

    Rocks decide, and soils that are wetter or drier, which all three share; where gold was
    likely, potassium was added. Gravel hides it.
    """
    grid, cell = geology.grid, geology.grid.cell.dx
    soil = 0.12 * random_field(rng, grid.shape, cell, 6_000.0)
    fields = {}
    for element, rocks in RADIOMETRICS.items():
        own = 0.3 * random_field(rng, grid.shape, cell, 4_000.0, smoothness=1.0)
        altered = ALTERED * latent["gold"] if element == "K" else 0.0
        ground = np.log(np.array(rocks))[geology.bedrock - 1] + own + altered
        ground = np.where(relief.cover, np.log(GRAVEL[element]), ground)
        # What is counted comes from a few hundred metres around.
        seen = gaussian_filter(np.exp(ground + soil), 250.0 / cell)
        fields[element] = seen * np.exp(rng.normal(0.0, 0.06, grid.shape))
    return fields


def _dip(shape: tuple[int, int], cell: float) -> tuple[Field, NDArray[np.complex128]]:
    """Wavenumbers of a real transform, and what the field's dip does to each."""
    ky = -2 * np.pi * fft.fftfreq(shape[0], cell)[:, np.newaxis]
    kx = 2 * np.pi * fft.rfftfreq(shape[1], cell)[np.newaxis, :]
    k = np.hypot(kx, ky)
    k[0, 0] = np.inf
    inclination, declination = np.deg2rad(FIELD)
    dip = (
        np.sin(inclination)
        + 1j * np.cos(inclination) * (kx * np.sin(declination) + ky * np.cos(declination)) / k
    )
    return k, dip


def _levelling(shape: tuple[int, int], cell: float, rng: Generator) -> Field:
    """Errors of 3 nT that stay with a flight line and drift slowly along it."""
    width = max(round(500.0 / cell), 1)
    lines = rng.standard_normal((shape[0], shape[1] // width + 1))
    drift = gaussian_filter1d(lines, 15_000.0 / cell, axis=0)
    drift *= 3.0 / drift.std()
    return np.repeat(drift, width, axis=1)[:, : shape[1]]


def gravity(geology: Geology, relief: Relief, rng: Generator) -> Field:
    """Complete Bouguer anomaly in mGal: roots of the mountains, slabs of basin fill and rock."""
    grid, cell = geology.grid, geology.grid.cell.dx
    slab = 0.0419
    rock = 2_000.0 * (DENSITY[geology.bedrock - 1] - 2.67)
    fill = geology.basin_depth * -0.4
    # Rock contrasts lie deeper than the fill, and both deeper than the stations are apart.
    shallow = slab * (gaussian_filter(fill, 900.0 / cell) + gaussian_filter(rock, 1_800.0 / cell))
    roots = -0.09 * gaussian_filter(relief.elevation, 20_000.0 / cell)
    regional = 6.0 * random_field(rng, grid.shape, cell, 60_000.0)
    noise = 0.4 * random_field(rng, grid.shape, cell, 4_000.0)
    return np.asarray(roots + shallow + regional + noise)


def drainage_samples(
    geology: Geology,
    relief: Relief,
    latent: dict[str, Field],
    rng: Generator,
    *,
    dispersed: bool = False,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """
    Stream sediments at irregular points along small streams.

    Parameters
    ----------
    dispersed : bool
        A sample holds the mean content of its catchment (Hawkes 1976), not that of the
        ground it was taken on.

    Returns
    -------
    table : DataFrame
        ``x``, ``y`` and the content of each element in ppm, uncensored.
    limits : dict of str to float
        Detection limits in ppm.
    """
    grid, cell = geology.grid, geology.grid.cell.dx
    effort = random_field(rng, grid.shape, cell, 18_000.0)
    small = (relief.catchment > 1e6) & (relief.catchment < 40e6)
    # Teams left whole sheets out, and walked less far from the valleys.
    weight = small * (effort > -1.1) * np.exp(0.5 * effort - relief.valley_distance / 9_000.0)
    wanted = round(grid.rows * grid.cols * cell**2 / 3.2e6)
    count = min(wanted, int(np.count_nonzero(weight)))
    chosen = rng.choice(weight.size, count, replace=False, p=(weight / weight.sum()).ravel())
    row, col = np.divmod(np.sort(chosen), grid.cols)
    table = {
        "x": grid.x[col] + rng.uniform(-cell / 2, cell / 2, count),
        "y": grid.y[row] + rng.uniform(-cell / 2, cell / 2, count),
    }
    unit = geology.bedrock - 1
    drainage = Drainage(relief.elevation, cell) if dispersed else None
    limits = {}
    for element, offsets in OFFSETS.items():
        local = random_field(rng, grid.shape, cell, 10_000.0)
        antimony, gold = HALO.get(element, (0.0, 0.0))
        ground = (
            np.log(BACKGROUND[element])
            + np.array(offsets)[unit]
            + 0.35 * local
            + antimony * latent["antimony"]
            + gold * latent["gold"]
        )
        if drainage is not None:
            area = drainage.gather(np.ones(grid.shape))
            ground = np.log(drainage.gather(np.exp(ground)) / area)
        table[element] = np.exp(ground[row, col] + rng.normal(0.0, 0.6, count))
        if element in CENSORED:
            limits[element] = float(f"{np.quantile(table[element], CENSORED[element]):.2g}")
    return pd.DataFrame(table), limits


def geochemical_maps(
    x: Field, y: Field, samples: pd.DataFrame, limits: dict[str, float]
) -> dict[str, Field]:
    """
    Maps in ppm on (y, x), by inverse squared distance over the eight nearest samples.

    Half the detection limit stands for censored samples; ground far from any is a gap.
    """
    tree = KDTree(samples[["x", "y"]].to_numpy())
    distance, nearest = tree.query(np.stack(np.meshgrid(x, y), axis=-1), k=8)
    # Half a kilometre keeps one noisy sample from standing out as a bull's-eye.
    weight = 1.0 / (distance**2 + 500.0**2)
    weight /= weight.sum(axis=-1, keepdims=True)
    far = distance[..., 0] > REACH
    maps = {}
    for element in OFFSETS:
        content, limit = samples[element].to_numpy(), limits.get(element, 0.0)
        logarithm = np.log(np.where(content < limit, limit / 2, content))
        mean = (weight * logarithm[nearest]).sum(axis=-1)
        # Steps of one per cent are finer than any laboratory's.
        maps[f"{element}_ppm"] = np.exp(np.where(far, np.nan, mean).round(2))
    return maps


def laboratory(samples: pd.DataFrame, limits: dict[str, float]) -> pd.DataFrame:
    """The samples as a laboratory reports them: three figures, ``<`` below the limit."""
    table = pd.DataFrame({"sample": [f"S{i:04d}" for i in range(1, len(samples) + 1)]})
    for axis in ("x", "y"):
        table[axis] = samples[axis].round(0).astype(np.int64).to_numpy()
    for element in OFFSETS:
        limit = limits.get(element, 0.0)
        table[f"{element}_ppm"] = [
            f"<{_figures(limit)}" if content < limit else _figures(content)
            for content in samples[element]
        ]
    return table


def _figures(value: float) -> str:
    """Three significant figures, never in powers of ten."""
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")
