"""Files that mean harm: good ones with bytes changed, from fixed seeds, and ones made by hand."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pyogrio
import rasterio
from affine import Affine
from shapely import LineString, Point, box

NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 2**24, 2**31 - 1, 2**31, 2**32 - 1)

TIFFS = {
    "strips": {"dtype": "float32", "compress": "deflate", "nodata": -9999.0},
    "tiled": {"dtype": "uint8", "compress": "lzw", "tiled": True, "blockxsize": 16,
              "blockysize": 16},
    "big": {"dtype": "int16", "BIGTIFF": "YES", "nodata": -1},
    "bands": {"dtype": "float32", "count": 3, "interleave": "pixel", "compress": "zstd",
              "predictor": 3},
    "plain": {"dtype": "int32"},
}  # fmt: skip


def good_files(folder: Path) -> dict[str, list[Path]]:
    """Tiny good files of each format; first the one that is opened."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Path]] = {}
    rng = np.random.default_rng(0)
    for name, options in TIFFS.items():
        path = folder / f"{name}.tif"
        count = int(options.get("count", 1))
        with rasterio.open(
            path, "w", driver="GTiff", height=48, width=40, crs="EPSG:32642",
            transform=Affine(100, 0, 5e5, 0, -100, 44e5), **{"count": 1, **options},
        ) as dataset:  # fmt: skip
            dataset.write(rng.integers(0, 100, (count, 48, 40)).astype(str(options["dtype"])))
        found[f"tif-{name}"] = [path]
    shapes = [Point(i, i + 1) for i in range(10)]
    columns = {
        "name": [f"шахта {i}" for i in range(10)],
        "grade": np.arange(10) / 3,
        "n": range(10),
    }
    points = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")
    areas = points.set_geometry([box(i, i, i + 2, i + 2) for i in range(10)])
    faults = points.set_geometry([LineString([(0, 0), (i, 1), (i, 9)]) for i in range(10)])
    drivers = {"gpkg": "GPKG", "geojson": "GeoJSON", "fgb": "FlatGeobuf", "kml": "KML",
               "gml": "GML", "tab": "MapInfo File", "shp": "ESRI Shapefile"}  # fmt: skip
    for suffix, driver in drivers.items():
        for kind, table in (("points", points), ("areas", areas), ("faults", faults)):
            path = folder / suffix / f"{kind}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            pyogrio.write_dataframe(table, path, driver=driver)
            parts = sorted(path.parent.glob(f"{kind}.*"), key=lambda p: p != path)
            found[f"{suffix}-{kind}"] = parts
    table = "x;y;Sb, г/т;comment\n" + "".join(f"{i},5;{i};<0.{i};жила\n" for i in range(40))
    path = folder / "table.csv"
    path.write_bytes(table.encode("cp1251"))
    found["csv"] = [path]
    path = folder / "table.xlsx"
    book = openpyxl.Workbook()
    for row in table.splitlines():
        book.active.append(row.split(";"))
    book.save(path)
    found["xlsx"] = [path]
    return found


def mutated(folder: Path, good: dict[str, list[Path]], count: int, seed: int = 0) -> list[Path]:
    """Write ``count`` changed copies of good files, each in a folder of its own."""
    rng = random.Random(seed)
    made = []
    names = sorted(good)
    for number in range(count):
        name = names[number % len(names)]
        main, *others = good[name]
        place = folder / f"{number:05d}-{name}"
        place.mkdir(parents=True)
        for part in (main, *others):
            (place / part.name).write_bytes(part.read_bytes())
        victim = place / rng.choice([main, main, *others]).name
        data = victim.read_bytes()
        if name == "xlsx" and rng.random() < 0.7:
            victim.write_bytes(_inside_zip(data, rng))
        else:
            victim.write_bytes(mutate(data, rng))
        made.append(place / main.name)
    return made


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed in one of the ways in which files go wrong, or are made to."""
    changed = bytearray(data)
    kind = rng.choice(("flip", "cut", "field", "field", "tag", "copy", "text"))
    if kind == "cut" or not changed:
        return bytes(changed[: rng.randrange(len(changed) + 1)])
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 2, 20))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == "field":
        # Headers stand at the start, directories of archives and of TIFFs often at the end.
        for _ in range(rng.randint(1, 3)):
            size, order = rng.choice((1, 2, 4, 8)), rng.choice("<>")
            reach = min(len(changed), 400)
            at = (
                rng.randrange(reach)
                if rng.random() < 0.7
                else len(changed) - 1 - rng.randrange(reach)
            )
            value = rng.choice(NUMBERS) % 2 ** (8 * size)
            field = value.to_bytes(size, "little" if order == "<" else "big")
            changed[at : at + size] = field[: len(changed) - at]
    elif kind == "tag" and data[:4] == b"II*\0":
        _edit_tag(changed, rng)
    elif kind == "copy":
        a, b = sorted(rng.randrange(len(changed)) for _ in range(2))
        at = rng.randrange(len(changed))
        changed[at:at] = changed[a:b][:4096] * rng.randint(1, 4)
    else:
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(changed))
            some = rng.choice((b"\xff\xfe", b"\0", b"9" * 40, b"-1e999", b"<a>", b'"', b"[" * 500,
                               b"nan", b"\n", b"&x;"))  # fmt: skip
            changed[at : at + len(some)] = some
    return bytes(changed)


def _edit_tag(data: bytearray, rng: random.Random) -> None:
    """Another type, count or value for one entry of the first directory of a TIFF."""
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    at = start + 2 + 12 * rng.randrange(entries)
    what = rng.choice(("type", "count", "value", "value", "tag"))
    if what in ("type", "tag"):
        struct.pack_into("<H", data, at + (2 if what == "type" else 0), rng.randrange(20))
    else:
        struct.pack_into("<I", data, at + (4 if what == "count" else 8), rng.choice(NUMBERS))


def _inside_zip(data: bytes, rng: random.Random) -> bytes:
    """An archive with one of its members changed, and sums that fit."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        names = source.namelist()
        victim = rng.choice(names)
        for name in names:
            content = source.read(name)
            target.writestr(name, mutate(content, rng) if name == victim else content)
    return out.getvalue()


def handmade(
    folder: Path, good: dict[str, list[Path]], port: int, weight: int = 1
) -> Iterator[Path]:
    """
    Attacks made by hand; whatever they fetch, they fetch from a port of this computer.

    What swells is ``weight`` megabytes long, or somewhat more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"

    def put(name: str, content: str | bytes) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    vrt = (
        '<VRTDataset rasterXSize="40" rasterYSize="48"><SRS>EPSG:32642</SRS><GeoTransform>5e5,100,'
        '0,44e5,0,-100</GeoTransform><VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
        f"<SourceFilename>/vsicurl/{url}/raster.tif</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    yield put("description.tif", vrt)
    for suffix in (".ovr", ".msk", ".aux.xml"):
        plain = good["tif-strips"][0].read_bytes()
        path = put(f"sibling{suffix.replace('.', '_')}.tif", plain)
        put(path.name + suffix, vrt)
        yield path
    wms = f"<GDAL_WMS><Service name='WMS'><ServerUrl>{url}/wms</ServerUrl></Service></GDAL_WMS>"
    yield put("service.tif", wms)
    yield from _claims(folder)
    for suffix in ("gpkg", "shp", "geojson", "kml", "gml", "fgb", "tab", "json"):
        layer = f"<OGRVRTLayer name='a'><SrcDataSource>/vsicurl/{url}/v.{suffix}</SrcDataSource>"
        text = f"<OGRVRTDataSource>{layer}</OGRVRTLayer></OGRVRTDataSource>"
        yield put(f"description.{suffix}", text)
        # Behind a start that fits the name, where the driver is looked for by content.
        starts = {"kml": "<kml/>", "gml": "<gml/>", "geojson": "{}", "json": "{}"}
        yield put(f"hidden.{suffix}", starts.get(suffix, "") + text)
    yield from _texts(put, url)
    yield from _tables(put, weight * 1_000_000)
    yield from _databases(folder, good, url)
    yield from _shapefiles(folder, good)


def _claims(folder: Path) -> Iterator[Path]:
    """TIFFs that claim far more than they hold."""
    entries = [(256, 4, 1, 2**31 - 1), (257, 4, 1, 2**31 - 1), (258, 3, 1, 8), (259, 3, 1, 1),
               (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 2**31 - 1),
               (279, 4, 1, 4)]  # fmt: skip
    ifd = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    path = folder / "claims_2_31.tif"
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8) + ifd + struct.pack("<I", 0))
    yield path
    sizes = {
        "block_268_mb": (2**14, 2**14, {"dtype": "uint8", "compress": "deflate",
                                        "blockysize": 2**14}),
        "sparse_32_tb": (2_000_000, 2_000_000, {"dtype": "float64", "tiled": True,
                                                "blockxsize": 8192, "blockysize": 8192}),
        "grows": (30_000, 30_000, {"dtype": "float32", "compress": "deflate", "tiled": True,
                                   "blockxsize": 8192, "blockysize": 8192}),
    }  # fmt: skip
    for name, (rows, cols, options) in sizes.items():
        path = folder / f"{name}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", height=rows, width=cols, count=1, crs="EPSG:32642",
            transform=Affine(1, 0, 0, 0, -1, 10), SPARSE_OK=True, BIGTIFF="YES", **options,
        ):  # fmt: skip
            pass
        yield path


def _texts(put, url: str) -> Iterator[Path]:
    """GeoJSON, GML and KML that point elsewhere, or grow."""
    point = '{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}}'
    for kind in ("link", "url", "URL", "name"):
        key = "href" if kind == "link" else "name" if kind == "name" else "url"
        crs = json.dumps(
            {"type": kind, "properties": {key: f"{url}/json-{kind}", "type": "ogcwkt"}}
        )
        text = f'{{"type":"FeatureCollection","crs":{crs},"features":[{point}]}}'
        yield put(f"crs_{kind}_{key}_{kind.islower()}.geojson", text)
    core = "http://www.opengis.net/spec/json-fg-1/0.2/conf/core"
    fg = f'"conformsTo":["{core}"],"coordRefSys":"{url}/fg"'
    yield put("fg.json", f'{{"type":"FeatureCollection",{fg},"features":[{point}]}}')
    esri = (
        '{"geometryType":"esriGeometryPoint","exceededTransferLimit":true,"features":'
        '[{"geometry":{"x":1,"y":2}}],"spatialReference":{"wkt":"ADDRESS/esri"}}'
    )
    yield put("esri.json", esri.replace("ADDRESS", url))
    yield put("deep.geojson", '{"a":' + "[" * 2_000_000)
    yield put("deep_geometry.geojson", '{"type":"Feature","geometry":'
              + '{"type":"GeometryCollection","geometries":[' * 50_000)  # fmt: skip
    yield put("long_number.geojson", point.replace("[1,2]", f"[{'9' * 5_000_000},2]"))
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    laughs = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
    outside = (
        f'<?xml version="1.0"?><!DOCTYPE x SYSTEM "{url}/x.dtd" [<!ENTITY a11 SYSTEM "{url}/e">]>'
    )
    gml = (
        '<FC xmlns:gml="http://www.opengis.net/gml" {}><gml:featureMember><a><name>{}</name>'
        '<gml:pointProperty><gml:Point srsName="{}"><gml:coordinates>1,2</gml:coordinates>'
        "</gml:Point></gml:pointProperty></a></gml:featureMember></FC>"
    )
    kml = (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>{}</name>{}'
        "<Point><coordinates>1,2</coordinates></Point></Placemark>{}</Document></kml>"
    )
    for name, head in (("laughs", laughs), ("outside", outside)):
        yield put(f"{name}.gml", head + gml.format("", "&a11;", "EPSG:4326"))
        yield put(f"{name}.kml", head + kml.format("&a11;", "", ""))
    xsi = (
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://a '
        f'{url}/wfs?SERVICE=WFS&amp;VERSION=1.1.0&amp;REQUEST=DescribeFeatureType&amp;TYPENAME=a"'
    )
    yield put("schema.gml", gml.format(xsi, "a", "EPSG:4326"))
    yield put("srs.gml", gml.format("", "a", f"{url}/EPSG/4326"))
    link = f'<gml:pointProperty xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{url}/p#1"/>'
    yield put("xlink.gml", gml.format("", f"a</name>{link}<name>", "EPSG:4326"))
    network = f"<NetworkLink><Link><href>{url}/more.kml</href></Link></NetworkLink>"
    style = f"<styleUrl>{url}/style.kml#a</styleUrl>"
    schema = f'<ExtendedData><SchemaData schemaUrl="{url}/s#a"/></ExtendedData>'
    overlay = f"<GroundOverlay><Icon><href>{url}/i.png</href></Icon></GroundOverlay>"
    yield put("network.kml", kml.format("a", style + schema, network + overlay))
    yield put("deep.kml", "<kml>" + "<Folder>" * 100_000)
    yield put("deep.gml", "<FC>" + "<gml:featureMember>" * 100_000)
    for name, part in (
        ("view", "create view a as\nOpen Table"),
        ("seamless", "type SEAMLESS\nOpen Table"),
    ):
        yield put(
            f"{name}.tab", f'!table\n!version 100\n{part} "/vsicurl/{url}/a.tab"\nSelect * From a\n'
        )


def _tables(put, size: int) -> Iterator[Path]:
    """Tables that grow, or claim to be endless."""
    yield put("one_line.csv", b"x,y," + b"a" * (5_000_000 + size))
    yield put("columns.csv", b"x,y" + b"," * 1_000_000 + b"\n1,2\n")
    yield put("quote.csv", b'x,y\n1,"' + b"2\n" * (size // 2))
    yield put("cells.csv", b"x,y" + b",a" * 400 + b"\n" + (b"1,2" + b"," * 400 + b"\n") * 50_000)
    yield put("nul.csv", b"x,y\n" + b"\0" * size)
    sheet = (
        '<?xml version="1.0"?>{}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/'
        '2006/main">{}<sheetData>{}</sheetData></worksheet>'
    )
    row = '<row r="{0}"><c r="{1}{0}"><v>1</v></c></row>'
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    laughs = f'<!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
    quadratic = '<!DOCTYPE x [<!ENTITY a "{}">]>'.format("a" * 100_000)
    dimension = '<dimension ref="A1:XFD1048576"/>'
    sheets = {
        "far_corner": sheet.format("", "", row.format(1048576, "XFD")),
        "far_row": sheet.format("", "", row.format(2**31 - 1, "A")),
        "far_column": sheet.format("", "", row.format(1, "ZZZ") * 50),
        "dimension": sheet.format("", dimension, row.format(1, "A")),
        "laughs": sheet.format(laughs, "", row.format(1, "A").replace("1<", "&a11;<")),
        "quadratic": sheet.format(
            quadratic, "", row.format(1, "A").replace("1<", "&a;" * 9999 + "<")
        ),
        "spaces": sheet.format("", "", row.format(1, "A") + " " * (5_000_000 + size)),
        "rows": sheet.format("", "", "<row/>" * (1_000_000 + size // 6)),
        "cells": sheet.format("", "", "<row>" + "<c/>" * (2_000_000 + size // 4) + "</row>"),
    }
    for name, xml in sheets.items():
        yield put(f"{name}.xlsx", _workbook(xml))
    yield put("same_member.xlsx", _workbook(sheets["dimension"], twice=True))


def _workbook(sheet: str, twice: bool = False) -> bytes:
    """A spreadsheet around the text of its one sheet."""
    out = io.BytesIO()
    start = io.BytesIO()
    openpyxl.Workbook().save(start)
    with (
        zipfile.ZipFile(start) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            if name != "xl/worksheets/sheet1.xml":
                target.writestr(name, source.read(name))
        target.writestr("xl/worksheets/sheet1.xml", sheet)
    data = out.getvalue()
    return data[:-22] + data[-22:-12] + b"\xff\xff\xff\x7f" + data[-8:] if twice else data


def _databases(folder: Path, good: dict[str, list[Path]], url: str) -> Iterator[Path]:
    """GeoPackages whose schema does what a table does not."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    contents = "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES"
    insert = f"{contents} ('v', 'features', 'v', 4326)"
    column = "INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'POINT', 4326, 0, 0)"
    large = "zeroblob(900000000)"
    schemas = {
        "view_endless": [
            f"CREATE VIEW v AS {endless} SELECT i AS fid, NULL AS geom FROM n",
            insert,
            column,
        ],
        "view_large": [
            f"CREATE VIEW v AS SELECT a.fid AS fid, a.geom AS geom, {large} AS b FROM points a",
            insert,
            column,
        ],
        "generated": [
            "CREATE TABLE v (fid INTEGER PRIMARY KEY, geom POINT, "
            f"b BLOB GENERATED ALWAYS AS ({large}))",
            "INSERT INTO v (fid) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9)",
            insert,
            column,
        ],
        "trigger": ["CREATE TRIGGER t AFTER UPDATE ON points BEGIN DELETE FROM points; END"],
        "foreign": [f"UPDATE gpkg_spatial_ref_sys SET definition = '{url}/gpkg'"],
        "extension": [
            "CREATE TABLE e (a)",
            f"{contents} ('load_extension(''x'')', 'attributes', 'e', 0)",
        ],
    }
    for name, commands in schemas.items():
        path = folder / f"{name}.gpkg"
        path.write_bytes(good["gpkg-points"][0].read_bytes())
        with sqlite3.connect(path) as base:
            base.create_function("ST_IsEmpty", 1, lambda g: 0)
            for name_ in ("ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
                base.create_function(name_, 1, lambda g: 0.0)
            for command in commands:
                base.execute(command)
            if name in ("view_endless", "view_large", "generated"):
                base.execute("DELETE FROM gpkg_contents WHERE table_name = 'points'")
        base.close()
        yield path


def _shapefiles(folder: Path, good: dict[str, list[Path]]) -> Iterator[Path]:
    """Shapefiles whose index and table say what is not so."""
    for name in ("repeated", "long_table", "wide_table"):
        place = folder / name
        place.mkdir()
        for part in good["shp-areas"]:
            (place / part.name).write_bytes(part.read_bytes())
        index, table = place / "areas.shx", place / "areas.dbf"
        if name == "repeated":
            # One large polygon, listed ten thousand times.
            ring = np.column_stack(
                [np.cos(np.linspace(0, 6.28, 60_000)), np.linspace(0, 1, 60_000)]
            )
            one = gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs="EPSG:4326")
            one = one.set_geometry([LineString(ring).convex_hull.union(box(0, 0, 1, 1))])
            one = one.set_geometry([type(one.geometry[0])(ring)], crs="EPSG:4326")
            pyogrio.write_dataframe(one, place / "areas.shp", driver="ESRI Shapefile")
            data = bytearray(index.read_bytes())
            data += data[100:108] * 200_000
            struct.pack_into(">i", data, 24, len(data) // 2)
            index.write_bytes(data)
        else:
            data = bytearray(table.read_bytes())
            struct.pack_into("<I", data, 4, 2**31 - 1)
            if name == "wide_table":
                struct.pack_into("<HH", data, 8, 65535, 65535)
            table.write_bytes(data)
        yield place / "areas.shp"
