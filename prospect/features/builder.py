"""The feature builder: a recipe, fitted once, then a pure function of windows of a stack."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from prospect.errors import EvidenceError, GridError, RecipeError
from prospect.features import whole
from prospect.features.fitting import (
    learn_row,
    require_inputs,
    require_window,
    settings_of,
    without,
)
from prospect.features.operation import get_operation
from prospect.features.overlap import Overlap
from prospect.features.plan import Plan, Step, lay_tiles, leading_to, make_plan, tiles
from prospect.features.recipe import FeatureSpec, Recipe, in_use, rounds
from prospect.features.running import Watch, layer_values, run_plan
from prospect.grid import LATTICE, Cell, Grid, Window
from prospect.matching import Binding, LayerCard, bind, cards_of

SAMPLE_CELLS = 4_000_000
"""Statistics are exact up to this many cells; beyond, a regular subgrid of them is taken."""

FIT_TILE = 1024


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
        Rows whose layers are absent.
    notes_ : tuple of str
        Rows left out because their layers do not allow them, and why; classes and layers
        that a row does without.
    """

    recipe: Recipe | Sequence[Mapping[str, Any]]
    steps_: tuple[Step, ...] = field(default=(), init=False, repr=False)
    layers_: dict[str, LayerCard] = field(default_factory=dict, init=False, repr=False)
    cell_: Cell = field(default=Cell(math.nan, math.nan), init=False, repr=False)
    missing_: tuple[FeatureSpec, ...] = field(default=(), init=False, repr=False)
    notes_: tuple[str, ...] = field(default=(), init=False, repr=False)

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
            If no row can be used, or a row is wrong. A row that is right but whose layers
            do not allow it, such as an assay that was mostly not detected, is left out and
            told in ``notes_``.
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
        specs = in_use(resolved.features)
        used = {item for spec in specs for item in spec.of if item in stack.data_vars}
        self.layers_ = cards_of(stack[sorted(used, key=list(stack.data_vars).index)])
        self.steps_ = ()
        refused: dict[str, str] = {}
        notes: list[str] = []
        for batch in rounds(specs, self.layers_):
            able = _able(batch, refused)
            self.steps_ += self._learn(able, stack, grid, refused, notes)
        self.notes_ = (*notes, *refused.values())
        self.steps_ = tuple(leading_to(self.steps_, {s.name for s in self.steps_ if s.spec.keep}))
        if not self.steps_:
            raise RecipeError(
                f"No feature of the recipe can be built: {next(iter(refused.values()))}"
            )
        used = {item for step in self.steps_ for item in step.spec.of}
        self.layers_ = {name: card for name, card in self.layers_.items() if name in used}
        return self

    def transform(
        self, stack: xr.Dataset, window: Window | None = None, *, workers: int = 1
    ) -> xr.DataArray:
        """
        Build the features of a window.

        Parameters
        ----------
        stack : Dataset of dims (y, x)
            With the layers of the fitted one, matched by name, else by role.
        window : Window, optional
            In cells of the stack's grid; the whole when not given.
        workers : int
            Threads. The bits are the same with any number.

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
        if workers > 1:
            shape = (len(self.feature_names), window.height, window.width)
            values = np.empty(shape, np.float32)
            for place, block in self.tiles(stack, window, workers=workers):
                values[:, *place.within(window)] = block
        else:
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
        """Fit, and build the features of the whole."""
        return self.fit(stack).transform(stack)

    def get_feature_names_out(self) -> NDArray[np.object_]:
        """Names of the features, in the order of their columns."""
        return np.array(self.feature_names, dtype=object)

    @property
    def feature_names(self) -> list[str]:
        """The same, as a list."""
        return [name for step in self.steps_ if step.spec.keep for name in step.columns]

    @property
    def signs(self) -> list[str]:
        """How likelihood goes with each feature: +, -, 0 or ∩."""
        return [step.spec.sign for step in self.steps_ if step.spec.keep for _ in step.columns]

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and columns that the features read beyond a window."""
        window = Window(0, 0, LATTICE, LATTICE)
        _, needs = self.plan().windows(window, self.cell_)
        rows = {step.name for step in self.steps_}
        needed = [region for item, region in needs.items() if item not in rows]
        return (
            max((-region.row for region in needed), default=0),
            max((-region.col for region in needed), default=0),
        )

    def reach(self) -> float:
        """
        Metres that focal windows reach to; distances and gradients are not counted.

        A Gaussian counts to three of its standard deviations.
        """
        radii = [
            times * float(step.parameters.get(name) or 0.0)
            for step in self.steps_
            for name, times in (("radius", 1), ("outer", 1), ("sigma", 3))
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
        self,
        stack: xr.Dataset,
        window: Window,
        bindings: Mapping[str, Binding],
        out: NDArray[np.float32] | None = None,
        overlap: Overlap | None = None,
    ) -> NDArray[np.float32]:
        """
        The features of a window as an array of shape (feature, y, x), ``out`` if given.

        An ``overlap`` saves work where windows are asked for from the top down.
        """
        stack = self.settle(stack, bindings)
        whole = Grid.of(stack).window
        return self._fill(self.plan(), stack, whole, window, bindings, out, overlap=overlap)

    def settle(self, stack: xr.Dataset, bindings: Mapping[str, Binding]) -> xr.Dataset:
        """The stack, with a layer more for every row that looks at a whole map."""
        return whole.settle(self.steps_, self.cell_, stack, bindings)

    def tiles(
        self,
        stack: xr.Dataset,
        window: Window | None = None,
        *,
        tile: int | None = None,
        workers: int = 1,
        watch: Watch | None = None,
    ) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        """
        Build the features tile by tile, in blocks that are used again.

        The bits are those of :meth:`transform`, whatever the tile and the workers. Memory
        is that of ``workers + 1`` tiles, whatever the stack.

        Parameters
        ----------
        stack : Dataset of dims (y, x)
        window : Window, optional
            In cells of the stack's grid; the whole when not given.
        tile : int, optional
            Side in cells, rounded up to the lattice. By default a tile is a lattice block
            high and as wide as memory allows, since rows are read whole.
        workers : int
            Threads; kernels run without the interpreter's lock.
        watch : callable, optional
            Told of every call, the window it filled, and the seconds it took.

        Yields
        ------
        window : Window
        block : array of shape (feature, y, x), float32
            Valid until the next tile is asked for.
        """
        grid = self.require_grid(stack)
        bindings, plan = bind(self.layers_, stack), self.plan()
        stack = self.settle(stack, bindings)
        windows = lay_tiles(window or grid.window, plan.depth, tile)
        largest = max((w.height * w.width for w in windows), default=0)
        free: SimpleQueue[NDArray[np.float32]] = SimpleQueue()
        for _ in range(min(workers + 1, len(windows))):
            free.put(np.empty(plan.depth * largest, np.float32))

        def one(part: Window, flat: NDArray[np.float32]) -> NDArray[np.float32]:
            shape = (plan.depth, part.height, part.width)
            out = flat[: math.prod(shape)].reshape(shape)
            return self._fill(plan, stack, grid.window, part, bindings, out, watch)

        if workers == 1:
            flat = free.get() if windows else np.empty(0, np.float32)
            for part in windows:
                yield part, one(part, flat)
            return
        with ThreadPoolExecutor(workers) as pool:
            pending: deque[tuple[Window, NDArray[np.float32], Future[NDArray[np.float32]]]]
            pending = deque()
            left = deque(windows)
            while left or pending:
                while left and not free.empty():
                    part, flat = left.popleft(), free.get()
                    pending.append((part, flat, pool.submit(one, part, flat)))
                part, flat, future = pending.popleft()
                yield part, future.result()
                free.put(flat)

    def plan(self) -> Plan:
        """What is computed for a tile of a settled stack."""
        return make_plan(whole.as_layers(self.steps_), self.cell_)

    def _fill(
        self,
        plan: Plan,
        stack: xr.Dataset,
        grid: Window,
        window: Window,
        bindings: Mapping[str, Binding],
        out: NDArray[np.float32] | None = None,
        watch: Watch | None = None,
        overlap: Overlap | None = None,
    ) -> NDArray[np.float32]:
        """Run a plan on the part of a window inside the grid; beyond it are gaps."""
        if out is None:
            out = np.empty((plan.depth, window.height, window.width), np.float32)
        inside = window.intersect(grid)
        if inside == window:
            known = whole.bound(self.steps_, bindings)
            where = stack, known, window, grid
            run_plan(plan, *where, self.cell_, out, watch=watch, overlap=overlap)
            return out
        out[:] = np.nan
        if inside.height and inside.width:
            rows, cols = inside.within(window)
            out[:, rows, cols] = self._fill(plan, stack, grid, inside, bindings, None, watch)
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
        self,
        specs: Sequence[FeatureSpec],
        stack: xr.Dataset,
        grid: Grid,
        refused: dict[str, str],
        notes: list[str],
    ) -> tuple[Step, ...]:
        """Steps of a round of rows, whose inputs are layers or earlier steps."""
        asked: list[tuple[FeatureSpec, dict[str, Any]]] = []
        for spec in specs:
            settings, told = settings_of(spec, self.layers_)
            require_inputs(spec, self.layers_, self.steps_, stack)
            asked.append((spec, settings))
            notes += told
        learners = [s for s in specs if get_operation(s.operation).learn is not None]
        samples = self._sample({item for s in learners for item in s.of}, stack, grid)
        steps = []
        for spec, settings in asked:
            if spec in learners:
                try:
                    spec, settings, told = learn_row(spec, settings, samples, self.layers_)
                except EvidenceError as error:
                    refused[spec.name] = f"'{spec.name}' is left out: {error}"
                    continue
                notes += told
            require_window(spec, get_operation(spec.operation), settings, grid)
            steps.append(self._step(spec, settings))
        return tuple(steps)

    def _step(self, spec: FeatureSpec, parameters: Mapping[str, Any]) -> Step:
        operation = get_operation(spec.operation)
        columns: tuple[str, ...] = (spec.name,)
        if operation.columns is not None:
            columns = tuple(f"{spec.name}: {c}" for c in operation.columns(parameters))
        card = self.layers_.get(spec.of[0])
        earlier = next((s.units for s in self.steps_ if s.name == spec.of[0]), "")
        unit = card.unit if card is not None else earlier
        return Step(spec, operation, parameters, columns, operation.units.format(unit=unit))

    def _sample(self, names: set[str], stack: xr.Dataset, grid: Grid) -> dict[str, NDArray[Any]]:
        """Layers or earlier steps on a subgrid anchored at the origin, gaps included."""
        if not names:
            return {}
        stride = max(1, math.ceil(math.sqrt(grid.rows * grid.cols / SAMPLE_CELLS)))
        shape = (-(-grid.rows // stride), -(-grid.cols // stride))
        codes = {name for name, card in self.layers_.items() if card.kind == "categorical"}
        samples = {n: np.empty(shape, np.int32 if n in codes else np.float32) for n in names}
        bindings = bind(self.layers_, stack)
        # Only what leads to the names: other whole maps can wait.
        made = leading_to(self.steps_, names - set(self.layers_))
        stack = whole.settle(made, self.cell_, stack, bindings)
        plan = make_plan(whole.as_layers(made), self.cell_, names - set(self.layers_))
        tile = -(-FIT_TILE // stride) * stride
        for window in tiles(grid.window, -(-tile // LATTICE) * LATTICE):
            start = (-window.row % stride, -window.col % stride)
            place = (
                slice(-(-window.row // stride), -(-(window.row + window.height) // stride)),
                slice(-(-window.col // stride), -(-(window.col + window.width) // stride)),
            )
            some = slice(start[0], None, stride), slice(start[1], None, stride)
            blocks = {
                name: layer_values(stack, bindings[name], window)
                for name in sorted(names & set(self.layers_))
            }
            rows = self._fill(plan, stack, grid.window, window, bindings)
            blocks |= {name: rows[plane] for name, plane in plan.places.items()}
            for name, block in blocks.items():
                samples[name][place] = block[some]
        return samples


def _able(batch: Sequence[FeatureSpec], refused: dict[str, str]) -> list[FeatureSpec]:
    """Rows without those that build on a row that was left out, which are left out too."""
    able = []
    for spec in batch:
        for item in spec.of:
            if item in refused and item in spec.spare and len(spec.of) > 1:
                spec = without(spec, item)
        lost = next((item for item in spec.of if item in refused), None)
        if lost is None:
            able.append(spec)
        else:
            refused[spec.name] = f"'{spec.name}' is left out: it builds on '{lost}'."
    return able


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
