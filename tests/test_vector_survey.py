"""What vector files and tables of a folder are for."""

import geopandas as gpd
import pytest
from shapely import LineString, Point, box

from prospect.vector import outline, write_vector
from prospect.vector_survey import survey_vectors


@pytest.fixture
def folder(tmp_path):
    lines = [LineString([(i, 0), (i, 9)]) for i in range(6)]
    kinds = ["thrust", "left sli[p", "надвиг", "anticline", "c", None]
    frame = gpd.GeoDataFrame({"Type": kinds, "id": range(6)}, geometry=lines, crs="EPSG:32642")
    write_vector(frame, tmp_path / "structures.gpkg")
    write_vector(frame[["id", "geometry"]], tmp_path / "разломы.gpkg")
    write_vector(frame[["id", "geometry"]], tmp_path / "roads.gpkg")
    squares = [box(i, 0, i + 1, 1) for i in range(3)]
    rocks = gpd.GeoDataFrame(
        {
            "порода": ["известняк", "сланец", "гранит"],
            "индекс": ["C₁", "S₁–D₁", "γPZ₃"],
            "Тектоническая_зона": ["Алайская", "Алайская", "Туркестанская"],
        },
        geometry=squares,
        crs="EPSG:32642",
    )
    write_vector(rocks, tmp_path / "geology.gpkg")
    points = gpd.GeoDataFrame(
        {"сырьё": ["сурьма, ртуть", "золото"]},
        geometry=[Point(1, 2), Point(3, 4)],
        crs="EPSG:32642",
    )
    write_vector(points, tmp_path / "occurrences.gpkg")
    (tmp_path / "пробы.csv").write_bytes("X;Y;Sb_ppm\n1;2;3\n".encode("cp1251"))
    (tmp_path / "SOURCE.txt").write_text("Made by hand, with\ncommas, and, more, commas\n")
    return tmp_path


def survey(folder):
    return survey_vectors(sorted(folder.iterdir()))


def test_files_become_roles_by_what_they_say(folder):
    found = survey(folder)
    roles = {spec.name: (spec.path.name, spec.role) for spec in found.vectors}
    assert roles == {
        "lithology": ("geology.gpkg", "geology.lithology"),
        "age": ("geology.gpkg", "geology.age"),
        "structure": ("geology.gpkg", "geology.structure"),
        "strike_slip": ("structures.gpkg", "faults.strike_slip"),
        "thrust": ("structures.gpkg", "faults.thrust"),
        "anticline": ("structures.gpkg", "folds.anticline"),
        "разломы": ("разломы.gpkg", "faults"),
    }
    thrust = next(spec for spec in found.vectors if spec.name == "thrust")
    assert thrust.where == "\"Type\" IN ('thrust', 'надвиг')"
    (points,) = found.candidates
    assert points.path.name == "occurrences.gpkg"
    assert points.commodity == "сырьё"


def test_what_was_guessed_or_left_out_is_said(folder):
    notes = "\n".join(survey(folder).notes)
    assert "'left sli[p' as strike slip" in notes
    assert "values of 'Type' left out: 'c' (1)" in notes
    assert "1 of 6 lines have no 'Type'" in notes
    assert "roads.gpkg: 6 lines of unknown purpose" in notes
    assert "occurrences.gpkg: occurrences, 1 of" in notes
    assert "prospect grid пробы.csv -v 'Sb_ppm'" in notes
    assert "SOURCE.txt" not in notes


def test_a_broken_file_is_named_and_the_others_are_used(folder):
    (folder / "broken.gpkg").write_bytes(b"nothing")
    found = survey(folder)
    assert len(found.vectors) == 7
    assert any("broken.gpkg" in note for note in found.notes)


def test_quotes_in_values_do_not_break_the_condition(tmp_path):
    frame = gpd.GeoDataFrame(
        {"kind": ["thrust 'old'", "thrust"]},
        geometry=[LineString([(0, 0), (1, 1)]), LineString([(5, 0), (6, 1)])],
        crs="EPSG:32642",
    )
    write_vector(frame, tmp_path / "a.gpkg")
    (spec,) = survey(tmp_path).vectors
    assert spec.where == "\"kind\" IN ('thrust', 'thrust ''old''')"


def test_an_outline_tells_the_kind_of_most_features(tmp_path):
    frame = gpd.GeoDataFrame(
        {"a": ["1", "2", None]},
        geometry=[box(0, 0, 1, 1), box(2, 2, 3, 3), Point(0, 0)],
        crs="EPSG:32642",
    )
    write_vector(frame, tmp_path / "m.gpkg")
    about = outline(tmp_path / "m.gpkg")
    assert (about.kind, about.features) == ("polygon", 3)
    assert about.values["a"] == {"1": 1, "2": 1}
