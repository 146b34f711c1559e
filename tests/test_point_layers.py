"""Tables of points become layers."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from sklearn.ensemble import ExtraTreesClassifier

from prospect.backgrounds import levelled
from prospect.cli import main
from prospect.errors import LayerError
from prospect.features import FeatureBuilder
from prospect.features.recipe import Recipe
from prospect.grid import Grid
from prospect.point_layers import grid_around, grid_table, layer_specs, write_layers
from prospect.project import GridSpec, LayerSpec, Project, load_project, write_project
from prospect.raster import write_geotiff
from prospect.roles import guess_role
from prospect.stack import open_stack
from prospect.tables import numbers, read_table
from prospect.training import train


@pytest.fixture
def assays(tmp_path):
    """Stream samples of a ramp from west to east, some below detection."""
    rng = np.random.default_rng(3)
    rows = ["№;восток;север;Sb, г/т;мощность, м;примечание"]
    for i in range(60):
        x, y = 600_000 + 9_000 * rng.random(), 4_395_000 + 5_000 * rng.random()
        sb = (x - 600_000) / 1000
        text = f"<{1:g}" if sb < 1 else f"{sb:.2f}".replace(".", ",")
        rows.append(f"{i};{x:.1f};{y:.1f};{text};{2 + i % 3};")
    rows.append("60;;;5;1;без координат")
    path = tmp_path / "пробы.csv"
    path.write_bytes("\n".join(rows).replace("восток", "X").replace("север", "Y").encode("cp1251"))
    return path


def test_assays_come_out_as_layers_and_all_is_said(assays, tmp_path):
    out = tmp_path / "layers"
    result = CliRunner().invoke(
        main,
        [
            *("grid", str(assays), "-v", "Sb, г/т", "-v", "мощность, м"),
            *("--crs", "EPSG:32642", "--cell", "250", "--to", "EPSG:32642"),
            *("--method", "kriging", "--medium", "stream", "-o", str(out), "-q"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "Sb.tif", "Sb_variance.tif", "мощность_м.tif", "мощность_м_variance.tif",
    ]  # fmt: skip
    with rasterio.open(out / "Sb.tif") as layer:
        sb = layer.read(1)
        assert layer.units == ("ppm",)
        x = layer.transform.c + layer.transform.a * (np.arange(layer.width) + 0.5)
    middle = np.nanmean(sb, axis=0)
    assert np.corrcoef(middle, x)[0, 1] > 0.99
    assert "CP1251" in result.output
    assert "1 of 61 rows have no coordinates" in result.output
    assert "each speaks for the ground upstream" in result.output
    assert "variogram: nugget" in result.output


def test_a_known_plane_is_told_better_than_by_its_mean(assays):
    grid = grid_around(assays, 500, "EPSG:32642", crs="EPSG:32642")
    (layer,) = grid_table(assays, ["Sb, г/т"], grid, crs="EPSG:32642")
    assert layer.points == 60
    assert layer.error < 0.3 * layer.spread


def test_what_cannot_be_gridded(assays):
    grid = grid_around(assays, 500, "EPSG:32642", crs="EPSG:32642")
    with pytest.raises(LayerError, match="has no column 'Au'; it has: №, X, Y"):
        grid_table(assays, ["Au"], grid, crs="EPSG:32642")
    with pytest.raises(LayerError, match=r"'примечание' of .* holds no number"):
        grid_table(assays, ["примечание"], grid, crs="EPSG:32642")
    result = CliRunner().invoke(main, ["grid", str(assays), "-v", "Sb", "-o", "x"])
    assert result.exit_code == 2
    assert "--like FILE, or --cell METRES and --to CRS" in result.output


def test_variances_are_as_large_as_the_errors_they_speak_of(tmp_path):
    # A steep trend: variograms of the whole map would promise far too much, or too little.
    rng = np.random.default_rng(1)
    x, y = 600_000 + 50_000 * rng.random(600), 4_300_000 + 40_000 * rng.random(600)
    value = 0.05 * (x - 600_000) + rng.normal(0, 20, 600)
    path = tmp_path / "tops.csv"
    rows = [f"{a:.1f},{b:.1f},{c:.3f}" for a, b, c in zip(x, y, value, strict=True)]
    path.write_text("\n".join(["X,Y,top", *rows]))
    grid = grid_around(path, 2000, "EPSG:32642", crs="EPSG:32642")
    (layer,) = grid_table(path, ["top"], grid, crs="EPSG:32642", method="kriging")
    variance = layer.layers["top_variance"]
    assert variance.attrs["role"] == "variance.top"
    assert layer.error**2 == pytest.approx(float(variance.mean()), rel=0.3)
    assert 20 < layer.error < 30


@pytest.fixture
def ground(tmp_path):
    """A table of soils on two rocks, one of them ten times as rich; and the map of the rocks."""
    rng = np.random.default_rng(0)
    grid = Grid("EPSG:32642", Affine(250, 0, 600_000, 0, -250, 4_400_000), (40, 40))
    rock = np.where(np.arange(40) < 20, 1, 2) * np.ones((40, 1), np.int32)
    rock[:3] = 0
    write_geotiff(tmp_path / "rock.tif", rock.astype(np.uint8), grid, nodata=0)
    x, y = 600_000 + 10_000 * rng.random(200), 4_390_000 + 10_000 * rng.random(200)
    arsenic = np.where(x < 605_000, 2.0, 20.0) * np.exp(rng.normal(0, 0.5, 200))
    rows = [f"{a:.0f},{b:.0f},{c:.3f}" for a, b, c in zip(x, y, arsenic, strict=True)]
    path = tmp_path / "soil.csv"
    path.write_text("\n".join(["X,Y,As_ppm", *rows, rows[0], rows[1]]))
    return path, grid, x, arsenic


def test_soils_are_levelled_by_the_rock_they_lie_on(ground, tmp_path):
    path, grid, _, _ = ground
    write_geotiff(tmp_path / "dem.tif", np.ones(grid.shape, np.float32), grid, nodata=-1)
    project = tmp_path / "project"
    project.mkdir()
    write_project(Project(project, GridSpec(like="dem"), (LayerSpec("dem", tmp_path / "dem.tif"),)),
                  project / "prospect.toml")  # fmt: skip
    result = CliRunner().invoke(
        main,
        [
            *("grid", str(path), "-v", "As_ppm", "--crs", "EPSG:32642", "--method", "kriging"),
            *("--like", str(tmp_path / "dem.tif"), "--medium", "soil", "-q"),
            *("--lithology", str(tmp_path / "rock.tif"), "-o", str(tmp_path / "out")),
            *("--add", str(project)),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "'As' was sampled again 2 times at one place: averaged" in result.output
    assert "not levelled on unmapped ground" in result.output
    with rasterio.open(tmp_path / "out" / "As_levelled.tif") as layer:
        z = layer.read(1)
    with rasterio.open(tmp_path / "out" / "As.tif") as layer:
        raw = layer.read(1)
    assert np.nanmedian(raw[5:, 22:]) > 6 * np.nanmedian(raw[5:, :18])
    assert abs(np.nanmedian(z[5:, 22:]) - np.nanmedian(z[5:, :18])) < 0.4
    roles = {spec.name: (spec.role, spec.sign, spec.medium)
             for spec in load_project(project).layers}  # fmt: skip
    assert roles == {
        "dem": ("", "", ""),
        "As": ("geochemistry.As", "", "soil"),
        "As_variance": ("variance.As", "", "soil"),
        "As_levelled": ("levelled.As", "0", "soil"),
        "As_levelled_variance": ("variance.As_levelled", "", "soil"),
    }
    assert open_stack(project)["As"].attrs["medium"] == "soil"
    assert guess_role("out/As_levelled_variance.tif").role == "variance.As_levelled"


def test_rare_rocks_are_levelled_with_all(ground):
    _, _, x, arsenic = ground
    z, rare = levelled(arsenic, np.where(x < 605_000, 1, 2))
    assert rare == []
    for half in (x < 605_000, x >= 605_000):
        assert np.median(z[half]) == pytest.approx(0, abs=1e-12)
        assert np.median(np.abs(z[half])) == pytest.approx(0.6745, abs=1e-3)
    few = np.where(np.arange(200) < 5, 7, 1)
    z, rare = levelled(arsenic, few)
    assert rare == [7]
    logs = np.log(arsenic)
    centre = np.median(logs)
    want = (logs - centre) / (np.median(np.abs(logs - centre)) / 0.674490)
    np.testing.assert_allclose(z[:5], want[:5], rtol=1e-4)
    with pytest.raises(LayerError, match="no spread to be levelled in"):
        levelled(np.ones(20), np.ones(20, int))


def test_the_first_of_duplicates(ground):
    path, grid, _, _ = ground
    text = path.read_text().splitlines()
    path.write_text("\n".join([*text[:-2], text[1].rsplit(",", 1)[0] + ",9999"]))
    options = {"crs": "EPSG:32642", "medium": "soil"}
    first = grid_table(path, ["As_ppm"], grid, duplicates="first", **options)[0]
    mean = grid_table(path, ["As_ppm"], grid, **options)[0]
    assert float(first.layers["As"].max()) < 200 < float(mean.layers["As"].max())
    assert any("once at one place: left out, the first was taken" in n for n in first.notes)


def test_steps_and_what_is_mostly_undetected(tmp_path):
    rng = np.random.default_rng(2)
    rows = [
        f"{600_000 + 9_000 * rng.random():.0f},{4_390_000 + 9_000 * rng.random():.0f},"
        f"{rng.choice([1, 2, 3, 5])},{'<1' if i % 6 else i}"
        for i in range(60)
    ]
    path = tmp_path / "spectral.csv"
    path.write_text("\n".join(["X,Y,W_ppm,Hg_ppb", *rows]))
    grid = grid_around(path, 500, "EPSG:32642", crs="EPSG:32642")
    steps, seen = grid_table(path, ["W_ppm", "Hg_ppb"], grid, crs="EPSG:32642")
    assert (steps.name, steps.unit) == ("W_rank", "")
    assert 0 < float(steps.layers["W_rank"].min()) < float(steps.layers["W_rank"].max()) < 1
    assert seen.name == "Hg_detected"
    assert any("83% of 'Hg_ppb' is below detection: only detected" in n for n in seen.notes)


def test_stream_sediments_lie_over_their_catchments(tmp_path):
    pytest.importorskip("pyflwdir", reason="catchments need pyflwdir")
    grid = Grid("EPSG:32642", Affine(100, 0, 600_000, 0, -100, 4_400_000), (60, 320))
    rows, cols = np.indices(grid.shape)
    dem = 1000.0 - rows + 20 * np.abs(cols % 8 - 4)
    write_geotiff(tmp_path / "dem.tif", dem.astype(np.float32), grid, nodata=-1)
    rock = 1 + (cols // 8) % 2
    write_geotiff(tmp_path / "rock.tif", rock.astype(np.uint8), grid, nodata=0)
    lines = ["X,Y,Sb_ppm"]
    for valley in range(40):
        for row in (20, 56):
            sb = (1.0, 10.0)[valley % 2] * (50 if (valley, row) == (11, 20) else 1)
            sb *= 1 + 0.0002 * valley  # not steps
            lines.append(f"{grid.x[valley * 8 + 4] + 20},{grid.y[row]},{sb}")
    lines.append(f"{grid.x[0]},{grid.y[30]},5")
    path = tmp_path / "stream.csv"
    path.write_text("\n".join(lines))
    result = CliRunner().invoke(
        main,
        [
            *("grid", str(path), "-v", "Sb_ppm", "--crs", "EPSG:32642", "--medium", "stream"),
            *("--like", str(tmp_path / "dem.tif"), "--elevation", str(tmp_path / "dem.tif")),
            *("--lithology", str(tmp_path / "rock.tif"), "-o", str(tmp_path / "out"), "-q"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "gridded as points" not in result.output
    assert "the samples have 80 catchments" in result.output
    assert "1 of 81 samples lie too far from the drainage" in result.output
    with rasterio.open(tmp_path / "out" / "Sb_residual.tif") as layer:
        residual = layer.read(1)
    row, col = np.unravel_index(np.nanargmax(residual), residual.shape)
    assert (col // 8, row <= 20) == (11, True)
    assert residual[10, 11 * 8 + 4] == pytest.approx(np.log(50), abs=0.2)
    assert abs(np.nanmedian(residual[:, ::16])) < 0.2
    with rasterio.open(tmp_path / "out" / "Sb_productivity.tif") as layer:
        assert layer.units == ("ppm km^2",)
    with pytest.raises(LayerError, match="say that the medium is stream"):
        grid_table(path, ["Sb_ppm"], grid, crs="EPSG:32642", elevation=tmp_path / "dem.tif")
    with pytest.raises(LayerError, match="give the elevation"):
        grid_table(path, ["Sb_ppm"], grid, crs="EPSG:32642", medium="stream",
                   lithology=tmp_path / "rock.tif")  # fmt: skip


def test_a_table_of_assays_becomes_ratios_indices_and_thresholds(region, tmp_path):
    """From the samples of the synthetic region to the rows of a recipe."""
    table = tmp_path / "assays.csv"
    region.assays.to_csv(table, sep=";", index=False, encoding="cp1251")
    elements = ["Sb", "As", "Hg", "Cu", "Pb", "Zn"]
    found = grid_table(
        table,
        [f"{element}_ppm" for element in elements],
        region.grid,
        crs="EPSG:32642",
        medium="soil",
    )
    write_layers(found, region.grid, tmp_path / "layers")
    specs = layer_specs(found, tmp_path / "layers")
    write_project(Project(tmp_path, GridSpec(like="Sb"), tuple(specs)), tmp_path / "prospect.toml")
    rows = [
        {"name": "clr", "operation": "log_ratio_clr", "of": "geochemistry.*"},
        {"name": "alr", "operation": "log_ratio_alr", "of": "geochemistry.*"},
        {
            "name": "balance",
            "operation": "ilr_balance",
            "of": [f"geochemistry.{element}" for element in elements],
            "numerator": 3,
        },
        {
            "name": "index",
            "operation": "pathfinder_sum",
            "of": ["geochemistry.Sb", "geochemistry.Hg", "geochemistry.As"],
            "weights": [1, 1, 0.5],
        },
        {"name": "area", "operation": "concentration_area_class", "of": "geochemistry.Sb"},
    ]
    stack = open_stack(tmp_path)
    builder = FeatureBuilder(Recipe.from_tables(rows)).fit(stack)
    made = builder.transform(stack)
    logs = [np.log(stack[element].values.astype(float)) for element in elements]
    mean = np.mean(logs, axis=0)
    got = {str(name): made.sel(feature=name).values for name in made["feature"].values}
    np.testing.assert_allclose(got["clr: Sb"], logs[0] - mean, atol=1e-4)
    want = np.sqrt(1.5) * (np.mean(logs[:3], axis=0) - np.mean(logs[3:], axis=0))
    np.testing.assert_allclose(got["balance"], want, atol=1e-4)
    assert set(np.unique(got["area"][np.isfinite(got["area"])])) == {0, 1, 2}
    z = []
    for log in (logs[0], logs[2], logs[1]):
        low, middle, high = np.nanquantile(log, [0.25, 0.5, 0.75])
        z.append((log - middle) / ((high - low) / 1.349))
    np.testing.assert_allclose(got["index"], (z[0] + z[1] + 0.5 * z[2]) / 2.5, atol=2e-3)


@pytest.mark.real
def test_a_seam_of_illinois_from_its_boreholes_with_true_absences(real_data, tmp_path):
    """Gridded, trained on thick against thin by the label, and measured among the thin."""
    wells = read_table(real_data / "illinois_coal" / "coalstrat_major.xlsx")
    lon, lat = (numbers(wells[name]) for name in ("LONGITUDE", "LATITUDE"))
    wells = wells[(abs(lon + 88.9) < 0.6) & (abs(lat - 38.6) < 0.5)]
    evidence = ["SURFELV", "TOP_SPRING", "THICK_SPRING", "TOP_DANVILLE"]
    wells[["LONGITUDE", "LATITUDE", *evidence]].to_csv(tmp_path / "wells.csv", index=False)
    thick = numbers(wells["THICK_HERRIN"])
    told = wells[["LONGITUDE", "LATITUDE"]].assign(thick=np.where(thick >= 3.5, 1, 0))
    told[np.isfinite(thick)][::3].to_csv(tmp_path / "herrin.csv", index=False)
    (tmp_path / "prospect.toml").write_text(
        'format = 1\n[occurrences]\npath = "herrin.csv"\nof = "coal"\nlabel = "thick"\n'
    )
    arguments = ["grid", str(tmp_path / "wells.csv"), "--cell", "2000", "--to", "EPSG:26916"]
    arguments += [part for name in evidence for part in ("-v", name)]
    arguments += ["--method", "kriging", "--add", str(tmp_path), "-o", str(tmp_path / "out"), "-q"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    stack = open_stack(tmp_path)
    assert float(np.nanmedian(stack["TOP_SPRING_variance"])) > 0
    model = train(
        stack,
        load_project(tmp_path).occurrences,
        "coal",
        estimator=ExtraTreesClassifier(50, min_samples_leaf=3, random_state=0),
        background=500,
        workers=1,
    )
    assert model.record["labels"]["known to be barren"] > 100
    auc = model.measures.set_index("measure")["value"]["auc_barren"]
    assert auc.iloc[0] > 0.5, model.report()
