"""Points, lines and polygons: read, and burnt in."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import LineString, MultiPolygon, Point, box

from prospect.errors import GridError, LayerError, OutputError
from prospect.grid import Grid, Window
from prospect.vector import (
    VectorLayer,
    area_mask,
    dbf_encoding,
    layer_classes,
    points_frame,
    read_points,
    read_vector,
    to_crs,
    write_vector,
)

# Corner of the shared grid.
X, Y = 500_000.0, 4_400_000.0


def table(geometries, crs="EPSG:32642", **columns):
    return gpd.GeoDataFrame(columns, geometry=list(geometries), crs=crs)


@pytest.fixture
def save(tmp_path):
    def write(name, geometries, crs="EPSG:32642", **columns):
        path = tmp_path / name
        options = {} if path.suffix in (".gpkg", ".kml") else {"encoding": "UTF-8"}
        options |= {"driver": "KML"} if path.suffix == ".kml" else {}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")
            data = table(geometries, crs, **columns)
            pyogrio.write_dataframe(data, path, layer="layer", **options)
        return path

    return write


# Reading


@pytest.mark.parametrize("suffix", [".shp", ".gpkg", ".geojson", ".fgb", ".gml", ".kml", ".tab"])
def test_every_kind_of_file(save, suffix):
    degrees = suffix in (".geojson", ".kml")
    points = [Point(69.1, 39.5), Point(69.2, 39.6)] if degrees else [Point(X, Y), Point(X, Y - 9)]
    path = save(f"разломы 1{suffix}", points, "EPSG:4326" if degrees else "EPSG:32642",
                Name=["Хайдаркан", "Кадамжай"])  # fmt: skip
    frame = read_vector(path)
    assert frame["Name"].tolist() == ["Хайдаркан", "Кадамжай"]
    assert shapely.distance(frame.geometry.values, points) == pytest.approx([0, 0], abs=1e-6)
    assert CRS(frame.crs).to_epsg() in (4326, 32642, None)
    assert list(frame.index) == [0, 1]


def test_another_system_and_a_condition_and_bounds(save, grid):
    points = [Point(69.0 + 0.01 * i, 39.7) for i in range(5)]
    path = save("p.gpkg", points, "EPSG:4326", kind=["a", "b", "a", "b", "a"])
    frame = read_vector(path, where="kind = 'a'", to=grid.crs, columns=["kind"])
    assert frame["kind"].tolist() == ["a"] * 3
    assert frame.geometry.x.iloc[0] == pytest.approx(X, abs=1e-3)
    near = read_vector(path, to=grid.crs, bounds=(X - 10, Y - 9999, X + 10, Y + 9999))
    assert len(near) == 1
    assert len(read_vector(path, where="kind = 'z'")) == 0


def test_null_and_empty_geometries_are_left_out_and_heights_dropped(save):
    path = save("p.gpkg", [Point(1, 2, 3), None, Point(), Point(4, 5, 6)], a=[1, 2, 3, 4])
    frame = read_vector(path)
    assert frame["a"].tolist() == [1, 4]
    assert not frame.has_z.any()


def test_what_cannot_be_read_is_said(save, tmp_path):
    path = save("p.gpkg", [Point(1, 2)], a=[1])
    for options in ({"layer": "missing"}, {"where": "nonsense ="}, {"where": "zzz = 1"}):
        with pytest.raises(LayerError, match="check the file, its layer and condition"):
            read_vector(path, **options)
    with pytest.raises(LayerError, match="There is no file"):
        read_vector(tmp_path / "missing.shp")
    with pytest.raises(LayerError, match="not a file on this computer"):
        read_vector("/vsicurl/http://localhost/a.geojson")
    with pytest.raises(LayerError, match=r"not known as vector data; known are \.shp"):
        read_vector(save("p.fgb", [Point(1, 2)]).rename(tmp_path / "p.dxf"))
    (tmp_path / "folder.shp").mkdir()
    with pytest.raises(LayerError, match="is a folder"):
        read_vector(tmp_path / "folder.shp")
    (tmp_path / "broken.geojson").write_text('{"type": "FeatureColl')
    with pytest.raises(LayerError, match="cannot be read as vector data"):
        read_vector(tmp_path / "broken.geojson")
    (tmp_path / "cut.gpkg").write_bytes(path.read_bytes()[:5000])
    with pytest.raises(LayerError):
        read_vector(tmp_path / "cut.gpkg")


def test_a_missing_system_is_named_by_the_user(save, grid):
    path = save("p.shp", [Point(X, Y)], None)
    with pytest.raises(LayerError, match="no coordinate system: assign one in QGIS"):
        read_vector(path)
    assert read_vector(path, crs="EPSG:32642", to=grid.crs).geometry.x[0] == X
    with pytest.raises(GridError, match="'nonsense' is not a coordinate system"):
        read_vector(path, crs="nonsense")


VRT = (
    '<OGRVRTDataSource><OGRVRTLayer name="layer"><SrcDataSource>{path}</SrcDataSource>'
    "</OGRVRTLayer></OGRVRTDataSource>"
)
PIPELINE = '{{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read {path}"}}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.shp", VRT),
        ("a.geojson", VRT),
        ("a.geojson", "{{" + VRT),
        ("a.geojson", " \n\ufeff" + VRT),
        ("a.json", PIPELINE),
        ("a.json", '{{"a": 1}}' + VRT),
        ("a.gml", VRT),
        ("a.gml", "<?xml version='1.0'?><!-- x -->" + VRT),
        ("a.kml", VRT.replace("OGRVRTDataSource", "OGRWFSDataSource")),
        ("a.gpkg", VRT),
        ("a.fgb", "fgb" + VRT),
        ("a.fgb", "fgb\x03fgb\x00" + VRT),
        ("a.tab", "!table\n" + VRT),
    ],
)
def test_descriptions_show_no_other_file(save, tmp_path, name, text):
    secret = save("secret.gpkg", [Point(1, 2)])
    path = tmp_path / name
    path.write_text(text.format(path=secret), encoding="utf-8")
    with pytest.raises(LayerError, match="is not what its name says"):
        read_vector(path)
    with pytest.raises(LayerError, match="is not what its name says"):
        layer_classes(path, "a")


def test_the_danger_of_descriptions_is_real(save, tmp_path):
    secret = save("secret.gpkg", [Point(1, 2)])
    (tmp_path / "a.gml").write_text(VRT.format(path=secret))
    assert pyogrio.read_info(tmp_path / "a.gml")["driver"] == "OGR_VRT"


def test_features_that_cannot_be_moved_are_an_error(grid):
    far = table([Point(1e9, 1e9)], "EPSG:32642")
    with pytest.raises(GridError, match="cannot be brought to EPSG:4326"):
        to_crs(far, CRS("EPSG:4326"))
    # Rows without a place stay without one.
    some = gpd.GeoDataFrame(geometry=[Point(69, 39), None, Point()], crs="EPSG:4326")
    moved = to_crs(some, grid.crs)
    assert moved.geometry.x[0] == pytest.approx(X)
    assert moved.geometry[1] is None
    assert CRS(moved.crs) == grid.crs


def test_written_features_come_back_whole_or_not_at_all(tmp_path):
    path = tmp_path / "цели.gpkg"
    write_vector(table([Point(1, 2)], name=["Жижикрут"]), path)
    assert [p.name for p in tmp_path.iterdir()] == ["цели.gpkg"]
    assert read_vector(path)["name"].tolist() == ["Жижикрут"]
    with pytest.raises(OutputError, match="cannot be written"):
        write_vector(table([Point(1, 2)], a=[1 + 2j]), tmp_path / "b.gpkg")
    with pytest.raises(OutputError, match="There is no folder"):
        write_vector(table([Point(1, 2)]), tmp_path / "missing" / "b.gpkg")
    assert [p.name for p in tmp_path.iterdir()] == ["цели.gpkg"]


# Tables


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("x,y,name\n500000.5,4400000,Хайдаркан\n", "utf-8"),
        ("x;y;name\n500000,5;4400000;Хайдаркан\n", "utf-8"),
        ("x;y;name\n500000,5;4400000;Хайдаркан\n", "cp1251"),
        ("X\tY\tname\n500000,5\t4400000\tХайдаркан\n", "utf-16"),
        ("name|Easting|Northing\nХайдаркан|500 000,5|4\u00a0400\u202f000\n", "utf-8-sig"),
        ("\n\nx;y;name\r\n500000.5;4400000;Хайдаркан\r\n", "utf-16-be-bom"),
    ],
)
def test_tables_as_people_write_them(tmp_path, text, encoding):
    path = tmp_path / "точки.csv"
    if encoding == "utf-16-be-bom":
        path.write_bytes(b"\xfe\xff" + text.encode("utf-16-be"))
    else:
        path.write_bytes(text.encode(encoding))
    frame = read_points(path, crs="EPSG:32642")
    assert (frame.geometry.x[0], frame.geometry.y[0]) == (500_000.5, 4_400_000)
    assert frame["name"].tolist() == ["Хайдаркан"]


@pytest.mark.parametrize(
    "names", [("lon", "lat"), ("Longitude", " LATITUDE"), ("долгота", "широта")]
)
def test_degrees_are_known_by_name(tmp_path, names):
    path = tmp_path / "p.csv"
    path.write_text(f"{names[0]};{names[1]}\n\u2212118,5;39,25\n", encoding="utf-8")
    frame = read_points(path)
    assert CRS(frame.crs).to_epsg() == 4326
    assert (frame.geometry.x[0], frame.geometry.y[0]) == (-118.5, 39.25)


def test_rows_without_coordinates_stay_without(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("lon,lat,name\n69,39,a\n,,b\n41°75',39,c\n")
    frame = read_points(path)
    assert frame.geometry.notna().tolist() == [True, False, False]
    path.write_text("lon,lat,name\n41°75',39,a\n")
    with pytest.raises(LayerError, match=r"no row with numbers in both 'lon' and 'lat'.*41°75'"):
        read_points(path)


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("a,b\n1,2\n", {}, "has columns a, b, but coordinates were expected"),
        ("x,y\n1,2\n", {"x": "E"}, "coordinates were expected: name them"),
        ("x,y\n1,2\n", {}, "without a coordinate system: name it with --crs"),
        ("x;y\n1;2;3\n", {"crs": "EPSG:32642"}, "more fields than the 2 of its header"),
        ("x;y\n1;2\n1;2;3\n", {"crs": "EPSG:32642"}, "is not a table"),
        ("", {}, "is not a table"),
    ],
)
def test_tables_that_are_none(tmp_path, text, options, says):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(LayerError, match=says):
        read_points(path, **options)


def test_polygons_become_points_and_lines_are_refused(save):
    frame = read_points(save("p.gpkg", [box(0, 0, 2, 2), Point(9, 9)]))
    assert (frame.geom_type == "Point").all()
    assert box(0, 0, 2, 2).contains(frame.geometry[0])
    with pytest.raises(LayerError, match="holds 1 lines, but points were expected"):
        read_points(save("l.gpkg", [LineString([(0, 0), (4, 0)]), Point(9, 9)]))


def test_points_frame_takes_what_is_finite():
    frame = points_frame({"a": [1, 2]}, [1.0, np.nan], [2.0, 3.0], "EPSG:4326")
    assert frame.geometry.notna().tolist() == [True, False]


@pytest.mark.real
def test_real_tables_and_files(real_data):
    mines = read_points(real_data / "central_asia_occurrences" / "gem_coal_mines_2024-05_utf16.csv")
    assert len(mines) > 3000
    assert mines.geometry.notna().mean() > 0.95
    folder = real_data / "central_asia_context"
    faults = read_vector(folder / "gem_active_faults_harmonized.shp")
    assert len(faults) > 10_000
    coal = read_points(real_data / "central_asia_occurrences" / "subset_gem_coal_central_asia.csv")
    assert coal.geometry.x.between(40, 90).mean() > 0.9


# Burning in


def test_lines_and_points_take_what_they_touch_and_polygons_centres(save, grid):
    path = save(
        "f.gpkg",
        [
            LineString([(X + 10, Y - 10), (X + 410, Y - 10)]),
            Point(X + 1010, Y - 1010),
            box(X + 2000, Y - 2249, X + 2251, Y - 2000),
        ],
    )
    cells = VectorLayer(path, grid).read(grid.window)
    assert cells.dtype == np.float32
    expected = np.zeros(grid.shape, np.float32)
    expected[0, :5] = 1
    expected[10, 10] = 1
    expected[20:22, 20:23] = 1
    assert np.array_equal(cells, expected)


def test_classes_by_attribute_with_a_condition(save, grid):
    squares = [box(X + 1000 * i, Y - 1000, X + 1000 * (i + 1), Y) for i in range(4)]
    path = save("g.gpkg", squares, lith=["granite", "сланец", None, "basalt"], use=[1, 1, 1, 0])
    classes = layer_classes(path, "lith")
    assert classes == {1: "basalt", 2: "granite", 3: "сланец"}
    layer = VectorLayer(path, grid, attribute="lith", classes=classes, where="use = 1")
    cells = layer.read(grid.window)
    assert cells.dtype == np.int32
    assert cells[5, [5, 15, 25, 35]].tolist() == [2, 3, -1, -1]
    assert (cells[10:] == -1).all()
    with pytest.raises(LayerError, match="no attribute 'rock'; it has: lith, use"):
        layer_classes(path, "rock")


def test_numbers_as_classes_do_not_depend_on_their_neighbours(save, grid):
    """A whole number comes as a float as soon as another feature of the window has none."""
    squares = [box(X + 1000 * i, Y - 1000, X + 1000 * (i + 1), Y) for i in range(3)]
    path = save("g.gpkg", squares, code=pd.array([7, None, 12], "Int64"))
    classes = layer_classes(path, "code")
    assert sorted(classes.values()) == ["12", "7"]
    layer = VectorLayer(path, grid, attribute="code", classes=classes)
    expected = {name: code for code, name in classes.items()}
    assert layer.read(grid.window)[5, [5, 15, 25]].tolist() == [expected["7"], -1, expected["12"]]
    only = save("h.gpkg", squares[:1], code=pd.array([7], "Int64"))
    assert layer_classes(only, "code") == {1: "7"}


def test_what_lies_on_top_is_last_in_the_file_for_every_window(save):
    """An index over space hands features out in another order."""
    grid = Grid("EPSG:32642", Affine(100, 0, X, 0, -100, Y), (300, 600))
    rng = np.random.default_rng(0)
    squares = [
        box(x, y, x + 9000, y + 9000)
        for x, y in zip(rng.uniform(X, X + 50_000, 80), rng.uniform(Y - 30_000, Y, 80), strict=True)
    ]
    names = [f"{i:02}" for i in range(80)]
    for suffix in (".gpkg", ".fgb", ".shp"):
        path = save("top" + suffix, squares, label=names)
        layer = VectorLayer(path, grid, attribute="label", classes=layer_classes(path, "label"))
        whole = layer.read(grid.window)
        for window in (Window(0, 0, 10, 10), Window(100, 300, 150, 200), Window(255, 511, 3, 3)):
            assert np.array_equal(layer.read(window), whole[window.slices])
        order = list(read_vector(path)["label"])
        x, y = grid.x[333], grid.y[111]
        over = [n for n, s in zip(names, squares, strict=True) if s.contains(Point(x, y))]
        top = max(over, key=order.index)
        assert layer.classes[int(whole[111, 333])] == top


def test_a_layer_in_another_system_and_none_at_all(save, grid):
    degrees = gpd.GeoSeries([box(X, Y - 1000, X + 1000, Y)], crs="EPSG:32642").to_crs(4326)
    path = save("p.geojson", degrees, "EPSG:4326")
    cells = VectorLayer(path, grid).read(grid.window)
    assert cells[:10, :10].all()
    assert cells.sum() == 100
    away = save("q.gpkg", [Point(0, 0)])
    assert not VectorLayer(away, grid).read(grid.window).any()
    nothing = save("r.gpkg", [Point(X, Y)], a=[1])
    assert not VectorLayer(nothing, grid, where="a = 2").read(Window(3, 3, 2, 2)).any()


def test_vectors_without_a_system_need_one(save, grid):
    path = save("p.shp", [Point(X + 50, Y - 50)], None)
    with pytest.raises(LayerError, match="no coordinate system"):
        VectorLayer(path, grid).read(grid.window)
    assert VectorLayer(path, grid, crs="EPSG:32642").read(grid.window)[0, 0] == 1


@pytest.fixture(scope="module")
def scattered(tmp_path_factory):
    """Lines and polygons over several lattice blocks, in degrees, and the whole of them."""
    grid = Grid("EPSG:32642", Affine(100, 0, X, 0, -100, Y), (300, 530))
    rng = np.random.default_rng(1)
    west, south, east, north = 69.0, 39.45, 69.65, 39.75
    shapes = []
    for _ in range(60):
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        dx, dy = rng.normal(0, 0.03, 2)
        shapes += [LineString([(x, y), (x + dx, y + dy)]), Point(x, y).buffer(abs(dx) / 4)]
    path = tmp_path_factory.mktemp("scattered") / "a.gpkg"
    write_vector(table(shapes, "EPSG:4326", kind=[str(i % 5) for i in range(len(shapes))]), path)
    found = {
        "geometry": VectorLayer(path, grid),
        "classes": VectorLayer(path, grid, attribute="kind", classes=layer_classes(path, "kind")),
    }
    return {name: (layer, layer.read(grid.window)) for name, layer in found.items()}


@st.composite
def parts(draw):
    row, col = draw(st.integers(0, 299)), draw(st.integers(0, 529))
    return Window(row, col, draw(st.integers(1, 300 - row)), draw(st.integers(1, 530 - col)))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(window=parts(), name=st.sampled_from(["geometry", "classes"]))
def test_any_window_equals_the_same_window_of_the_whole(scattered, window, name):
    layer, whole = scattered[name]
    assert np.array_equal(layer.read(window), whole[window.slices])


def test_threads_burn_the_same_cells(scattered):
    windows = [Window(r, c, 100, 130) for r in (0, 100, 200) for c in (0, 200, 400)]
    jobs = [(name, window) for name in scattered for window in windows]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: scattered[job[0]][0].read(job[1]), jobs))
    for (name, window), cells in zip(jobs, found, strict=True):
        assert np.array_equal(cells, scattered[name][1][window.slices])
    sent = pickle.loads(pickle.dumps(scattered["classes"][0]))
    assert np.array_equal(sent.read(Window(0, 0, 9, 9)), scattered["classes"][1][:9, :9])


# Areas


@settings(max_examples=20, deadline=None)
@given(window=parts())
def test_an_area_is_the_same_in_every_window(window):
    # Edges pass through cell centres, where rounding could tell otherwise.
    grid = Grid("EPSG:32642", Affine(30.1, 0, 500_000.7, 0, -30.1, 4_400_000.3), (300, 530))
    area = MultiPolygon(
        [
            box(grid.x[20], grid.y[280], grid.x[400], grid.y[20]),
            Point(grid.x[450], grid.y[100]).buffer(1000),
        ]
    )
    whole = area_mask(area, grid, grid.window)
    assert 0.2 < whole.mean() < 0.9
    assert np.array_equal(area_mask(area, grid, window), whole[window.slices])


def test_an_area_takes_cells_by_their_centre(grid):
    area = box(X + 51, Y - 1049, X + 1049, Y - 51)
    cells = area_mask(area, grid, grid.window)
    expected = np.zeros(grid.shape, bool)
    expected[1:10, 1:10] = True
    assert np.array_equal(cells, expected)
    ring = box(*grid.bounds).difference(box(X + 1000, Y - 2000, X + 2000, Y - 1000))
    assert area_mask(ring, grid, grid.window).sum() == 2000 - 100
    assert not area_mask(box(0, 0, 1, 1), grid, grid.window).any()
    assert area_mask(box(0, 0, 1e8, 1e8), grid, grid.window).all()


def test_a_shapefile_that_does_not_say_its_encoding_reads_in_russian(tmp_path):
    path = tmp_path / "points.shp"
    table = points_frame({"NAME": ["Кадамджай", "Хайдаркан"]}, [1.0, 2], [3.0, 4], "EPSG:32642")
    for encoding in ("cp866", "cp1251"):
        pyogrio.write_dataframe(table, path, encoding=encoding)
        path.with_suffix(".cpg").unlink()
        with path.with_suffix(".dbf").open("r+b") as file:
            file.seek(29)
            file.write(b"\0")
        assert dbf_encoding(path) == encoding
        assert read_points(path)["NAME"].tolist() == ["Кадамджай", "Хайдаркан"]
        assert set(layer_classes(path, "NAME").values()) == {"Кадамджай", "Хайдаркан"}
    # A language byte or a .cpg is believed.
    path.with_suffix(".cpg").write_text("CP1251")
    assert dbf_encoding(path) is None
    assert read_points(path)["NAME"].tolist() == ["Кадамджай", "Хайдаркан"]


def test_swapped_columns_and_encodings_are_noted(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes("имя;X;Y\nа;4421496,98;12713811,47\n".encode("cp1251"))
    with pytest.raises(LayerError, match="look like Gauss–Krüger zone 12, its first column"):
        read_points(path)
    frame = read_points(path, crs="EPSG:28412")
    assert (frame.geometry.x[0], frame.geometry.y[0]) == (12713811.47, 4421496.98)
    assert frame.attrs["notes"] == (
        "p.csv: CP1251, fields parted by ';'",
        "the columns were swapped: the first runs north, the second east",
    )
