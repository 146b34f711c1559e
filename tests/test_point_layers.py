"""Tables of points become layers."""

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from prospect.cli import main
from prospect.errors import LayerError
from prospect.point_layers import grid_around, grid_table


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
