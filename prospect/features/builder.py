"""The feature builder: a recipe, fitted once, then a pure function of windows of a stack."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.errors import GridError, RecipeError
from prospect.features.operation import NO_CLASS, Array, Operation, get_operation
from prospect.features.recipe import FeatureSpec, Recipe
from prospect.grid import LATTICE, Cell, Grid, Window
from prospect.matching import Binding, LayerCard, bind, cards_of
from prospect.stack import read_block

SAMPLE_CELLS = 4_000_000
"""Statistics are exact up to this many cells; beyond, a regular subgrid of them is taken."""

FIT_TILE = 1024


@dataclass(frozen=True)
class Step:
    """
    A row of a fitted recipe: nothing is left to decide.

    Attributes
    ----------
    spec : FeatureSpec
    operation : Operation
    parameters : mapping
        With defaults and learned statistics.
    columns : tuple of str
        Names of the features it makes.
    units : str
    """

    spec: FeatureSpec
    operation: Operation
    parameters: Mapping[str, Any]
    columns: tuple[str, ...]
    units: str

    @property
    def name(self) -> str:
        """The row's name."""
        return self.spec.name


@dataclass
class FeatureBuilder:
    """
    Build the features of a recipe for every cell of a stack.

    ``fit`` learns the statistics of the layers (never of labels) and freezes them;
    ``transform`` is then a pure function of a window and its halo: any tile equals the
    same window of the whole, to the bit.

    Parameters
    ----------
    recipe : Recipe, or rows of one
        Rows whose layers are absent are left out and kept in ``missing_``.

    Attributes
    ----------
    steps_ : tuple of Step
    layers_ : dict of str to LayerCard
        The layers that are used, as they were when fitted.
    cell_ : Cell
        Size of a cell; a stack with cells of another size is refused.
    missing_ : tuple of FeatureSpec
    """

    recipe: Recipe | Sequence[Mapping[str, Any]]
    steps_: tuple[Step, ...] = field(default=(), init=False, repr=False)
    layers_: dict[str, LayerCard] = field(default_factory=dict, init=False, repr=False)
    cell_: Cell = field(default=Cell(math.nan, math.nan), init=False, repr=False)
    missing_: tuple[FeatureSpec, ...] = field(default=(), init=False, repr=False)

    def fit(self, stack: xr.Dataset) -> FeatureBuilder:
        """
        Learn the statistics that features need, from the whole stack.

        Medians and quartiles come from every valid cell up to four million; beyond, from
        a regular subgrid anchored at the origin (standard error of a quantile's rank
        below 0.03 %). They depend on neither tile size nor order.

        Parameters
        ----------
        stack : Dataset of dims (y, x)

        Returns
        -------
        FeatureBuilder
            Itself.

        Raises
        ------
        RecipeError
            If no row can be used, or a row does not fit its layers.
        GridError
            If metres are needed on a geographic grid.
        """
        recipe = self.recipe
        if not isinstance(recipe, Recipe):
            recipe = Recipe.from_tables(recipe)
        resolved, self.missing_ = recipe.resolve(stack)
        if not any(spec.keep for spec in resolved.features):
            wanted = sorted({item for spec in self.missing_ for item in spec.of})
            raise RecipeError(
                "No feature of the recipe can be built: the stack has none of the roles "
                f"{', '.join(wanted[:8])}. Check the roles with 'prospect inspect'."
            )
        grid = Grid.of(stack)
        self.cell_ = Cell(-grid.transform.e, grid.transform.a)
        if any(get_operation(spec.operation).needs_metres for spec in resolved.features):
            self.cell_ = grid.cell
        specs = _in_use(resolved.features)
        used = {item for spec in specs for item in spec.of if item in stack.data_vars}
        self.layers_ = cards_of(stack[sorted(used, key=list(stack.data_vars).index)])
        self.steps_ = ()
        for batch in _rounds(specs, self.layers_):
            self.steps_ += self._learn(batch, stack, grid)
        return self

    def transform(self, stack: xr.Dataset, window: Window | None = None) -> xr.DataArray:
        """
        Build the features of a window.

        Parameters
        ----------
        stack : Dataset of dims (y, x)
            With the layers of the fitted one, matched by name, else by role.
        window : Window, optional
            In cells of the stack's grid; the whole when not given.

        Returns
        -------
        DataArray of shape (feature, y, x), float32
            NaN where a feature has no value. Units and signs stand beside the names.

        Raises
        ------
        ModelError
            If a layer is missing, ambiguous or in another unit.
        GridError
            If cells have another size.
        """
        grid = self.require_grid(stack)
        window = window or grid.window
        values = self.compute(stack, window, bind(self.layers_, stack))
        part = grid.crop(window)
        columns = [(step, name) for step in self.steps_ if step.spec.keep for name in step.columns]
        coords: dict[str, Any] = {
            **part.coordinates(),
            "feature": [name for _, name in columns],
            "units": ("feature", [step.units for step, _ in columns]),
            "sign": ("feature", [step.spec.sign for step, _ in columns]),
            "source": ("feature", [step.spec.source for step, _ in columns]),
        }
        return xr.DataArray(values, coords=coords, dims=("feature", "y", "x"), name="features")

    def fit_transform(self, stack: xr.Dataset) -> xr.DataArray:
        """Fit, then build the features of the whole stack."""
        return self.fit(stack).transform(stack)

    def get_feature_names_out(self) -> NDArray[np.object_]:
        """Names of the features, in the order of their columns."""
        return np.array(self.feature_names, dtype=object)

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in the order of their columns."""
        return [name for step in self.steps_ if step.spec.keep for name in step.columns]

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and columns that the features read beyond a window."""
        window = Window(0, 0, LATTICE, LATTICE)
        needed = _regions(self.steps_, window, self.cell_).values()
        return (
            max((-region.row for region in needed), default=0),
            max((-region.col for region in needed), default=0),
        )

    def reach(self) -> float:
        """Metres that focal windows reach to; distances and gradients are not counted."""
        radii = [
            float(step.parameters.get(name, 0.0))
            for step in self.steps_
            for name in ("radius", "outer")
        ]
        return max(radii, default=0.0)

    def require_grid(self, stack: xr.Dataset) -> Grid:
        """The stack's grid, if its cells have the size that was fitted."""
        grid = Grid.of(stack)
        sizes = (-grid.transform.e, grid.transform.a)
        if not all(
            math.isclose(size, fitted, rel_tol=1e-6)
            for size, fitted in zip(sizes, self.cell_, strict=True)
        ):
            raise GridError(
                f"Cells of {self.cell_.dx:g} × {self.cell_.dy:g} were expected, as in training, "
                f"but the layers have {sizes[1]:g} × {sizes[0]:g}: choose the grid with "
                f"cell = {self.cell_.dx:g}, or train again."
            )
        if any(step.operation.needs_metres for step in self.steps_):
            grid.require_metres()
        return grid

    def compute(
        self, stack: xr.Dataset, window: Window, bindings: Mapping[str, Binding]
    ) -> NDArray[np.float32]:
        """The features of a window as an array of shape (feature, y, x)."""
        grid = Grid.of(stack)
        out = np.empty((len(self.feature_names), window.height, window.width), np.float32)
        results = _evaluate(self.steps_, stack, grid.window, window, self.cell_, bindings)
        position = 0
        for step, region, values in results:
            if step.spec.keep:
                rows, cols = window.within(region)
                out[position : position + len(step.columns)] = values[:, rows, cols]
                position += len(step.columns)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Everything that was fitted, as plain data."""
        return {
            "cell": list(self.cell_),
            "layers": [card.to_dict() for card in self.layers_.values()],
            "steps": [
                {
                    "row": step.spec.to_table(),
                    "parameters": dict(step.parameters),
                    "columns": list(step.columns),
                    "units": step.units,
                }
                for step in self.steps_
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureBuilder:
        """
        A fitted builder from plain data.

        Raises
        ------
        RecipeError
            If the data do not describe one.
        """
        try:
            cards = [LayerCard.from_dict(card) for card in data["layers"]]
            steps = tuple(_load_step(item) for item in data["steps"])
            dy, dx = (float(v) for v in data["cell"])
        except (KeyError, TypeError, ValueError) as error:
            raise RecipeError(f"The recipe of this model cannot be read: {error}") from error
        made = cls(Recipe(tuple(step.spec for step in steps)))
        made.steps_ = steps
        made.layers_ = {card.name: card for card in cards}
        made.cell_ = Cell(dy, dx)
        known = set(made.layers_)
        for step in steps:
            if not set(step.spec.of) <= known:
                raise RecipeError(f"Feature '{step.name}' of this model is of an unknown layer.")
            known.add(step.name)
        return made

    def _learn(
        self, specs: Sequence[FeatureSpec], stack: xr.Dataset, grid: Grid
    ) -> tuple[Step, ...]:
        """Steps of a round of rows, whose inputs are layers or earlier steps."""
        settings = {}
        for spec in specs:
            operation = get_operation(spec.operation)
            try:
                settings[spec.name] = operation.check(spec.parameters)
            except RecipeError as error:
                raise RecipeError(f"Feature '{spec.name}': {error}") from error
            self._check_inputs(spec, operation)
        learners = [s for s in specs if get_operation(s.operation).learn is not None]
        samples = self._sample({item for s in learners for item in s.of}, stack, grid)
        for spec in learners:
            cards = {item: self.layers_[item] for item in spec.of if item in self.layers_}
            attrs = [
                {"name": item, "classes": cards[item].classes if item in cards else {}}
                for item in spec.of
            ]
            blocks = [samples[item] for item in spec.of]
            try:
                settings[spec.name] |= get_operation(spec.operation).learn_from(
                    blocks, attrs, settings[spec.name]
                )
            except RecipeError as error:
                of = ", ".join(spec.of)
                raise RecipeError(f"Feature '{spec.name}' of {of}: {error}") from error
        return tuple(self._step(spec, settings[spec.name]) for spec in specs)

    def _step(self, spec: FeatureSpec, parameters: Mapping[str, Any]) -> Step:
        operation = get_operation(spec.operation)
        columns: tuple[str, ...] = (spec.name,)
        if operation.columns is not None:
            columns = tuple(f"{spec.name}: {c}" for c in operation.columns(parameters))
        card = self.layers_.get(spec.of[0])
        earlier = next((s.units for s in self.steps_ if s.name == spec.of[0]), "")
        unit = card.unit if card is not None else earlier
        return Step(spec, operation, parameters, columns, operation.units.format(unit=unit))

    def _check_inputs(self, spec: FeatureSpec, operation: Operation) -> None:
        """There must be as many inputs as the operation takes, each of its kind."""
        try:
            operation.require_inputs(len(spec.of))
        except RecipeError as error:
            raise RecipeError(f"Feature '{spec.name}': {error}") from error
        for place, item in enumerate(spec.of):
            takes = operation.kind_of(place)
            if item in self.layers_:
                kind = self.layers_[item].kind
            else:
                step = next(s for s in self.steps_ if s.name == item)
                if step.operation.columns is not None:
                    raise RecipeError(
                        f"Feature '{spec.name}' is of '{item}', which has several columns."
                    )
                kind = "continuous"
            if (kind == "categorical") != (takes == "categorical"):
                raise RecipeError(
                    f"Feature '{spec.name}': '{operation.name}' takes a {takes} layer, "
                    f"but '{item}' is {kind}."
                )

    def _sample(self, names: set[str], stack: xr.Dataset, grid: Grid) -> dict[str, NDArray[Any]]:
        """Layers or earlier steps on a subgrid anchored at the origin, gaps included."""
        if not names:
            return {}
        stride = max(1, math.ceil(math.sqrt(grid.rows * grid.cols / SAMPLE_CELLS)))
        shape = (-(-grid.rows // stride), -(-grid.cols // stride))
        codes = {name for name, card in self.layers_.items() if card.kind == "categorical"}
        samples = {n: np.empty(shape, np.int32 if n in codes else np.float32) for n in names}
        bindings = bind(self.layers_, stack)
        steps = _needed(self.steps_, names)
        tile = -(-FIT_TILE // stride) * stride
        for window in tiles(grid.window, -(-tile // LATTICE) * LATTICE):
            start = (-window.row % stride, -window.col % stride)
            place = (
                slice(-(-window.row // stride), -(-(window.row + window.height) // stride)),
                slice(-(-window.col // stride), -(-(window.col + window.width) // stride)),
            )
            for name in names & set(self.layers_):
                block = _read(stack, self.layers_[name], bindings[name], window)
                samples[name][place] = block[start[0] :: stride, start[1] :: stride]
            for step, region, values in _evaluate(
                steps, stack, grid.window, window, self.cell_, bindings, names
            ):
                if step.name in names:
                    rows, cols = window.within(region)
                    block = values[0, rows, cols]
                    samples[step.name][place] = block[start[0] :: stride, start[1] :: stride]
        return samples


def tiles(window: Window, side: int) -> Iterator[Window]:
    """Cut a window into tiles of ``side`` cells, a multiple of the lattice, row by row."""
    for row in range(window.row, window.row + window.height, side):
        for col in range(window.col, window.col + window.width, side):
            height = min(side, window.row + window.height - row)
            width = min(side, window.col + window.width - col)
            yield Window(row, col, height, width)


def _in_use(specs: Iterable[FeatureSpec]) -> list[FeatureSpec]:
    """Rows that are kept, or that a kept row builds on."""
    wanted: set[str] = set()
    used = []
    for spec in reversed(list(specs)):
        if spec.keep or spec.name in wanted:
            wanted.update(spec.of)
            used.append(spec)
    return used[::-1]


def _rounds(
    specs: Sequence[FeatureSpec], layers: Mapping[str, LayerCard]
) -> Iterator[list[FeatureSpec]]:
    """Rows in batches whose inputs are layers or rows of earlier batches."""
    ready = set(layers)
    left = list(specs)
    while left:
        batch = [spec for spec in left if set(spec.of) <= ready]
        if not batch:
            raise RecipeError(f"Feature '{left[0].name}' builds on itself: reorder the recipe.")
        yield batch
        ready |= {spec.name for spec in batch}
        left = [spec for spec in left if spec.name not in ready]


def _needed(steps: Sequence[Step], names: set[str]) -> list[Step]:
    """Steps that lead to some names."""
    wanted = set(names)
    found = []
    for step in reversed(steps):
        if step.name in wanted:
            wanted.update(step.spec.of)
            found.append(step)
    return found[::-1]


def _regions(
    steps: Sequence[Step], window: Window, cell: Cell, names: set[str] | None = None
) -> dict[str, Window]:
    """
    The window that each step is evaluated on, and each layer is read on.

    A step covers what is wanted of it and what its followers read around theirs. Where
    the arithmetic runs along the lattice, the window grows to whole lattice blocks.
    """
    regions: dict[str, Window] = {}
    for step in reversed(steps):
        wanted = step.spec.keep if names is None else step.name in names
        region = regions.get(step.name)
        if wanted or region is None:
            region = window if region is None else _cover(region, window)
        if step.operation.anchored:
            region = _on_lattice(region)
        regions[step.name] = region
        halo = step.operation.halo(cell, step.parameters)
        read = region.expand(*halo)
        for item in step.spec.of:
            regions[item] = _cover(regions[item], read) if item in regions else read
    return regions


def _evaluate(
    steps: Sequence[Step],
    stack: xr.Dataset,
    whole: Window,
    window: Window,
    cell: Cell,
    bindings: Mapping[str, Binding],
    names: set[str] | None = None,
) -> Iterator[tuple[Step, Window, NDArray[np.float32]]]:
    """Run the steps on a window: each layer read once, each result dropped after its last use."""
    regions = _regions(steps, window, cell, names)
    last = {item: step.name for step in steps for item in step.spec.of}
    held: dict[str, Array] = {}
    for step in steps:
        region = regions[step.name]
        halo = step.operation.halo(cell, step.parameters)
        blocks = []
        for item in step.spec.of:
            if item not in held:
                binding = bindings[item]
                held[item] = _read(stack, binding.card, binding, regions[item])
            rows, cols = region.expand(*halo).within(regions[item])
            blocks.append(np.ascontiguousarray(held[item][rows, cols]))
        shape = (len(step.columns), region.height, region.width)
        values = np.empty(shape, np.float32)
        out = values if step.operation.columns is not None else values[0]
        step.operation.compute(*blocks, out=out, cell=cell, **step.parameters)
        _clear_outside(values, region, whole)
        if step.name in last:
            held[step.name] = values[0]
        yield step, region, values
        for item in step.spec.of:
            if last[item] == step.name:
                held.pop(item, None)


def _read(stack: xr.Dataset, card: LayerCard, binding: Binding, window: Window) -> NDArray[Any]:
    """A layer's block, in the unit and with the class codes that were fitted."""
    if card.kind == "categorical":
        codes = read_block(stack[binding.name], window, np.int32)
        return codes if binding.recode is None else _recode(codes, binding.recode)
    values = read_block(stack[binding.name], window, np.float32)
    if binding.factor != 1.0:
        values *= np.float32(binding.factor)
    return values


def _recode(codes: NDArray[np.int32], table: Mapping[int, int]) -> NDArray[np.int32]:
    """Class codes of another table; classes that were never seen get a code of their own."""
    found, positions = np.unique(codes, return_inverse=True)
    unseen = np.iinfo(np.int32).max
    new = [NO_CLASS if code == NO_CLASS else table.get(int(code), unseen) for code in found]
    return np.array(new, np.int32)[positions].reshape(codes.shape)


def _clear_outside(values: NDArray[np.float32], region: Window, whole: Window) -> None:
    """Nothing is known beyond the grid, even where arithmetic would give a number."""
    inside = region.intersect(whole)
    if inside == region:
        return
    rows, cols = inside.within(region)
    values[:, : rows.start] = np.nan
    values[:, rows.stop :] = np.nan
    values[:, :, : cols.start] = np.nan
    values[:, :, cols.stop :] = np.nan


def _cover(a: Window, b: Window) -> Window:
    """The smallest window that holds both."""
    row, col = min(a.row, b.row), min(a.col, b.col)
    bottom = max(a.row + a.height, b.row + b.height)
    right = max(a.col + a.width, b.col + b.width)
    return Window(row, col, bottom - row, right - col)


def _on_lattice(window: Window) -> Window:
    """The smallest union of lattice blocks that holds a window."""
    row = window.row // LATTICE * LATTICE
    col = window.col // LATTICE * LATTICE
    bottom = -(-(window.row + window.height) // LATTICE) * LATTICE
    right = -(-(window.col + window.width) // LATTICE) * LATTICE
    return Window(row, col, bottom - row, right - col)


def _load_step(item: Mapping[str, Any]) -> Step:
    spec = FeatureSpec.from_table(item["row"])
    operation = get_operation(spec.operation)
    return Step(
        spec=spec,
        operation=operation,
        parameters=operation.check(item["parameters"]),
        columns=tuple(str(name) for name in item["columns"]),
        units=str(item["units"]),
    )
