"""Layers of any grid become one lazy xarray Dataset on one grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from xarray.backends import BackendArray
from xarray.core import indexing

from prospect.errors import GridError, LayerError, ProjectError
from prospect.grid import LATTICE, Grid, Window, parse_crs, same_crs
from prospect.project import FILE_NAME, GridSpec, LayerSpec, Project, VectorSpec, load_project
from prospect.raster import Alignment, RasterInfo, align, read_class_names, read_info
from prospect.roles import guess_role
from prospect.vector import HeldLayer, VectorLayer, frame, layer_classes, located, to_crs

CATEGORICAL_FAMILIES = ("geology", "cover", "area")

CHUNKS = "preferred_chunks"
"""What xarray calls, in a layer's encoding, the cells that are best read together."""

_NARROW = 64
"""Cells a side of a file's blocks from which they are followed."""

Source = Project | Path | str | Sequence[Path | str] | Mapping[str, Path | str]


def open_stack(
    source: Source,
    *,
    like: str | None = None,
    crs: str | None = None,
    cell: float | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    grid: Grid | None = None,
    roles: Mapping[str, str] | None = None,
    vectors: Mapping[str, Path | str] | None = None,
    without: Iterable[str] = (),
    allow_drivers: tuple[str, ...] = (),
) -> xr.Dataset:
    """
    Open layers as one lazy Dataset on one grid.

    Nothing is read before it is asked for, and reading a window reads no more than it
    needs. The Dataset holds paths, so it can be sent to a worker.

    Parameters
    ----------
    source : Project, path, list of paths, or mapping of names to paths
        A project folder or its ``prospect.toml``; or GeoTIFF files, whose names are
        their stems and whose roles are guessed.
    like : str, optional
        The layer that sets the grid. By default that of the project, or else the grid
        that most layers share.
    crs, cell, bounds : str, float, (west, south, east, north), optional
        Another grid: coordinate system, cell size in its unit, and extent; what is not
        given is taken from the layer. Corners are on multiples of the cell.
    grid : Grid, optional
        Instead of all of these: exactly this grid, of a map for instance.
    roles : mapping of name to role, optional
        Instead of guesses or of the project's.
    vectors : mapping of role to path, optional
        Vector files to burn in, for plain files.
    without : iterable of str
        Layers to leave out.
    allow_drivers : tuple of str
        Further raster drivers, such as ``("AIG",)`` for ESRI grids.

    Returns
    -------
    Dataset of dims (y, x)
        A variable a layer: float32 with NaN for gaps; classes int32 with -1 for gaps and
        their names in ``attrs["classes"]``. ``attrs`` say role, unit, kind, source and how
        the layer came onto the grid. Coordinates follow rioxarray.

    Raises
    ------
    LayerError
        If a file cannot be trusted.
    GridError
        If a layer does not overlap the grid.
    ProjectError
        If the project is wrong, or no layer is left.
    """
    project = as_project(source, vectors=vectors, allow_drivers=allow_drivers).without(without)
    project = _with_roles(project, roles or {})
    _require_names(project)
    if not project.layers and not project.vectors:
        raise ProjectError("A stack needs at least one layer, but none came.")
    infos = {s.name: _info(s, allow_drivers) for s in project.layers}
    if grid is None:
        grid = choose_grid(_grid_spec(project.grid, like, crs, cell, bounds), infos)
    variables = {
        s.name: _raster_variable(s, infos[s.name], grid, allow_drivers) for s in project.layers
    }
    variables |= {s.name: _vector_variable(s, grid) for s in project.vectors}
    return xr.Dataset(variables, coords=grid.coordinates())


def _grid_spec(
    choice: GridSpec,
    like: str | None,
    crs: str | None,
    cell: float | None,
    bounds: tuple[float, float, float, float] | None,
) -> GridSpec:
    """The grid of a project, but for what is said."""
    if like is not None:
        choice = GridSpec(like=like)
    if crs is not None or cell is not None or bounds is not None:
        choice = replace(
            choice,
            crs=choice.crs if crs is None else crs,
            cell=choice.cell if cell is None else cell,
            bounds=choice.bounds if bounds is None else bounds,
        )
    return choice


def choose_grid(spec: GridSpec, infos: Mapping[str, RasterInfo]) -> Grid:
    """
    The grid that a specification means.

    Raises
    ------
    GridError
        If ``like`` is no layer, or crs, cell and bounds do not make a grid; without rasters
        all three are needed.
    """
    if not infos and spec.like is None:
        return _grid_by_words(spec)
    if spec.like is not None:
        if spec.like not in infos:
            raise GridError(f"There is no layer '{spec.like}' to take the grid from.")
        base = infos[spec.like].grid
    else:
        base = _commonest([info.grid for info in infos.values()])
    if spec.crs is None and spec.cell is None and spec.bounds is None:
        return base
    target = base.crs if spec.crs is None else parse_crs(spec.crs)
    bounds = spec.bounds
    if bounds is None:
        mover = Transformer.from_crs(base.crs, target, always_xy=True)
        bounds = mover.transform_bounds(*base.bounds, densify_pts=21)
    cell = spec.cell
    if cell is None:
        if not same_crs(target, base.crs):
            raise GridError(
                "A grid in another coordinate system needs a cell size: give cell, in metres."
            )
        cell = base.transform.a
    return _snapped(target, cell, bounds)


def _grid_by_words(spec: GridSpec) -> Grid:
    """The grid of vectors alone, which have none of their own."""
    if spec.crs is None or spec.cell is None or spec.bounds is None:
        raise GridError(
            "Vectors alone have no grid: give crs, cell and bounds in [grid] of prospect.toml, or "
            "a GeoTIFF beside them."
        )
    return _snapped(parse_crs(spec.crs), spec.cell, spec.bounds)


def _snapped(target: CRS, cell: float, bounds: tuple[float, float, float, float]) -> Grid:
    """The grid that covers bounds."""
    west, south, east, north = bounds
    if not (cell > 0 and east > west and north > south):
        raise GridError(
            f"Bounds are west, south, east, north and the cell is positive, but {bounds} and "
            f"{cell} came."
        )
    # Corners on multiples of the cell, so that neighbouring maps fit together.
    left, top = np.floor(west / cell) * cell, np.ceil(north / cell) * cell
    shape = (int(np.ceil((top - south) / cell - 1e-9)), int(np.ceil((east - left) / cell - 1e-9)))
    return Grid(target, Affine(cell, 0.0, float(left), 0.0, -cell, float(top)), shape)


def read_block(layer: xr.DataArray, window: Window, dtype: type[np.generic]) -> NDArray[Any]:
    """A window of a layer of a stack, which may pass the grid's edge: gaps lie there."""
    rows, cols = layer.sizes["y"], layer.sizes["x"]
    inside = window.intersect(Window(0, 0, rows, cols))
    gap = -1 if np.issubdtype(dtype, np.integer) else np.nan
    row, col = inside.slices
    values = layer.variable[{"y": row, "x": col}].values
    if inside == window:
        return np.ascontiguousarray(values, dtype)
    out = np.full((window.height, window.width), gap, dtype)
    if inside.height and inside.width:
        out[inside.within(window)] = values
    return out


def vector_layer(
    features: Any, *, like: xr.DataArray | xr.Dataset, name: str = "lines", role: str = ""
) -> xr.DataArray:
    """
    Vector features in memory as a layer, as those of a file are in a stack.

    Parameters
    ----------
    features : GeoDataFrame, or sequence of shapely geometries
        Bare geometries are in the coordinate system of ``like``.
    like : DataArray or Dataset of dims (y, x)
        Whose grid the layer is on.
    name, role : str

    Returns
    -------
    DataArray of shape (y, x), float32
        1 in every cell that a line or point touches or whose centre a polygon covers, else
        0; burnt in when a window is read. Null and empty geometries are passed over.
    """
    grid = Grid.of(like)
    table = features if hasattr(features, "geometry") else frame({}, features, grid.crs)
    table = to_crs(table[located(table)], grid.crs)
    source = HeldLayer(Path("features in memory"), grid, table=table)
    attrs = {"role": role, "units": "", "kind": "geometry", "features": source, "long_name": name}
    variable = _variable(source, attrs, categorical=False)
    return xr.DataArray(variable, coords=grid.coordinates(), name=name)


def features_of(layer: xr.DataArray) -> VectorLayer:
    """
    The features that a layer of a stack was burnt in from, on the layer's grid.

    Raises
    ------
    LayerError
        If the layer was a raster.
    """
    source = layer.attrs.get("features")
    if not isinstance(source, VectorLayer):
        raise LayerError(
            f"The lines themselves are needed, but '{layer.name}' knows the cells they pass "
            "through only: give a vector file, in [vectors.…] or with --vector ROLE=PATH."
        )
    same = source.grid.shape == (layer.sizes["y"], layer.sizes["x"]) and all(
        np.array_equal(layer[axis].values, getattr(source.grid, axis)) for axis in ("x", "y")
    )
    return source if same else replace(source, grid=Grid.of(layer))


class _LazyLayer(BackendArray):
    """What xarray reads windows from: an aligned raster or burnt-in vectors."""

    def __init__(self, source: Alignment | VectorLayer, dtype: type[np.generic]) -> None:
        self.source = source
        self.shape = source.grid.shape
        self.dtype = np.dtype(dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        spans = [_span(k, size) for k, size in zip(key, self.shape, strict=True)]
        (top, bottom), (left, right) = ((s.start, s.stop) for s, _ in spans)
        window = Window(top, left, bottom - top, right - left)
        if window.height and window.width:
            cells = self.source.read(window)
        else:
            cells = np.empty((window.height, window.width), self.dtype)
        picked: NDArray[Any] = cells[spans[0][1], spans[1][1]]
        return picked


def _span(key: Any, size: int) -> tuple[slice, Any]:
    """The range of cells an index needs, and how to pick them from that range."""
    if isinstance(key, slice):
        picked = range(*key.indices(size))
        if not picked:
            return slice(0, 0), slice(None)
        first, last = min(picked[0], picked[-1]), max(picked[0], picked[-1])
        return slice(first, last + 1), slice(None, None, picked.step)
    if not -size <= key < size:
        raise IndexError(f"index {key} is out of bounds for an axis of {size} cells")
    index = int(key) % size
    return slice(index, index + 1), 0


def as_project(
    source: Source,
    *,
    vectors: Mapping[str, Path | str] | None = None,
    allow_drivers: tuple[str, ...] = (),
) -> Project:
    """
    What a stack would be made of, before any cell is read.

    Parameters
    ----------
    source, vectors, allow_drivers
        As for :func:`open_stack`.

    Returns
    -------
    Project
        Of plain files, with guessed roles.
    """
    vectors = vectors or {}
    if isinstance(source, Project):
        return _with_vectors(source, vectors)
    if isinstance(source, (str, Path)):
        path = Path(source)
        if path.is_dir() and not (allow_drivers and not (path / FILE_NAME).exists()):
            return _with_vectors(load_project(path), vectors)
        if path.suffix == ".toml":
            return _with_vectors(load_project(path), vectors)
        source = [path]
    if isinstance(source, Mapping):
        named = [(str(name), Path(path)) for name, path in source.items()]
    else:
        named = [(Path(path).stem, Path(path)) for path in source]
    twice = next((name for name, n in Counter(name for name, _ in named).items() if n > 1), None)
    if twice is not None:
        both = " and ".join(str(path) for name, path in named if name == twice)
        raise ProjectError(f"Two layers are called '{twice}' ({both}): rename one file.")
    layers = tuple(_guess_spec(name, path, allow_drivers) for name, path in named)
    return _with_vectors(Project(Path(), layers=layers), vectors)


def _require_names(project: Project) -> None:
    """Refuse names that are taken: twice, or by a coordinate."""
    names = [spec.name for spec in project.layers] + [spec.name for spec in project.vectors]
    for name, count in Counter(names).items():
        if count > 1 or name in ("x", "y", "spatial_ref"):
            why = "two layers have it" if count > 1 else "a coordinate has it"
            raise ProjectError(f"A layer cannot be called '{name}', because {why}: rename it.")


def _with_roles(project: Project, roles: Mapping[str, str]) -> Project:
    known = {spec.name for spec in project.layers}
    for name in roles:
        if name not in known:
            raise ProjectError(f"There is no layer '{name}'; known: {', '.join(sorted(known))}.")
    layers = (replace(spec, role=roles.get(spec.name, spec.role)) for spec in project.layers)
    return replace(project, layers=tuple(layers))


def _with_vectors(project: Project, vectors: Mapping[str, Path | str]) -> Project:
    added = tuple(
        VectorSpec(name=role.replace(".", "_"), path=Path(path), role=role)
        for role, path in vectors.items()
    )
    return replace(project, vectors=(*project.vectors, *added))


def _own(spec: LayerSpec | VectorSpec) -> dict[str, Any]:
    """What the user says of a layer besides its role, where anything is said."""
    said = {
        "sign": spec.sign,
        "scale": spec.scale,
        "confidence": spec.confidence,
        "source_scale": spec.source_scale,
        "vintage": spec.vintage,
        "medium": getattr(spec, "medium", ""),
        "survey": spec.survey,
    }
    return {name: value for name, value in said.items() if value not in ("", None)}


def _guess_spec(name: str, path: Path, allow_drivers: tuple[str, ...]) -> LayerSpec:
    """A layer from its name alone."""
    info = read_info(path, allow_drivers=allow_drivers)
    guess = guess_role(name)
    categorical = guess_kind(guess.role, info) == "categorical"
    return LayerSpec(
        name=name,
        path=path,
        role=guess.role,
        unit=info.unit or guess.unit,
        kind="categorical" if categorical else "continuous",
    )


def guess_kind(role: str, info: RasterInfo) -> str:
    """Classes are integers in a role of classes; everything else is continuous."""
    classes = role.split(".", 1)[0] in CATEGORICAL_FAMILIES and not info.is_float
    return "categorical" if classes else "continuous"


def _info(spec: LayerSpec, allow_drivers: tuple[str, ...]) -> RasterInfo:
    """What a layer's file says, where the project does not say otherwise."""
    info = read_info(spec.path, spec.band, allow_drivers=allow_drivers)
    # The layer is read later, perhaps from another working folder.
    info = replace(info, path=info.path.absolute())
    if spec.kind == "categorical" and not spec.classes:
        names, said = read_class_names(spec.path)
        if names:
            notes = (*info.notes, f"classes from {said}")
            info = replace(info, classes=names, notes=notes)
    return info if spec.nodata is None else replace(info, nodata=spec.nodata)


def _raster_variable(
    spec: LayerSpec, info: RasterInfo, grid: Grid, allow_drivers: tuple[str, ...]
) -> xr.Variable:
    categorical = spec.kind == "categorical"
    alignment = align(
        info,
        grid,
        categorical=categorical,
        resampling=spec.resampling,
        allow_drivers=allow_drivers,
    )
    attrs: dict[str, Any] = {
        "role": spec.role,
        "units": spec.unit,
        "kind": spec.kind,
        "required": spec.required,
        "source": str(spec.path),
        "band": spec.band,
        "resampling": alignment.method,
        "alignment": alignment.reason,
        "notes": list(info.notes),
        "long_name": spec.role or spec.name,
        **_own(spec),
    }
    if categorical:
        attrs["classes"] = dict(spec.classes or info.classes)
    variable = _variable(alignment, attrs, categorical)
    if alignment.method == "same" and min(info.block) >= _NARROW:
        variable.encoding[CHUNKS] = dict(zip(("y", "x"), info.block, strict=True))
    return variable


def _variable(
    source: Alignment | VectorLayer, attrs: dict[str, Any], categorical: bool
) -> xr.Variable:
    """A lazy variable whose gaps rioxarray and netCDF know of."""
    # Warping and burning in go by lattice blocks; strips of a file are too narrow to follow.
    chunks = {"y": LATTICE, "x": LATTICE}
    encoding: dict[str, Any] = {"grid_mapping": "spatial_ref", CHUNKS: chunks}
    if categorical:
        attrs["_FillValue"] = np.int32(-1)
    else:
        encoding["_FillValue"] = np.float32(np.nan)
    data = _LazyLayer(source, np.int32 if categorical else np.float32)
    return xr.Variable(("y", "x"), indexing.LazilyIndexedArray(data), attrs, encoding)


def _vector_variable(spec: VectorSpec, grid: Grid) -> xr.Variable:
    classes = None
    if spec.attribute is not None:
        classes = layer_classes(spec.path, spec.attribute, layer=spec.layer)
    elif spec.inside is not None:
        classes = {1: spec.inside, 2: f"not {spec.inside}"}
    path = spec.path.absolute()
    source = VectorLayer(path, grid, spec.layer, spec.where, spec.attribute, classes, spec.crs)
    # Read one corner now: a wrong condition or path is told here and not in a worker.
    source.read(Window(0, 0, 1, 1))
    attrs: dict[str, Any] = {
        "role": spec.role,
        "units": "",
        "kind": "categorical" if classes is not None else "geometry",
        "required": False,
        "source": str(spec.path),
        "resampling": "burnt in",
        "alignment": "burnt in",
        "long_name": spec.role or spec.name,
        **_own(spec),
        "features": source,
    }
    if classes is not None:
        attrs["classes"] = classes
    return _variable(source, attrs, classes is not None)


def _commonest(grids: Sequence[Grid]) -> Grid:
    """The grid that most share; of equals the finest, then the first."""
    counts = [sum(grid.same_as(other) for other in grids) for grid in grids]
    best = max(range(len(grids)), key=lambda i: (counts[i], -grids[i].transform.a, -i))
    return grids[best]
