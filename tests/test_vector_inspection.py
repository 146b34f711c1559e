"""What vector files and tables say of themselves, what is wrong with them, and their counts."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from shapely import LineString, MultiPolygon, Point, Polygon, box

from prospect.grid import Grid
from prospect.inspection import CANNOT, doubts
from prospect.project import OccurrenceSpec, Project, VectorSpec
from prospect.vector import (
    VectorLayer,
    check_vector,
    located,
    read_points,
    read_vector,
    write_vector,
)
from prospect.vector_inspection import (
    describe_vectors,
    inspect_files,
    inspect_occurrences,
    inspect_vectors,
)

X, Y = 500_000.0, 4_400_000.0
BOW = Polygon([(X, Y), (X + 400, Y - 400), (X + 400, Y), (X, Y - 400)])


def save(path, geometries, crs="EPSG:32642", **columns):
    write_vector(gpd.GeoDataFrame(columns, geometry=list(geometries), crs=crs), path)
    return path


def said(reports):
    return "\n".join(doubts(reports))


def test_faults_of_features_are_counted(tmp_path, grid, monkeypatch):
    monkeypatch.setattr("prospect.vector.checking.BATCH", 2)  # what is twice is found across
    square = box(X, Y - 100, X + 100, Y)
    shapes = [BOW, square, None, Polygon(), square, LineString([(X, Y), (X, Y)]),
              Point(X + 9e4, Y, 7.0)]  # fmt: skip
    check = check_vector(save(tmp_path / "a.gpkg", shapes), grid)
    assert (check.features, check.missing, check.invalid) == (7, 2, 1)
    assert (check.short, check.heights, check.twice) == (1, 1, 1)
    assert dict(check.kinds) == {"polygon": 3, "line": 1, "point": 1}
    assert (check.kind, check.on_grid, check.nearest) == ("polygon", 4, 0)
    told = " | ".join(check.faults())
    for words in ("2 of 7 features without a geometry", "1 of 7 features with rings that cross",
                  "1 of 7 features are lines without length", "1 of 7 features with heights",
                  "1 of 7 features drawn twice",
                  "mixed: 3 polygons, 1 lines, 1 points"):  # fmt: skip
        assert words in told
    fine = check_vector(save(tmp_path / "b.gpkg", [square]), grid)
    assert fine.faults() == []


def test_how_far_off_features_are(tmp_path, grid):
    west = grid.bounds[0]
    path = save(tmp_path / "a.gpkg", [Point(west - 7000, Y - 100)])
    check = check_vector(path, grid)
    assert (check.on_grid, check.nearest) == (0, 7000)
    (report,) = inspect_vectors(Project(tmp_path, vectors=(VectorSpec("a", path),)), grid)
    assert "nothing of it lies on the grid; the nearest is 7.0 km away" in report.doubts[-1]
    # What the grid's system cannot place is not near.
    world = save(tmp_path / "w.gpkg", [Point(-111, -89.9)], "EPSG:4326")
    assert check_vector(world, grid).on_grid == 0


def test_crossing_rings_are_mended_and_burnt_in(tmp_path, grid):
    hole = Polygon(box(X, Y - 900, X + 900, Y).exterior.coords,
                   [box(X + 300, Y - 600, X + 600, Y - 300).exterior.coords])  # fmt: skip
    path = save(tmp_path / "a.gpkg", [BOW])
    (mended,) = read_vector(path).geometry
    assert mended.is_valid
    assert isinstance(mended, MultiPolygon)
    assert mended.area == pytest.approx(80_000)
    spike = Polygon([(X, Y), (X + 500, Y), (X + 500, Y - 500), (X + 900, Y - 500),
                     (X + 500, Y - 500), (X, Y - 500)])  # fmt: skip
    (cut,) = read_vector(save(tmp_path / "s.gpkg", [spike])).geometry
    assert cut.is_valid
    assert cut.area == pytest.approx(250_000)
    cells = VectorLayer(save(tmp_path / "h.gpkg", [hole]), grid).read(grid.window)
    assert cells[:9, :9].sum() == 81 - 9
    assert not cells[3:6, 3:6].any()


def test_polygons_of_one_rock_have_an_inside_and_an_outside(tmp_path, grid):
    path = save(tmp_path / "greenstone.gpkg", [box(X, Y - 1000, X + 1000, Y)])
    cells = VectorLayer(path, grid, classes={1: "g", 2: "not g"}).read(grid.window)
    assert cells.dtype == np.int32
    assert (cells[:10, :10] == 1).all()
    assert (cells == 1).sum() == 100
    assert set(np.unique(cells)) == {1, 2}


GK = (
    'PROJCS["карта",GEOGCS["GCS_Pulkovo_1942",DATUM["D_Pulkovo_1942",'
    'SPHEROID["Krasovsky_1940",6378245.0,298.3]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],'
    'PARAMETER["False_Easting",12500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",69.0],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


def test_a_shapefile_with_a_custom_prj_names_the_equal_system_and_the_operation(tmp_path, grid):
    path = tmp_path / "разломы.shp"
    line = LineString([(12_500_100, 4_398_000), (12_500_900, 4_398_000)])
    frame = gpd.GeoDataFrame({"тип": ["надвиг"]}, geometry=[line], crs="EPSG:28412")
    pyogrio.write_dataframe(frame, path, encoding="cp866")
    path.with_suffix(".cpg").unlink()
    with path.with_suffix(".dbf").open("r+b") as file:
        file.seek(29)
        file.write(b"\0")
    path.with_suffix(".prj").write_text(GK, encoding="utf-8")
    project = Project(tmp_path, vectors=(VectorSpec("f", path, "faults"),))
    (report,) = inspect_vectors(project, grid)
    assert report.on_grid == 1
    told = " | ".join(report.doubts)
    assert "'карта' (no EPSG code); it equals EPSG:28412" in told
    assert "6° zone 12; 12 stands before eastings" in told
    assert "brought from 'карта' (no EPSG code) to EPSG:32642 (" in told
    assert "Pulkovo 1942 to WGS 84" in told
    assert "read as CP866" in told
    assert read_vector(path)["тип"].tolist() == ["надвиг"]
    # The same place as PROJ gives, to a decimetre.
    ours = read_vector(path, to=grid.crs).geometry.values
    theirs = gpd.GeoSeries([line], crs="EPSG:28412").to_crs(32642).values
    assert shapely.hausdorff_distance(ours, theirs)[0] < 0.1


def test_a_missing_system_is_doubted_with_what_it_could_be(tmp_path, grid):
    path = tmp_path / "a.shp"
    frame = gpd.GeoDataFrame({"a": [1]}, geometry=[Point(12_500_100, 4_398_000)], crs="EPSG:28412")
    pyogrio.write_dataframe(frame, path)
    path.with_suffix(".prj").unlink()
    (report,) = inspect_vectors(Project(tmp_path, vectors=(VectorSpec("a", path),)), grid)
    assert (report.system, report.on_grid) == ("?", None)
    assert "no coordinate system: name it with --crs" in said([report])
    assert "Gauss–Krüger zone 12: EPSG:28412" in said([report])


def test_tables_are_inspected_as_files_are(tmp_path, grid):
    path = tmp_path / "точки.csv"
    path.write_text("X;Y;сырьё\n4398900;12500100;сурьма\n4398800;12500300;золото\n;;ртуть\n")
    (unknown,) = inspect_files([path], grid)
    assert unknown.kind == CANNOT
    assert "zone 12, its first column running north: EPSG:28412" in said([unknown])
    (report,) = inspect_files([path], grid, crs="gauss-kruger")
    assert (report.features, report.on_grid, report.kind) == (3, 2, "rows")
    told = said([report])
    for words in ("the columns were swapped", "by the zone before the eastings",
                  "1 of 3 rows have no coordinates", "on the grid 1 of", "accuracy"):  # fmt: skip
        assert words in told
    lines = describe_vectors([report]).splitlines()
    assert "on the grid" in lines[0]
    assert "3 rows" in lines[1]
    assert "on the grid" not in describe_vectors(inspect_files([path], crs="gauss-kruger"))


def test_occurrences_off_the_grid_and_unreadable_layers_are_told(tmp_path, grid):
    far = save(tmp_path / "far.gpkg", [Point(0, 0)], ore=["Au"])
    broken = tmp_path / "b.gpkg"
    broken.write_bytes(b"nothing")
    project = Project(
        tmp_path, vectors=(VectorSpec("b", broken),), occurrences=OccurrenceSpec(far, of="gold")
    )
    layer, points = inspect_vectors(project, grid)
    assert layer.kind == CANNOT
    assert "is not what its name says" in said([layer])
    assert "no point lies on the grid" in said([points])
    assert "every row is taken as gold" in said([points])


def test_two_files_of_one_role_and_classes_are_told(tmp_path, grid):
    squares = [box(X, Y - 100, X + 100, Y), box(X + 200, Y - 100, X + 300, Y)]
    path = save(tmp_path / "g.gpkg", squares, lith=["сланец", "известняк"])
    specs = [VectorSpec(n, path, "geology.lithology", attribute="lith") for n in "ab"]
    told = said(inspect_vectors(Project(tmp_path, vectors=tuple(specs)), grid))
    assert "2 files have the role geology.lithology" in told
    assert "2 classes by 'lith': известняк, сланец" in told


def test_a_window_reads_only_what_is_near(tmp_path, monkeypatch):
    """A country of polygons is never read at once: the file's own index answers."""
    grid = Grid("EPSG:32642", Affine(100, 0, X, 0, -100, Y), (2560, 2560))
    squares = [box(X + 5000 * i, Y - 5000 * j - 4000, X + 5000 * i + 4000, Y - 5000 * j)
               for i in range(50) for j in range(50)]  # fmt: skip
    layer = VectorLayer(save(tmp_path / "country.gpkg", squares), grid)
    counted = []
    read = pyogrio.read_dataframe

    def counting(*arguments, **options):
        frame = read(*arguments, **options)
        counted.append(len(frame))
        return frame

    monkeypatch.setattr(pyogrio, "read_dataframe", counting)
    layer.read(grid.window.__class__(0, 0, 256, 256))
    assert counted == [36]  # of 2500: six by six lie within 25.6 km


@pytest.mark.real
def test_the_mines_of_two_countries_are_counted_by_commodity(real_data):
    """A Unicode minus in one row of the sheet, UTF-16 in the other file, cells of 500 m."""
    folder = real_data / "central_asia_occurrences"
    sheet = folder / "icmm_global-mining-dataset.xlsx"
    table = folder / "gem_coal_mines_2024-05_utf16.csv"
    mines = read_points(sheet)
    assert (len(mines), int(located(mines).sum())) == (8508, 8508)
    (odd,) = mines.index[mines["Latitude"].astype(str).str.contains("−")]
    assert mines["ICMMID"][odd] == "ICMM07721"
    assert mines.geometry[odd].coords[0] == (30.6952, -23.8901)
    # Kyrgyzstan and Tajikistan.
    wide = Grid("EPSG:32642", Affine(500, 0, 200_000, 0, -500, 4_800_000), (2_000, 2_800))
    latitude = mines["Latitude"].str.replace("−", "-").astype(float)
    x, y = Transformer.from_crs(4326, 32642, always_xy=True).transform(
        mines["Longitude"].astype(float), latitude
    )
    west, south, east, north = wide.bounds
    here = (x >= west) & (x < east) & (y > south) & (y <= north)
    counts = mines["Primary Commodity"][here].str.lower().str.contains("coal").sum()
    told = inspect_occurrences(OccurrenceSpec(sheet), wide)
    assert (told.features, told.on_grid) == (8508, int(here.sum()))
    assert f"on the grid {counts} of coal, 5 of copper, 5 of gold" in " | ".join(told.doubts)
    told = inspect_occurrences(OccurrenceSpec(table, of="coal"), wide)
    assert (told.features, told.on_grid) == (6580, 31)
    assert "UTF-16" in told.doubts[0]
    assert told.doubts[-1] == "no column of commodities: every row is taken as coal"
