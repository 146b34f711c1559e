"""What must hold of every operation there is: a new one is covered without being named here."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import LineString

from prospect import grid
from prospect.features import FeatureBuilder, builder, operations, plan
from prospect.grid import Grid, Window
from prospect.stack import vector_layer

SHAPE = (70, 90)
WHOLE = Window(0, 0, *SHAPE)

# What parameters are called by in all operations; lengths suit arrays of 7 by 9 km.
GIVEN = {
    "radius": 300.0, "cap": 900.0, "fine": 150.0, "coarse": 300.0, "outer": 400.0,
    "height": 200.0, "scale": 300.0, "percentile": 40.0, "threshold": 0.3, "above": 0.2,
    "inclination": 60.0, "declination": 5.0, "numerator": 1, "classes": ["granite"],
    "strike": [30.0, 80.0], "outputs": None, "index": "landsat_ndvi",
    "count": 2, "edges": [0.5, 1.5],
}  # fmt: skip
OUTPUTS = {"focal_statistics": ["mean", "std"], "terrain_derivatives": ["slope", "aspect"]}


def row_of(name, operation):
    """A row of a recipe that asks for an operation, from what it says of itself."""
    row = {"name": name, "operation": name}
    for key, parameter in operation.signature.parameters.items():
        if key in operation.learned or key in ("out", "cell"):
            continue
        if key in GIVEN:
            row[key] = GIVEN[key]
        elif parameter.default is parameter.empty:
            # A number that a new operation calls otherwise is taken for a length.
            assert parameter.annotation is float, f"say in GIVEN what {key} of {name} may be"
            row[key] = 300.0
        if key == "outputs":
            row[key] = OUTPUTS[name]
    kinds = operation.takes if isinstance(operation.takes, tuple) else (operation.takes,)
    several = {"continuous": ["red", "nir", "c"], "categorical": ["rock"],
               "geometry": ["faults"], "lines": ["faults", "folds"]}  # fmt: skip
    if operation.roles is not None:
        row["of"] = list(operation.roles(row))
    elif len(kinds) > 1:
        row["of"] = [several[kind][0] for kind in kinds]
    else:
        row["of"] = several[kinds[0]][: operation.inputs]
    return row


def make_layers(make_stack):
    rng = np.random.default_rng(5)
    arrays = {}
    for name in ("red", "nir", "c"):
        values = rng.normal(size=SHAPE).cumsum(axis=0).cumsum(axis=1)
        values = np.exp(values / 40 + rng.normal(size=SHAPE) / 10).astype(np.float32)
        values[rng.random(SHAPE) < 0.03] = np.nan
        values[20:31, 40:60] = np.nan
        arrays[name] = values
    arrays["rock"] = rng.integers(-1, 4, SHAPE).astype(np.int32)
    attrs = {
        "rock": {"classes": dict(enumerate(("shale", "granite", "marl", "schist")))},
        "red": {"role": "landsat.b4"},
        "nir": {"role": "landsat.b5"},
    }
    stack = make_stack(attrs=attrs, **arrays)
    west, south, east, north = Grid.of(stack).bounds
    for name in ("faults", "folds"):
        ends = rng.uniform((west, south), (east, north), (12, 3, 2))
        layer = vector_layer([LineString(e) for e in ends], like=stack, name=name, role=name)
        stack[name] = layer
    return stack


@pytest.fixture
def fitted(make_stack, monkeypatch):
    """Every operation in one recipe, on blocks of 16 cells so that small arrays have many."""
    for module in (grid, builder):
        monkeypatch.setattr(module, "LATTICE", 16)
    monkeypatch.setattr(plan.grid, "LATTICE", 16)
    stack = make_layers(make_stack)
    rows = [row_of(name, operation) for name, operation in operations().items()]
    built = FeatureBuilder(rows).fit(stack)
    assert [step.name for step in built.steps_] == list(operations())
    return built, stack, built.transform(stack).values


def first_difference(built, got, expected):
    """The first feature that differs, for a message."""
    return [name for name, a, b in zip(built.feature_names, got, expected, strict=True)
            if a.tobytes() != np.ascontiguousarray(b).tobytes()][:3]  # fmt: skip


EXAMPLES = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EXAMPLES
@given(
    corner=st.tuples(st.integers(0, 69), st.integers(0, 89)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 90)),
    tile=st.integers(1, 100),
    workers=st.integers(1, 3),
)
def test_tiles_equal_the_whole(fitted, corner, size, tile, workers):
    built, stack, expected = fitted
    window = Window(*corner, *size).intersect(WHOLE)
    seen = np.zeros(SHAPE, int)
    for part, block in built.tiles(stack, window, tile=tile, workers=workers):
        seen[part.slices] += 1
        assert not first_difference(built, block, expected[:, *part.slices])
    assert (seen[window.slices] == 1).all()


@EXAMPLES
@given(seed=st.integers(0, 2**31), share=st.floats(0.001, 0.5), layer=st.integers(0, 3))
def test_more_gaps_never_make_more_valid_cells(fitted, seed, share, layer):
    built, stack, expected = fitted
    rng = np.random.default_rng(seed)
    poorer = stack.copy()
    name = ("red", "nir", "c", "rock")[layer]
    values = stack[name].values.copy()
    lost = rng.random(SHAPE) < share
    # A hole as clouds and sheets leave it, beside single cells.
    row, col = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])
    lost[row : row + 15, col : col + 20] = True
    values[lost] = np.nan if values.dtype.kind == "f" else -1
    poorer[name] = stack[name].copy(data=values)
    got = built.transform(poorer).values
    more = (~np.isnan(got) & np.isnan(expected)).any(axis=(1, 2))
    assert not [n for n, each in zip(built.feature_names, more, strict=True) if each]


def test_saving_and_loading_leave_no_trace(fitted):
    built, stack, expected = fitted
    again = FeatureBuilder.from_dict(json.loads(json.dumps(built.to_dict())))
    assert again.to_dict() == built.to_dict()
    assert not first_difference(built, again.transform(stack).values, expected)


@EXAMPLES
@given(order=st.permutations(["red", "nir", "c", "rock", "faults", "folds"]))
def test_the_order_of_layers_leaves_no_trace(fitted, order):
    built, stack, expected = fitted
    assert not first_difference(built, built.transform(stack[order]).values, expected)
    if order[0] == "rock":
        again = FeatureBuilder(built.recipe).fit(stack[order])
        assert not first_difference(built, again.transform(stack[order]).values, expected)
