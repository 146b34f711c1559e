"""What an operation is: a function on windows with a halo, and the registry of them all."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.errors import RecipeError
from prospect.grid import Cell, Grid
from prospect.lines import Measure, measure, read_segments
from prospect.stack import features_of

Array = NDArray[Any]
Parameters = Mapping[str, Any]
Kind = Literal["continuous", "categorical", "geometry", "lines"]

NO_CLASS = -1
"""Code of a gap in a categorical layer."""

_REGISTRY: dict[str, Operation] = {}


@dataclass(frozen=True)
class Family:
    """
    Operations that one call computes together, to the same bits as one after the other.

    Parameters
    ----------
    name : str
    key : callable(parameters) -> hashable
        Rows of one input whose keys are equal share the work.
    compute : callable(block, out, cell, asked, key)
        Fills planes of ``out``; ``asked`` says which plane is to hold what. The block
        carries the largest halo among the rows.
    pooled : bool
        Whether rows of different layers share the work too. ``compute`` then gets a list of
        blocks, and of every plane the places of its layers in that list and what is asked.
    """

    name: str
    key: Callable[[Parameters], Hashable]
    compute: Callable[[Any, Array, Cell, Sequence[tuple[int, Any]], Any], None]
    pooled: bool = False


Asks = Callable[[Parameters], Sequence[Any]]
"""What an operation asks of its family: an entry a column."""


@dataclass(frozen=True, eq=False)
class Operation:
    """
    One way of deriving features: what a ufunc is to arrays, for layers.

    Called with DataArrays it answers with a DataArray. The builder calls ``compute``
    on windows instead, so that both give the same values.

    Parameters
    ----------
    name : str
        The name in recipes.
    compute : callable(*blocks, out, cell, **parameters)
        Fills ``out`` from blocks that carry the halo on every side; cells outside the
        grid come as gaps. The upper-left cell of ``out`` stands on the lattice
        wherever ``anchored`` says that it matters.
    takes : 'continuous', 'categorical', 'geometry' or 'lines', or a tuple of the first three
        What every input is: float32 with NaN; int32 class codes with -1 for a gap;
        float32 that is 1 on the burnt-in geometry and 0 elsewhere. A tuple says it
        for each input in its place. 'lines' are measured from their geometry.
    halo : callable(cell, parameters) -> (rows, columns)
        How far the operation reads beyond the cells it fills.
    learn : callable(values, attrs, **parameters) -> dict, optional
        Statistics from the valid values of the (first) input; they join the parameters.
    jointly : bool
        Whether ``learn`` looks at all inputs: it then gets a list of values, one an input,
        at the cells where all are valid, and a list of attrs. Attrs hold ``classes``,
        ``name`` and ``role``, of several inputs also ``least``, each one's smallest positive
        value.
    columns : callable(parameters) -> list of str, optional
        For an operation with several outputs: what to append to the feature's name.
    units : str
        Unit of the result; ``{unit}`` stands for the unit of the input.
    anchored : bool
        Whether the arithmetic runs along rows or columns and so must start on the lattice.
    joint : (Family, callable(parameters) -> list), optional
        The family it belongs to, and what it asks of it, an entry a column.
    inputs : int, optional
        How many layers it takes; any number when None.
    whole : callable(parameters) -> bool, optional
        Whether ``compute`` must see the whole map at once; it is then called once for a map.
    measures : callable(parameters) -> tuple of Measure, optional
        Of lines: what is measured of all inputs together; each comes as a block.
    roles : callable(parameters) -> tuple of str, optional
        What it is of where a recipe does not say.
    """

    name: str
    compute: Callable[..., None]
    takes: Kind | tuple[Kind, ...]
    halo: Callable[[Cell, Parameters], tuple[int, int]]
    learn: Callable[..., dict[str, Any]] | None = None
    columns: Callable[[Parameters], list[str]] | None = None
    units: str = "{unit}"
    anchored: bool = False
    jointly: bool = False
    learned: tuple[str, ...] = ()
    joint: tuple[Family, Asks] | None = None
    inputs: int | None = None
    whole: Callable[[Parameters], bool] | None = None
    measures: Callable[[Parameters], tuple[Measure, ...]] | None = None
    roles: Callable[[Parameters], tuple[str, ...]] | None = None
    signature: inspect.Signature = field(default_factory=inspect.Signature)

    def __call__(self, *layers: xr.DataArray, **parameters: Any) -> xr.DataArray:
        """Apply to whole layers; see the operation's own documentation."""
        if not layers:
            raise RecipeError(f"{self.name} needs a layer, but none came.")
        self.require_inputs(len(layers))
        settings = self.check(parameters)
        grids = [Grid.of(layer) for layer in layers]
        grid = grids[0]
        for other in grids[1:]:
            if not grid.same_as(other):
                raise RecipeError(f"{self.name} needs its layers on one grid: align them first.")
        cell = self.cell_of(grid)
        if self.measures is not None:
            blocks = self.measured(layers, settings)
        else:
            blocks = [self.prepare(layer, self.kind_of(i)) for i, layer in enumerate(layers)]
        if not self.learned or not set(self.learned) <= set(settings):
            settings |= self.learn_from(
                blocks, [{"name": str(x.name), **x.attrs} for x in layers], settings
            )
        rows, cols = self.halo(cell, settings)
        padded = [
            np.pad(block, ((rows, rows), (cols, cols)), constant_values=gap_of(block.dtype))
            for block in blocks
        ]
        names = self.columns(settings) if self.columns else None
        shape = grid.shape if names is None else (len(names), *grid.shape)
        out = np.empty(shape, np.float32)
        self.compute(*padded, out=out, cell=cell, **settings)
        coords: dict[str, Any] = dict(grid.coordinates())
        dims: tuple[str, ...] = ("y", "x")
        if names is not None:
            dims = ("feature", "y", "x")
            coords["feature"] = names
        attrs = {
            "units": self.units.format(unit=layers[0].attrs.get("units", "")),
            "long_name": f"{self.name} of {', '.join(str(layer.name) for layer in layers)}",
        }
        return xr.DataArray(out, coords=coords, dims=dims, attrs=attrs, name=self.name)

    def check(self, parameters: Parameters) -> dict[str, Any]:
        """
        The parameters with defaults filled in.

        Raises
        ------
        RecipeError
            If one is unknown, missing, or not of its default's type.
        """
        known = {
            name: p for name, p in self.signature.parameters.items() if name not in ("out", "cell")
        }
        for name in parameters:
            if name not in known:
                raise RecipeError(
                    f"Operation '{self.name}' has no parameter '{name}'; it takes: "
                    f"{', '.join(n for n in known if n not in self.learned) or 'none'}."
                )
        settings: dict[str, Any] = {}
        for name, parameter in known.items():
            if name in parameters:
                settings[name] = _typed(self.name, name, parameters[name], parameter.annotation)
            elif parameter.default is not inspect.Parameter.empty:
                settings[name] = parameter.default
            elif name not in self.learned:
                raise RecipeError(f"Operation '{self.name}' needs the parameter '{name}'.")
        return settings

    def kind_of(self, place: int) -> Kind:
        """The kind of layer that is taken in this place."""
        return self.takes[place] if isinstance(self.takes, tuple) else self.takes

    def require_inputs(self, count: int) -> None:
        """
        Check how many layers came.

        Raises
        ------
        RecipeError
            If the operation takes another number of them.
        """
        if self.inputs is not None and count != self.inputs:
            plural = "layer" if self.inputs == 1 else "layers"
            raise RecipeError(
                f"Operation '{self.name}' takes {self.inputs} {plural}, but {count} came."
            )

    def learn_from(
        self, blocks: Sequence[Array], attrs: Sequence[Mapping[str, Any]], settings: Parameters
    ) -> dict[str, Any]:
        """The statistics of layers of one shape, gaps left out."""
        if self.learn is None:
            return {}
        if not self.jointly:
            return self.learn(blocks[0][is_valid(blocks[0])], attrs[0], **settings)
        valid = np.logical_and.reduce([is_valid(block) for block in blocks])
        told = [
            {**about, "least": _least(block)} for about, block in zip(attrs, blocks, strict=True)
        ]
        return self.learn([block[valid] for block in blocks], told, **settings)

    def cell_of(self, grid: Grid) -> Cell:
        """The cell in metres; operations without a reach accept any grid."""
        if self.needs_metres:
            return grid.cell
        return Cell(-grid.transform.e, grid.transform.a)

    @property
    def needs_metres(self) -> bool:
        """Whether the arithmetic depends on the size of a cell."""
        return self.halo is not no_halo

    def measured(self, layers: Sequence[xr.DataArray], settings: Parameters) -> list[Array]:
        """What it measures of the lines of whole layers."""
        assert self.measures is not None
        wanted = self.measures(settings)
        sources = [features_of(layer) for layer in layers]
        whole = sources[0].grid.window
        segments = read_segments(sources, whole, max(m.margin for m in wanted))
        return [measure(segments, m, whole) for m in wanted]

    def prepare(self, layer: xr.DataArray, takes: Kind) -> Array:
        """The layer's values in the type that ``compute`` takes."""
        kind = layer.attrs.get("kind", "continuous" if layer.dtype.kind == "f" else "categorical")
        if (kind == "categorical") != (takes == "categorical"):
            raise RecipeError(
                f"Operation '{self.name}' takes a {takes} layer, but '{layer.name}' is {kind}."
            )
        dtype = np.int32 if takes == "categorical" else np.float32
        return np.ascontiguousarray(layer.transpose("y", "x").values, dtype=dtype)


def operation(
    *,
    takes: Kind | tuple[Kind, ...] = "continuous",
    halo: Callable[[Cell, Parameters], tuple[int, int]] | None = None,
    learn: Callable[..., dict[str, Any]] | None = None,
    learned: tuple[str, ...] = (),
    columns: Callable[[Parameters], list[str]] | None = None,
    units: str = "{unit}",
    anchored: bool = False,
    joint: tuple[Family, Asks] | None = None,
    jointly: bool = False,
    whole: Callable[[Parameters], bool] | None = None,
    measures: Callable[[Parameters], tuple[Measure, ...]] | None = None,
    lines: int | None = None,
    roles: Callable[[Parameters], tuple[str, ...]] | None = None,
) -> Callable[[Callable[..., None]], Operation]:
    """
    Register a ``compute`` function as an operation under its own name.

    It takes a layer for each of its positional arguments; with ``measures`` these are what is
    measured of ``lines`` layers, or of any number of them.
    """

    def register(compute: Callable[..., None]) -> Operation:
        # PEP 563 leaves annotations as text; evaluated ones are what check() compares with.
        signature = inspect.signature(compute, eval_str=True)
        keywords = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
        several = any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
        name = getattr(compute, "__name__", "operation")
        inputs = None if several else len(signature.parameters) - len(keywords)
        made = Operation(
            name=name,
            compute=compute,
            takes=takes if measures is None else "lines",
            halo=halo or no_halo,
            learn=learn,
            columns=columns,
            units=units,
            anchored=anchored,
            jointly=jointly,
            learned=learned,
            joint=joint,
            inputs=inputs if measures is None else lines,
            whole=whole,
            measures=measures,
            roles=roles,
            signature=signature.replace(parameters=keywords),
        )
        for item in ("__doc__", "__module__", "__name__", "__qualname__", "__wrapped__"):
            # An operation reads like the function it is made of; being frozen, it needs this.
            object.__setattr__(made, item, getattr(compute, item, compute))
        _REGISTRY[name] = made
        return made

    return register


def no_halo(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Of an operation that looks at one cell at a time."""
    return 0, 0


def one_cell(cell: Cell, parameters: Parameters) -> tuple[int, int]:
    """Of an operation on the 3 × 3 neighbourhood."""
    return 1, 1


def reach(name: str) -> Callable[[Cell, Parameters], tuple[int, int]]:
    """Halo of an operation that reads as far as the parameter ``name``, in metres."""

    def halo(cell: Cell, parameters: Parameters) -> tuple[int, int]:
        return cell.halo(float(parameters[name]))

    return halo


def get_operation(name: str) -> Operation:
    """
    The operation of a name.

    Raises
    ------
    RecipeError
        If there is none; the message names the nearest ones.
    """
    import difflib

    if name not in _REGISTRY:
        near = difflib.get_close_matches(name, _REGISTRY, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_REGISTRY)}."
        raise RecipeError(f"There is no operation '{name}': {hint}")
    return _REGISTRY[name]


def operations() -> dict[str, Operation]:
    """All operations by name."""
    return dict(sorted(_REGISTRY.items()))


def _least(values: Array) -> float:
    """The smallest positive value; 0 if there is none."""
    positive = values[values > 0]
    return float(positive.min()) if positive.size else 0.0


def gap_of(dtype: np.dtype[Any]) -> float | int:
    """The value that marks a gap in an array of this type."""
    return NO_CLASS if dtype.kind == "i" else math.nan


def is_valid(values: Array) -> NDArray[np.bool_]:
    """Where an array holds values and not gaps."""
    result: NDArray[np.bool_] = values != NO_CLASS if values.dtype.kind == "i" else values == values
    return result


def _typed(operation: str, name: str, value: Any, annotation: Any) -> Any:
    """A parameter as its annotation wants it, for the plain types that TOML can hold."""
    if annotation == float | None and value is None:
        return None
    if annotation in (float, float | None):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise RecipeError(
                f"Parameter '{name}' of '{operation}' is a number, but {value!r} came."
            )
        if not math.isfinite(value):
            raise RecipeError(f"Parameter '{name}' of '{operation}' must be finite, not {value}.")
        return float(value)
    if annotation in (int, str, bool) and not isinstance(value, annotation):
        raise RecipeError(
            f"Parameter '{name}' of '{operation}' is {annotation.__name__}, but {value!r} came."
        )
    if annotation in (list[str], list[str] | None) and isinstance(value, str):
        return [value]
    return value
