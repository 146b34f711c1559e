"""Which ground counts."""

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from pyproj import Transformer
from shapely import LineString, Point, Polygon, box

from prospect.errors import LayerError, ProjectError
from prospect.grid import Grid, Window
from prospect.ground import (
    Area,
    Ground,
    Permissive,
    evidence_mask,
    make_ground,
    read_area,
    sheet_area,
)
from prospect.matching import Binding, cards_of
from prospect.vector import area_mask, write_vector

X, Y = 500_000.0, 4_400_000.0


@pytest.fixture
def stack(grid):
    rows, cols = np.indices(grid.shape)
    elevation = (100.0 * rows).astype(np.float32)
    elevation[0, 0] = np.nan
    lithology = (cols // 10).astype(np.int32) + 1
    lithology[1, 1] = -1
    classes = {1: "carbonate", 2: "black shale", 3: "gneiss (old), red", 4: "l'ardoise"}
    attrs = {"role": "geology.lithology", "kind": "categorical", "classes": classes}
    return xr.Dataset(
        {
            "dem": (("y", "x"), elevation, {"role": "elevation", "kind": "continuous"}),
            "lith": (("y", "x"), lithology, attrs),
            "карта 1": (("y", "x"), np.ones(grid.shape, np.float32), {"kind": "continuous"}),
        },
        coords=grid.coordinates(),
    )


def mask(text, stack, window=None):
    return Permissive(text).mask(stack, window or Window(0, 0, 40, 50))


ROWS, COLS = np.indices((40, 50))


@pytest.mark.parametrize(
    ("text", "rows", "cols"),
    [
        ("dem <= 300", ROWS <= 3, COLS >= 0),
        ("dem < 300", ROWS < 3, COLS >= 0),
        ("elevation >= 300.5", ROWS >= 4, COLS >= 0),
        ("elevation > 3e2", ROWS > 3, COLS >= 0),
        ("elevation = 300", ROWS == 3, COLS >= 0),
        ("lith in (carbonate)", ROWS >= 0, COLS < 10),
        ("geology.lithology in (carbonate, 'black shale')", ROWS >= 0, COLS < 20),
        ("geology.* in (1, 2)", ROWS >= 0, COLS < 20),
        ("lith not in (1, black shale)", ROWS >= 0, COLS >= 20),
        ("lith in ('gneiss (old), red')", ROWS >= 0, COLS // 10 == 2),
        ('lith in ("l\'ardoise", 5)', ROWS >= 0, COLS >= 30),
        ("lith > 3", ROWS >= 0, COLS >= 30),
        ("lith < 3.5", ROWS >= 0, COLS < 30),
        ("dem<=300 and lith in (1)", ROWS <= 3, COLS < 10),
        ("lith not  in (1) and dem > 300 and dem < 600", (ROWS > 3) & (ROWS < 6), COLS >= 10),
        ("'карта 1' >= 1", ROWS >= 0, COLS >= 0),
    ],
)
def test_tests_pass_where_they_should_and_gaps_pass_none(stack, text, rows, cols):
    expected = rows & cols
    if "dem" in text or "elevation" in text:
        expected &= np.isfinite(stack.dem.values)
    if "lith" in text or "geology" in text:
        expected &= stack.lith.values != -1
    assert np.array_equal(mask(text, stack), expected)
    window = Window(0, 7, 9, 20)
    assert np.array_equal(mask(text, stack, window), expected[window.slices])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is not a test of a layer: write, for example"),
        ("dem", "'dem' is not a test"),
        ("dem == 3", "'dem == 3' is not a test"),
        ("dem > 3 or dem < 1", "is not a test"),
        ("dem > 3 and", "'' is not a test"),
        ("dem > 3 and dem", "'dem' is not a test"),
        ("lith in (a", "is not a test"),
        ("lith in ('a)", "is not a test"),
        ("lith in ()", "names no class: write some"),
        ("dem > high", "'high' in 'dem > high' is not a number"),
        ("dem > 3,5", "'3,5' in 'dem > 3,5' is not a number"),
        ("dem > nan", "is not a number"),
        ("dem < inf", "is not a number"),
    ],
)
def test_what_is_not_understood_is_refused_at_once(text, says):
    with pytest.raises(ProjectError) as error:
        Permissive(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zzz > 3", "names the layer 'zzz', which fits 0 of the layers"),
        ("dem in (1)", "'dem' has no classes: compare it with a number"),
        ("lith in (granite)", "no class 'granite'; it has: carbonate, black shale"),
    ],
)
def test_what_does_not_fit_the_layers(stack, text, says):
    with pytest.raises(ProjectError, match=says):
        mask(text, stack)


def test_an_ambiguous_role_is_refused(stack):
    twice = stack.assign(dem2=stack.dem)
    with pytest.raises(ProjectError, match=r"fits 2 of the layers \(dem, dem2\): name one"):
        mask("elevation > 3", twice)


def save(path, geometries, crs="EPSG:32642"):
    write_vector(gpd.GeoDataFrame(geometry=geometries, crs=crs), path)
    return path


def test_an_area_is_the_union_of_polygons(tmp_path, stack, grid):
    path = save(
        tmp_path / "площадь.gpkg",
        [
            box(X, Y - 1000, X + 1000, Y),
            box(X + 500, Y - 1000, X + 2000, Y),
            LineString([(X, Y - 4000), (X + 5000, Y - 4000)]),
        ],
    )
    ground = make_ground(path, None)
    cells = ground.mask(stack, grid.window, bindings(stack))
    assert cells.sum() == 200
    assert cells[:10, :20].all()
    assert Ground.from_dict(ground.to_dict()) == ground
    assert ground.area.source == str(path)


def test_a_crossed_outline_is_repaired(tmp_path, grid):
    bow = Polygon([(X, Y), (X + 2000, Y - 2000), (X + 2000, Y), (X, Y - 2000)])
    area = read_area(save(tmp_path / "bow.gpkg", [bow]))
    assert area.on(grid).area == pytest.approx(2_000_000)


def test_an_area_in_another_system(tmp_path, stack, grid):
    square = gpd.GeoSeries([box(X, Y - 1000, X + 1000, Y)], crs="EPSG:32642").to_crs(28412)
    area = read_area(save(tmp_path / "gk.gpkg", square, "EPSG:28412"))
    cells = Ground(area).mask(stack, grid.window, bindings(stack))
    assert cells.sum() == 100
    assert make_ground(area, None).area is area


def test_a_map_sheet_bounds_ground():
    # Sheet K-42-XXXVI ends at 72 degrees east of Pulkovo 1942, some 60 m off WGS 84.
    grid = Grid("EPSG:32642", Affine(100, 0, 740_000, 0, -100, 4_450_000), (300, 300))
    outline = sheet_area("K-42-XXXVI").on(grid)
    inside = area_mask(outline, grid, grid.window)
    lon, lat = Transformer.from_crs(32642, 4284, always_xy=True).transform(
        *np.meshgrid(grid.x, grid.y)
    )
    want = (lon > 71) & (lon < 72) & (lat > 40) & (lat < 40 + 2 / 3)
    assert 0.2 < want.mean() < 0.8
    assert (inside != want).mean() < 1e-3


def test_an_area_without_polygons_is_refused(tmp_path):
    with pytest.raises(LayerError, match="holds no polygon, but an area is bounded by polygons"):
        read_area(save(tmp_path / "p.gpkg", [Point(X, Y)]))
    with pytest.raises(LayerError, match="There is no file"):
        make_ground(tmp_path / "missing.gpkg", None)


def bindings(stack, required=()):
    found = {}
    for name, card in cards_of(stack).items():
        card = type(card)(**{**vars(card), "required": name in required})
        found[name] = Binding(card, name)
    return found


def test_required_layers_mask_and_others_do_not(stack, grid):
    window = grid.window
    both = evidence_mask(stack, window, bindings(stack, ["dem", "lith"]))
    assert np.argwhere(~both).tolist() == [[0, 0], [1, 1]]
    one = evidence_mask(stack, window, bindings(stack, ["lith"]))
    assert np.argwhere(~one).tolist() == [[1, 1]]


def test_without_required_layers_any_value_counts(stack, grid):
    two = stack[["dem", "lith"]].copy()
    two.lith.values[0, 0] = -1
    found = evidence_mask(two, grid.window, bindings(two))
    assert np.argwhere(~found).tolist() == [[0, 0]]


def test_burnt_in_geometry_says_nothing_of_where_data_are(stack, grid):
    faults = xr.zeros_like(stack.dem).assign_attrs(kind="geometry")
    with_faults = stack[["dem"]].assign(faults=faults)
    found = evidence_mask(with_faults, grid.window, bindings(with_faults))
    assert np.argwhere(~found).tolist() == [[0, 0]]


def test_area_permissive_and_evidence_together(stack, grid):
    area = Area(box(X, Y - 1000, X + 1000, Y).wkt, "EPSG:32642")
    ground = Ground(area, Permissive("dem <= 300"))
    cells = ground.mask(stack, grid.window, bindings(stack, ["lith"]))
    assert cells.sum() == 40 - 2
    assert (
        not Ground(Area(box(0, 0, 1, 1).wkt, "EPSG:32642"))
        .mask(stack, grid.window, bindings(stack))
        .any()
    )
    again = Ground.from_dict(ground.to_dict())
    assert again == ground
    assert Ground.from_dict(Ground().to_dict()) == Ground()


def test_a_model_of_vectors_alone_is_bounded_by_required_layers(stack, grid):
    faults = xr.zeros_like(stack.dem).assign_attrs(kind="geometry", required=False)
    both = stack[["dem"]].assign(faults=faults)
    alone = {"faults": bindings(both)["faults"]}
    assert evidence_mask(both, grid.window, alone).all()
    both["dem"].attrs["required"] = True
    assert np.argwhere(~evidence_mask(both, grid.window, alone)).tolist() == [[0, 0]]
