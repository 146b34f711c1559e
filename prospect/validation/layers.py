"""Files beside the layers: polygons of regions, and the truth of a synthetic one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from prospect.errors import LayerError
from prospect.grid import Grid
from prospect.stack import open_stack
from prospect.vector import read_vector, to_crs


def polygons_of(path: Path | str, stack: xr.Dataset) -> list[BaseGeometry]:
    """
    The polygons of a file, each a region, in the coordinates of a stack.

    Raises
    ------
    LayerError
        If there are fewer than two.
    """
    table = to_crs(read_vector(path, columns=[]), Grid.of(stack).crs)
    shapes = shapely.make_valid(table.geometry.values)
    kept = [shape for shape in shapes if shape is not None and shape.area > 0]
    if len(kept) < 2:
        raise LayerError(
            f"{path} holds {len(kept)} polygons, but leaving regions out takes two or more."
        )
    return kept


def values_on_grid(path: Path | str, stack: xr.Dataset) -> NDArray[np.float64]:
    """
    A raster on the grid of a stack, as an array of shape (y, x) with NaN for gaps.

    Raises
    ------
    LayerError
        If it lies on another grid: a truth that is resampled is none.
    """
    layer = open_stack([Path(path)])
    if not Grid.of(layer).same_as(Grid.of(stack)):
        raise LayerError(
            f"{path} lies on another grid than the layers ({Grid.of(layer).describe()}, not "
            f"{Grid.of(stack).describe()}): give it on theirs."
        )
    return np.asarray(next(iter(layer.data_vars.values())).values, np.float64)
