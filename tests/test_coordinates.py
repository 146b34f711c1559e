"""Coordinates of Soviet tables, against PROJ."""

import numpy as np
import pytest
from pyproj import CRS, Transformer

from prospect.coordinates import (
    BY_PREFIX,
    doubts_of,
    gauss_kruger,
    operation_between,
    place,
    suggest,
    zone_of,
)
from prospect.errors import GridError
from prospect.grid import parse_crs

LON, LAT = np.array([70.5, 71.9, 72.3]), np.array([39.9, 40.0, 40.1])


def projected(code, lon=LON, lat=LAT):
    x, y = Transformer.from_crs(4284, code, always_xy=True).transform(lon, lat)
    return np.asarray(x), np.asarray(y)


def back(placed):
    lon, lat = Transformer.from_crs(placed.crs, 4284, always_xy=True).transform(placed.x, placed.y)
    return np.asarray(lon), np.asarray(lat)


@pytest.mark.parametrize("code", [28412, 2502, 28413, 32642, 4284])
@pytest.mark.parametrize("swapped", [False, True])
def test_places_come_back_whatever_the_order_of_columns(code, swapped):
    if code == 4284 and swapped:
        pytest.skip("71 and 40 degrees are a place either way: the names of the columns tell")
    lon, lat = (LON, LAT) if code != 28413 else (LON + 6, LAT)
    x, y = projected(code, lon, lat)
    placed = place(*((y, x) if swapped else (x, y)), f"EPSG:{code}")
    assert bool(placed.notes) is swapped
    np.testing.assert_allclose(back(placed), (lon, lat), atol=1e-7)  # a centimetre


def test_a_latitude_beyond_the_pole_shows_that_columns_are_swapped():
    placed = place(LAT, LON + 30, "EPSG:4326")
    assert placed.x.tolist() == (LON + 30).tolist()
    assert placed.notes == (
        "the columns were swapped: the first runs latitude, the second longitude",
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_mixed_zones_go_by_their_prefix(swapped):
    x, y = projected(28412)
    x13, y13 = projected(28413)
    x[2], y[2] = x13[2], y13[2]
    placed = place(*((y, x) if swapped else (x, y)), BY_PREFIX)
    np.testing.assert_allclose(back(placed), (LON, LAT), atol=1e-6)  # a decimetre
    assert (
        "zones are mixed (2 in zone 12, 1 in zone 13): all were brought to zone 12" in placed.notes
    )
    with pytest.raises(GridError, match="1 of 3 eastings carry zone 13"):
        place(x, y, "EPSG:28412")


def test_a_zone_that_is_missing_or_too_much_is_refused():
    with pytest.raises(GridError, match="3 of 3 eastings start with zone 12"):
        place(*projected(28412), "EPSG:2502")
    with pytest.raises(GridError, match="3 of 3 eastings carry no zone"):
        place(*projected(2502), "EPSG:28412")
    with pytest.raises(GridError, match="3 of 3 eastings carry no Gauss–Krüger zone"):
        place(*projected(2502), BY_PREFIX)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("data", "declared"), [(28412, "2502"), (2502, "28412")])
def test_a_wrong_zone_does_not_hide_that_columns_are_swapped(data, declared, swapped):
    x, y = projected(data)
    wrong = r"3 of 3 eastings (start|carry)"
    said = r"^The columns were swapped: the first runs north, the second east\. "
    with pytest.raises(GridError, match=(said if swapped else "^") + wrong):
        place(*((y, x) if swapped else (x, y)), f"EPSG:{declared}")
    # Nor do the northings pass for zones.
    with pytest.raises(GridError, match=(said if swapped else "^") + "3 of 3 eastings carry no"):
        place(*(projected(2502)[:: -1 if swapped else 1]), BY_PREFIX)


def test_points_outside_their_area_are_said():
    x, y = projected(2502, np.array([70.0, 70.5, 55.0]), LAT)
    placed = place(np.append(x, np.nan), np.append(y, 4.4e6), "EPSG:2502")
    assert placed.notes == ("1 of 3 points lie outside the area that EPSG:2502 is meant for",)


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (*projected(28412), "Gauss–Krüger zone 12: EPSG:28412"),
        (*projected(28412)[::-1], "zone 12, its first column running north: EPSG:28412"),
        (*projected(2502), "metres of a zone that nothing tells"),
        (LON, LAT, "they look like degrees"),
        (np.array([353e3, 682e3]), np.array([6.70e6, 7.10e6]), "of a zone that nothing tells"),
        (np.array([1.0, 2e9]), np.array([3.0, 5e9]), ""),
    ],
)
def test_what_a_system_could_be(x, y, told):
    assert told in suggest(x, y)
    assert bool(suggest(x, y)) is bool(told)


def test_zones_before_eastings():
    assert zone_of(np.array([12713811.0, 713811.0, np.nan, -5.0])).tolist() == [12, 0, 0, 0]


def test_the_operation_is_named_with_its_accuracy_where_the_points_lie():
    told = operation_between(CRS(28412), CRS(32642))
    assert told.startswith("brought from EPSG:28412 to EPSG:32642 (")
    x, y = projected(28412)
    transformer = Transformer.from_crs(28412, 32642, always_xy=True)
    for north in (0, 3e6):  # Central Asia and Siberia have operations of their own
        transformer.transform(x[0], y[0] + north)
        used = transformer.get_last_used_operation()
        told = operation_between(CRS(28412), CRS(32642), at=(x[0], y[0] + north))
        assert f"accuracy {used.accuracy:g} m" in told
        assert "Pulkovo 1942 to WGS 84 (" in told
        assert "axis order" not in told


GK = (
    'PROJCS["карта",GEOGCS["unnamed",DATUM["unknown",SPHEROID["Krassovsky",6378245,298.3]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",{}],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",{}],PARAMETER["false_northing",0],'
    'UNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("crs", "told"),
    [
        (28412, "Gauss–Krüger 6° zone 12; 12 stands before eastings"),
        (2502, "Gauss–Krüger 6° zone 12; nothing stands before eastings"),
        (2599, "Gauss–Krüger 3° zone 24; nothing stands before eastings"),
        (2540, "Gauss–Krüger 3° zone 24; 24 stands before eastings"),
        (GK.format(72, 24_500_000), "Gauss–Krüger 3° zone 24; 24 stands before eastings"),
        (GK.format(70.55, 250_000), "with a meridian of its own, 70.55°"),
        ("+proj=tmerc +lon_0=69 +x_0=12500000 +ellps=krass +towgs84=24,-141,-81", "6° zone 12; 12"),
        (32642, ""),
        (4284, ""),
    ],
)
def test_zones_are_told_of_systems_with_and_without_a_code(crs, told):
    assert told in gauss_kruger(CRS(crs))
    assert bool(gauss_kruger(CRS(crs))) is bool(told)


@pytest.mark.parametrize(
    ("crs", "told"),
    [
        (GK.format(69, 12_500_000), "called 'карта'; it equals EPSG:28412"),
        (GK.format(72, 500_000), "called 'карта'; it equals EPSG:2599"),
        (GK.format(70.55, 250_000), "'карта' (no EPSG code)"),
        ("+proj=tmerc +lon_0=72 +x_0=500000 +ellps=krass +towgs84=24,-141,-81", "EPSG:2599 but"),
        ("+proj=tmerc +lon_0=72 +x_0=500000 +ellps=krass +towgs84=24,-141,-81", "own shift to WGS"),
    ],
)
def test_a_custom_system_is_told_with_the_one_it_equals(crs, told):
    assert told in " | ".join(doubts_of(CRS(crs)))


def test_data_that_cannot_be_in_their_system():
    (x, y), (bare, north) = projected(28412), projected(2502)

    def said(crs, x, y):
        return " | ".join(doubts_of(CRS(crs), (x.min(), y.min(), x.max(), y.max())))

    zone = "Gauss–Krüger 6° zone 12; 12 stands before eastings"
    assert said(28412, x, y) == zone
    assert said(32642, bare, north) == ""
    assert "its axes are swapped, x runs north" in said(28412, y, x)
    assert "its axes are swapped, x runs north" in said(2502, y, x)
    assert "carry no zone" in said(28412, bare, north)
    assert "start with zone 12" in said(2502, x, y)
    assert "to be in degrees, but spans x from 628" in said(4326, bare, north)
    assert "it lies beyond the area that EPSG:32642" in said(32642, bare + 4e6, north)
    assert doubts_of(parse_crs("local-metres"), (0, 0, 9e6, 9e6)) == []
