"""Files that mean harm are read or refused in a sentence: no crash, no hang, no connection."""

import ast
import sqlite3
import urllib.request
from pathlib import Path

import hostile
import numpy as np
import pytest
from hostile_files import good_files, handmade, mutated

import prospect
from prospect.errors import LayerError, ProspectError
from prospect.limits import CELLS
from prospect.raster import read_info
from prospect.tables import read_table
from prospect.vector import opening, read_vector

ROOT = Path(prospect.__file__).parent


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_files(tmp_path_factory.mktemp("good"))


def test_attacks_and_damage_end_in_sentences(good, tmp_path):
    with hostile.listener() as (port, came):
        paths = [*handmade(tmp_path / "hand", good, port), *mutated(tmp_path / "new", good, 84, 1)]
        plain = [parts[0] for parts in good.values()]
        found = hostile.read_all([*plain, *paths])
        # The listener does hear: one request of our own is the only one.
        with pytest.raises(OSError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/heard", timeout=5)
    bad = {path.name: outcome for path, outcome in found.items() if not hostile.is_well(outcome[0])}
    assert not bad
    assert came == ["GET /heard HTTP/1.1"]
    peaks = [peak for _, _, peak in found.values()]
    assert max(peaks) < 1024
    assert all("read" in found[path][0][:1] for path in plain)
    assert len(plain) == 28
    read = {path.name for path, (said, _, _) in found.items() if "read" in said}
    # What harms nobody is not refused.
    assert {"sibling_ovr.tif", "sibling_msk.tif", "trigger.gpkg"} <= read


def test_a_crash_and_a_hang_would_be_noticed(tmp_path, monkeypatch):
    trap = """def attempts(path):
    if path.stem == "spawn":
        yield lambda: __import__("subprocess").run(["true"])
    if path.stem == "abort":
        __import__("os").abort()
    if path.stem == "sleep":
        time.sleep(60)
    return
    """
    monkeypatch.setattr(hostile, "READER", hostile.READER.replace("def attempts(path):", trap))
    paths = [tmp_path / f"{name}.csv" for name in ("spawn", "abort", "sleep")]
    spawn, abort, sleep = hostile.read_all(paths, seconds=1.0).values()
    assert any("forbidden" in each for each in spawn[0])
    assert abort[0][0] == "crash -6"
    assert sleep[0][0] == "hang"
    assert not any(hostile.is_well(outcome[0]) for outcome in (spawn, abort, sleep))


def calls(path):
    """Every call in a module, as it is written."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_files_are_opened_in_one_place():
    """Rasters by driver name and vectors after a look at them; also what workers run."""
    opens = {
        "rasterio.open": {
            "raster/writing.py",
            "raster/palette.py",
            "raster/memory.py",
        },  # new files, and memory
        "_Reader": {"raster/opening.py"},
        "DatasetReader": set(),
        "pyogrio.read_info": {"vector/opening.py"},
        "pyogrio.read_dataframe": {"vector/opening.py"},
        "pyogrio.list_layers": set(),
        "gpd.read_file": set(),
        "pd.read_excel": set(),
        "openpyxl.load_workbook": {"tables/spreadsheets.py"},
        "ET.fromstring": {"raster/sidecars.py"},
        "np.load": set(),
    }
    found = {name: set() for name in opens}
    for path in ROOT.rglob("*.py"):
        for call in calls(path):
            if call in found:
                found[call].add(path.relative_to(ROOT).as_posix())
            assert call not in ("eval", "exec", "pickle.load", "joblib.load", "os.system")
    assert found == opens


def test_vectors_are_opened_without_network_and_settings_go_back(good):
    before = {name: opening.pyogrio.get_gdal_config_option(name) for name in opening._SAFE}
    with opening.safe_environment():
        with opening.safe_environment():
            pass
        # As long as one thread is inside, the settings hold.
        assert opening.pyogrio.get_gdal_config_option("GDAL_HTTP_PROXY") == "127.0.0.1:0"
    after = {name: opening.pyogrio.get_gdal_config_option(name) for name in opening._SAFE}
    assert after == before


def test_the_proxy_that_is_none_holds_by_itself(good, tmp_path, monkeypatch):
    """Were an address overlooked in a file, nothing would be fetched from it even so."""
    monkeypatch.setattr(opening, "require_data", lambda path: None)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with hostile.listener() as (port, came):
        path = next(p for p in handmade(tmp_path, good, port) if p.name.startswith("crs_link"))
        # Only with the settings off is the danger real.
        read_vector(path, crs="EPSG:4326")
        assert came == []
        monkeypatch.setattr(opening, "_SAFE", {})
        read_vector(path, crs="EPSG:4326")
        assert came[0] == "GET /json-link HTTP/1.1"


def test_caps_say_how_to_raise_them(tmp_path, monkeypatch, write_tif, ramp):
    path = write_tif("a.tif", ramp)
    monkeypatch.setenv("PROSPECT_MAX_CELLS", "1000")
    with pytest.raises(LayerError, match="if you trust it, set PROSPECT_MAX_CELLS=2100") as error:
        read_info(path)
    assert "2,000 cells, more than the 1,000" in str(error.value)
    monkeypatch.setenv("PROSPECT_MAX_CELLS", "2100")
    assert read_info(path).grid.shape == (40, 50)
    monkeypatch.setenv("PROSPECT_MAX_CELLS", "many")
    with pytest.raises(ProspectError, match="a positive number was expected"):
        read_info(path)
    monkeypatch.delenv("PROSPECT_MAX_CELLS")
    assert CELLS.value == 20e9
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "1,2\n" * 100)
    monkeypatch.setenv("PROSPECT_MAX_TABLE_CELLS", "100")
    with pytest.raises(LayerError, match="PROSPECT_MAX_TABLE_CELLS=210"):
        read_table(table)


@pytest.mark.parametrize(
    ("crs", "fine"),
    [
        ('{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}}', True),
        (
            '{"type":"name","properties":{"name":"http://www.opengis.net/def/crs/EPSG/0/4326"}}',
            True,
        ),
        ("null", True),
        ('{"type":"name","properties":{"name":"http://a.example/4326"}}', False),
        ('{"type":"LINK","properties":{"href":"http://a.example"}}', False),
        ('{"type":"l\\u0069nk","properties":{"href":"http://a.example"}}', False),
        ('{"properties":{"href":"http://a.example"},"type":"url"}', False),
        ("/* a */ {'type':'link'}", False),
        ('{"type":"link",' + " " * 5000 + "}", False),
    ],
)
@pytest.mark.parametrize("key", ['"crs"', '"\\u0063r\\u0073"', '"crs" /* { */ '])
def test_a_coordinate_system_at_an_address_is_refused(tmp_path, crs, fine, key):
    path = tmp_path / "a.geojson"
    point = '{"type":"Point","coordinates":[1,2]}'
    feature = f'{{"type":"Feature","properties":{{"crs":"local"}},"geometry":{point}}}'
    path.write_text(f'{{"type":"FeatureCollection",{key}:{crs},"features":[{feature}]}}')
    if not fine:
        with pytest.raises(LayerError, match="looked up elsewhere"):
            read_vector(path)
    elif key == '"crs"':
        assert len(read_vector(path, crs="EPSG:4326")) == 1


def test_infinite_and_undeclared_values(write_tif, ramp):
    """NaN beside a nodata code is a gap too; infinity is an error."""
    from conftest import read

    cells = ramp.copy()
    cells[0, :3] = (np.nan, -9999, 5)
    gaps = np.isnan(read(write_tif("a.tif", cells, nodata=-9999)))
    assert gaps[0, :3].tolist() == [True, True, False]
    assert gaps.sum() == 2
    cells[0, 0] = np.inf
    with pytest.raises(LayerError, match="infinite values"):
        read(write_tif("b.tif", cells, nodata=-9999))


def state_of(folder):
    """Every file's bytes, and when anything was last made or removed in its folder."""
    files = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return files, [p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))]


def test_nothing_is_written_beside_what_is_read(good, tmp_path):
    """Neither indices, descriptions and statistics of GDAL, nor the logs of SQLite."""
    place = tmp_path / "Данные"
    place.mkdir()
    for parts in good.values():
        for part in parts:
            if part.suffix != ".xsd":
                (place / part.name).write_bytes(part.read_bytes())
    base = sqlite3.connect(place / "points.gpkg")
    base.execute("PRAGMA journal_mode = WAL")
    base.close()
    before = state_of(place)
    plain = [place / parts[0].name for parts in good.values()]
    found = hostile.read_all(plain)
    assert all("read" in said for said, _, _ in found.values())
    assert state_of(place) == before


@pytest.mark.parametrize("kind", ["-wal", "-journal"])
def test_changes_that_are_not_in_a_database_yet_are_said(good, tmp_path, kind):
    """As QGIS leaves them while it edits; to read on would show the state before, or write."""
    place = tmp_path / "open"
    place.mkdir()
    path = place / "points.gpkg"
    path.write_bytes(good["gpkg-points"][0].read_bytes())
    base = sqlite3.connect(path)
    base.execute(f"PRAGMA journal_mode = {'WAL' if kind == '-wal' else 'PERSIST'}")
    base.execute("CREATE TABLE other (a)")
    base.execute("PRAGMA cache_size = 1")
    base.execute("PRAGMA cache_spill = 1")
    base.execute("BEGIN")
    base.execute("INSERT INTO other VALUES (zeroblob(300000))")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (path, place / f"points.gpkg{kind}"):
        (copy / file.name).write_bytes(file.read_bytes())
    base.rollback()
    base.close()
    before = state_of(copy)
    with pytest.raises(LayerError, match=f"points.gpkg{kind} holds changes to it"):
        read_vector(copy / "points.gpkg")
    assert state_of(copy) == before
    assert len(read_vector(path)) == 10
