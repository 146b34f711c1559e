"""What layers say of themselves, and what is wrong with them."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from click.testing import CliRunner
from conftest import plane

from prospect.cli import main
from prospect.errors import OutputError, ProjectError
from prospect.grid import Grid
from prospect.inspection import (
    CANNOT,
    describe,
    doubts,
    find_rasters,
    find_vectors,
    inspect_project,
    survey_folder,
    write_survey,
)
from prospect.project import GridSpec, LayerSpec, Project, load_project
from prospect.stack import as_project, open_stack


def doubts_of(reports, name):
    return " | ".join(next(r for r in reports if r.spec.name == name).doubts)


def survey(tmp_path):
    project, reports, refused = survey_folder(tmp_path)
    return project, {r.spec.name: r for r in reports}, refused


@pytest.fixture
def layers(write_tif, ramp, grid):
    """A field with a gap, assays on a shifted grid, and unnamed classes."""
    ramp[0, :4] = np.nan
    write_tif("mag_rtp.tif", ramp)
    shifted = Grid(grid.crs, Affine(100, 0, 500_030, 0, -100, 4_400_060), grid.shape)
    write_tif("till_gc_sb.tif", np.abs(plane(shifted)), on=shifted, nodata=-9999)
    write_tif("lithology.tif", (np.indices(grid.shape)[0] // 10).astype(np.uint8))


def test_a_folder_becomes_a_project_that_opens(tmp_path, layers, grid):
    project, reports, refused = survey(tmp_path)
    assert refused == []
    assert project.grid == GridSpec(like="mag_rtp")
    assert [(s.name, s.role, s.kind, s.required) for s in project.layers] == [
        ("lithology", "geology.lithology", "categorical", False),
        ("mag_rtp", "magnetics.rtp", "continuous", True),
        ("till_gc_sb", "geochemistry.Sb", "continuous", False),
    ]
    mag = reports["mag_rtp"]
    values = plane(grid)
    values[0, :4] = np.nan
    assert mag.minimum == pytest.approx(np.nanmin(values))
    assert mag.median == pytest.approx(np.nanmedian(values), rel=1e-6)
    assert mag.maximum == pytest.approx(np.nanmax(values))
    assert mag.gaps == pytest.approx(4 / 2000)
    assert (reports["lithology"].distinct, reports["lithology"].gaps) == (4, 0)
    assert (
        reports["till_gc_sb"].treatment == "bilinear, shifted by 30 m east–west, 40 m north–south"
    )
    path = write_survey(project, tmp_path / "project")
    stack = open_stack(path)
    assert stack.sizes == {"y": 40, "x": 50}
    assert load_project(path).grid == project.grid
    text = path.read_text(encoding="utf-8")
    assert "# doubtful: its unit is unknown" in text
    assert "# doubtful: its classes have no names" in text
    assert "# doubtful: it declares no nodata" in text
    with pytest.raises(ProjectError, match="is there already: correct it, or move it away"):
        write_survey(project, tmp_path / "project")


def test_a_table_and_a_list_for_people(tmp_path, layers):
    reports = survey_folder(tmp_path)[1]
    lines = describe(reports).splitlines()
    assert lines[0].split()[0] == "layer"
    assert any("mag_rtp *" in line and "as it is" in line for line in lines)
    assert any("4 classes" in line for line in lines)
    said = "\n".join(doubts(reports))
    assert "till_gc_sb" in said
    assert "unit is unknown" in said


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("till_gc_as.tif", [-1.0, 2.0], "negative concentrations: below detection?"),
        ("em_app_res.tif", [-1.0, 2.0], "negative resistivity, which rock cannot have"),
        ("dem.tif", [7.0, 7.0], "one value only and tells nothing apart"),
        ("dem.tif", [np.nan, np.nan], "it has gaps only"),
        ("zzz.tif", [1.0, 2.0], "its role was not recognised: name it"),
        ("dst_fault.tif", [1.0, 2.0], "derived by someone else"),
    ],
)
def test_values_and_names_that_raise_doubts(tmp_path, write_tif, grid, name, values, says):
    write_tif(name, np.resize(np.array(values, np.float32), grid.shape))
    project, reports, _ = survey(tmp_path)
    (report,) = reports.values()
    assert says in " | ".join(report.doubts)
    assert project.layers[0].doubts == report.doubts


def test_files_that_raise_doubts(tmp_path, write_tif, ramp, grid):
    write_tif("two.tif", np.stack([ramp, ramp]))
    write_tif("tmi_a.tif", ramp)
    write_tif("tmi_b.tif", ramp, nodata=-1)
    write_tif(
        "degrees.tif", ramp, on=Grid("EPSG:4326", Affine(1e-3, 0, 69, 0, -1e-3, 40), (40, 50))
    )
    nameless = "+proj=tmerc +lon_0=69 +k=0.9996 +x_0=500123 +ellps=WGS84 +units=m"
    write_tif("nameless.tif", ramp, crs=nameless)
    (tmp_path / "two.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    _, reports, refused = survey(tmp_path)
    assert "band 1 of 2 is taken" in doubts_of(reports.values(), "two")
    assert "two.tif.aux.xml ignored" in doubts_of(reports.values(), "two")
    assert "2 layers have the role magnetics.tmi" in doubts_of(reports.values(), "tmi_a")
    assert "declares no nodata" in doubts_of(reports.values(), "tmi_a")
    assert "declares no nodata" not in doubts_of(reports.values(), "tmi_b")
    assert "no EPSG code" in doubts_of(reports.values(), "nameless")
    # The layer in degrees lies elsewhere.
    assert len(refused) == 1
    assert "degrees.tif" in refused[0]
    assert "does not overlap" in refused[0]


def test_files_that_cannot_be_used_do_not_stop_the_others(tmp_path, write_tif, ramp):
    write_tif("dem.tif", ramp)
    bad = ramp.copy()
    bad[5, 5] = np.inf
    write_tif("mag.tif", bad)  # would set the grid, if it could be read
    (tmp_path / "text.tif").write_text("no raster")
    write_tif("nowhere.tif", ramp, crs=None)
    write_tif("map.tif", ramp)
    import rasterio

    with rasterio.open(tmp_path / "map.tif", "r+") as dataset:
        dataset.set_band_description(1, "likelihood")
    project, reports, refused = survey(tmp_path)
    assert list(reports) == ["dem"]
    assert project.grid.like == "dem"
    assert project.layers[0].required
    said = "\n".join(refused)
    assert len(refused) == 4
    for words in ("text.tif cannot be opened", "nowhere.tif has no coordinate system",
                  "mag.tif holds infinite values", "map.tif is a map that prospect"):  # fmt: skip
        assert words in said
    open_stack(project).load()


def test_a_folder_of_nothing_else_is_an_error(tmp_path, write_tif, ramp):
    with pytest.raises(ProjectError, match="holds no GeoTIFF"):
        survey_folder(tmp_path)
    with pytest.raises(ProjectError, match="There is no folder"):
        survey_folder(tmp_path / "missing")
    write_tif("a.tif", np.full_like(ramp, np.inf))
    with pytest.raises(ProjectError, match=r"None of the files .* First: .*a\.tif holds infinite"):
        survey_folder(tmp_path)


def test_an_inspection_says_what_cannot_be_read(write_tif, ramp, grid):
    good, bad = write_tif("a.tif", ramp), write_tif("b.tif", np.full_like(ramp, np.inf))
    reports = inspect_project(as_project([good, bad]))
    assert [r.treatment == CANNOT for r in reports] == [False, True]
    assert "infinite values" in reports[1].doubts[-1]
    assert np.isnan(reports[1].median)
    assert reports[1].gaps == 1.0
    assert "b" in describe(reports)


def test_nodata_of_the_project_counts(write_tif, ramp, grid):
    ramp[0, :10] = 777
    path = write_tif("a.tif", ramp)
    project = Project(path.parent, layers=(LayerSpec("a", path, nodata=777),))
    (report,) = inspect_project(project)
    assert report.gaps == pytest.approx(10 / 2000)
    assert report.maximum < 777


def test_files_are_found_below_the_folder_but_not_in_hidden_ones(tmp_path, write_tif, ramp):
    for name in ("b.TIF", "a/c.tiff", ".b.tif.x1y2/b.tif", "a/.hidden.tif"):
        write_tif(name, ramp)
    (tmp_path / "faults.shp").write_text("")
    (tmp_path / "folder.tif").mkdir()
    names = [p.relative_to(tmp_path).as_posix() for p in find_rasters(tmp_path)]
    assert sorted(names) == ["a/c.tiff", "b.TIF"]
    assert [p.name for p in find_vectors(tmp_path)] == ["faults.shp"]


def test_files_of_one_name_are_told_apart(tmp_path, write_tif, ramp):
    for name in ("1/mag.tif", "2/mag.tif", "dem.tif"):
        write_tif(name, ramp)
    project, _, _ = survey(tmp_path)
    assert [s.name for s in project.layers] == ["1_mag", "2_mag", "dem"]


def test_a_scrambled_name_among_siblings(tmp_path, write_tif, ramp):
    for name in ("till_gc_as", "till_gc_sb", "till_gc_au", "till_gc_cu", "till_cg_mn"):
        write_tif(f"{name}.tif", np.abs(ramp) + 1)
    _, reports, _ = survey(tmp_path)
    odd = {n: r.doubts for n, r in reports.items() if "misnamed" in " ".join(r.doubts)}
    assert list(odd) == ["till_cg_mn"]
    assert "'cg' where 4 others say 'gc'" in " ".join(odd["till_cg_mn"])


def test_folders_that_cannot_be_written(tmp_path, layers):
    project, _, _ = survey(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises((ProjectError, OutputError), match="cannot be made"):
        write_survey(project, tmp_path / "file" / "project")


@pytest.mark.real
def test_a_real_survey_and_its_known_faults(real_data):
    """SOURCE: README.md of the real data, 'As real data is'."""
    project, reports, refused = survey_folder(real_data / "lapland_gold" / "rasters")
    assert refused == []
    assert len(reports) == 34
    said = {r.spec.name: " | ".join(r.doubts) for r in reports}
    assert "perhaps misnamed: 'cg'" in said["geochemistry_till_cg_mn"]
    assert any("negative resistivity" in text for name, text in said.items() if "em" in name)
    assert sum("equals EPSG:3067" in text for text in said.values()) > 20
    treatments = {r.spec.name: r.treatment for r in reports}
    assert any("shifted by" in text for text in treatments.values())
    assert any("from cells of 1000 × 1000" in text for text in treatments.values())
    assert sum(text == "as it is" for text in treatments.values()) > 15
    assert sum("derived by someone else" in text for text in said.values()) >= 6
    assert project.grid.like is not None
    assert sum(s.required for s in project.layers) == 1
    kinds = {s.kind for s in project.layers if s.role.startswith("geology")}
    assert kinds == {"categorical"}


def test_stream_sediments_gridded_as_points_are_told(write_tif, ramp, grid):
    """And those over their catchments, where many cells share a value, are not."""
    shared = np.floor(ramp / 20)
    files = {
        "as_points": write_tif("Sb_ppm.tif", ramp * np.sqrt(ramp)[::-1]),
        "over": write_tif("As_ppm.tif", shared),
    }
    specs = tuple(
        LayerSpec(name, path, role=f"geochemistry.{name}", medium="stream")
        for name, path in files.items()
    )
    first, second = inspect_project(Project(files["over"].parent, layers=specs))
    assert any("the ground upstream" in doubt for doubt in first.doubts)
    assert not any("the ground upstream" in doubt for doubt in second.doubts)
    (soil,) = inspect_project(
        Project(files["over"].parent, layers=(replace(specs[0], medium="soil"),))
    )
    assert not any("the ground upstream" in doubt for doubt in soil.doubts)


def test_where_a_position_comes_from_is_told_by_the_command(tmp_path, write_tif, ramp, grid):
    """A world file and a .prj beside a TIFF that holds neither."""
    write_tif("maps/dem.tif", ramp, crs=None, transform=None)
    t = grid.transform
    world = [t.a, 0, 0, t.e, t.c + t.a / 2, t.f + t.e / 2]
    (tmp_path / "maps/dem.tfw").write_text("\n".join(map(str, world)))
    (tmp_path / "maps/dem.prj").write_text(grid.crs.to_wkt("WKT1_ESRI"))
    result = CliRunner().invoke(main, ["inspect", str(tmp_path / "maps/dem.tif"), "-q"])
    assert result.exit_code == 0, result.output
    assert "position from dem.tfw" in result.output
    assert "coordinate system from dem.prj" in result.output
    assert "EPSG:32642" in result.output
