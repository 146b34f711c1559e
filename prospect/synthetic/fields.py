"""Random fields, rough lines and exact distances: the grain of the synthetic ground."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import distance_transform_edt

Field: TypeAlias = NDArray[np.float64]


def random_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cell: float,
    scale: float,
    *,
    smoothness: float = 2.0,
    stretch: float = 1.0,
    strike: float = 0.0,
) -> Field:
    """
    Gaussian field with a Matérn covariance, zero mean and unit variance in the window.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the white noise.
    shape : tuple of int
        Rows and columns.
    cell : float
        Side of a cell in metres.
    scale : float
        Range in metres, where the correlation has fallen to about 0.13 [1]_.
    smoothness : float
        The exponent ν; 0.5 is rough, 3 is nearly Gaussian.
    stretch : float
        Range along strike over the range across it.
    strike : float
        Direction of the long axis in degrees, counter-clockwise from east.

    Returns
    -------
    ndarray of shape (y, x)
        The field; it has no gaps.

    References
    ----------
    .. [1] Lindgren, Rue and Lindström (2011). An explicit link between Gaussian fields
       and Gaussian Markov random fields. J. R. Stat. Soc. B 73(4).
    """
    # An FFT field is periodic: a margin of two ranges keeps opposite edges unlike.
    margin = int(np.ceil(2 * scale * max(stretch, 1.0) / cell))
    rows, cols = (fft.next_fast_len(n + margin, real=True) for n in shape)
    ky = 2 * np.pi * fft.fftfreq(rows, cell)[:, np.newaxis]
    kx = 2 * np.pi * fft.rfftfreq(cols, cell)[np.newaxis, :]
    angle = np.deg2rad(strike)
    # Rows run southwards, so north is minus y.
    along = stretch * (kx * np.cos(angle) - ky * np.sin(angle))
    across = kx * np.sin(angle) + ky * np.cos(angle)
    kappa = np.sqrt(8 * smoothness) / scale
    amplitude = (kappa**2 + along**2 + across**2) ** (-(smoothness + 1) / 2)
    noise = fft.rfft2(rng.standard_normal((rows, cols)))
    field = fft.irfft2(amplitude * noise, s=(rows, cols))[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / field.std())


def rough_line(
    rng: np.random.Generator,
    centre: tuple[float, float],
    azimuth: float,
    length: float,
    *,
    step: float = 500.0,
    wander: float = 9.0,
) -> Field:
    """
    Vertices (n, 2) of a line that keeps its azimuth but wanders, as fault traces do.

    ``azimuth`` is in degrees clockwise from north, ``length`` and ``step`` in metres;
    ``wander`` is the standard deviation of the heading in degrees, remembered over some
    eight steps.
    """
    count = max(int(length / step), 2)
    memory = np.exp(-1 / 8)
    shocks = rng.normal(0.0, wander * np.sqrt(1 - memory**2), count)
    shocks[0] = rng.normal(0.0, wander)
    heading = np.empty(count)
    deviation = 0.0
    for i, shock in enumerate(shocks):
        deviation = memory * deviation + shock
        heading[i] = deviation
    heading = np.deg2rad(azimuth + heading - heading.mean())
    steps = step * np.column_stack([np.sin(heading), np.cos(heading)])
    line = np.vstack([np.zeros(2), np.cumsum(steps, axis=0)])
    return np.asarray(line - line.mean(axis=0) + np.asarray(centre))


def distance_to(mask: NDArray[np.bool_], cell: float) -> Field:
    """Metres from each cell to the nearest true one; infinite when there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(distance_transform_edt(~mask, sampling=cell))
