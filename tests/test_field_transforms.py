"""Whole maps transformed at once: known bodies, stated errors, refusals."""

import naive
import numpy as np
import pytest

from prospect.errors import RecipeError
from prospect.features import FeatureBuilder, pseudo_gravity, reduction_to_pole
from prospect.grid import Cell

CELL = Cell(100.0, 100.0)


def about(side):
    """Metres east and north of the middle of an array."""
    place = (np.arange(side) - side // 2) * 100.0
    return np.meshgrid(place, -place)


def without_plane(values):
    """Values less their plane of least squares."""
    y, x = np.indices(values.shape)
    terms = np.stack([np.ones(values.size), y.ravel(), x.ravel()], axis=1)
    return values - (terms @ np.linalg.lstsq(terms, values.ravel())[0]).reshape(values.shape)


@pytest.mark.parametrize("cell", [CELL, Cell(120.0, 75.0)])
def test_pseudo_gravity_of_a_prism_is_its_gravity(cell):
    rows, cols = np.indices((400, 360))
    east, north = (cols - 180) * cell.dx, (200 - rows) * cell.dy
    body = {"half_east": 2500.0, "half_north": 2000.0}
    # nT of 1 A/m magnetised downward; the solid angle of the top less that of the bottom.
    field = 100 * (
        naive.prism(east, north, 800.0, **body) - naive.prism(east, north, 3800.0, **body)
    )
    want = 200 * naive.prism_gravity(east, north, 800.0, 3800.0, **body)
    options = {"inclination": 90.0, "declination": 0.0, "ratio": 200.0}
    got = naive.apply(pseudo_gravity, field.astype(np.float32), cell, **options)
    inner = (slice(64, -64), slice(64, -64))
    wrong = without_plane((got - want)[inner])
    assert wrong.std() < 0.03 * want[inner].std()
    assert np.unravel_index(got.argmax(), got.shape) == (200, 180)
    # The ridge of its gradient stands over the edge.
    profile = np.hypot(*np.gradient(got))[200, 180:260]
    assert abs(profile.argmax() * cell.dx - 2500) <= cell.dx


def test_an_inclined_field_gives_the_same_pseudo_gravity():
    east, north = about(300)
    at_pole = naive.dipole(east, north, 1500.0, 90, 0)
    inclined = naive.dipole(east, north, 1500.0, 55, 15)
    got = [
        naive.apply(pseudo_gravity, field.astype(np.float32), CELL, inclination=i, declination=d)
        for field, i, d in ((at_pole, 90.0, 0.0), (inclined, 55.0, 15.0))
    ]
    apart = without_plane(got[1] - got[0])[64:-64, 64:-64]
    assert apart.std() < 0.05 * got[0].std()
    assert np.unravel_index(got[1].argmax(), (300, 300)) == (150, 150)


def test_a_part_of_a_region_is_reduced_as_well_as_is_stated():
    fractal = naive.fractal(1536, 3)
    dip, turn = np.radians([60.0, 10.0])

    def to_pole(east, north):
        length = np.hypot(east, north)
        course = (east * np.sin(turn) + north * np.cos(turn)) / np.where(length == 0, 1, length)
        return np.where(length == 0, 1, 1 / (np.sin(dip) + 1j * np.cos(dip) * course) ** 2)

    want = naive.wavenumbers(fractal, 100.0, 100.0, to_pole)[384:1152, 384:1152]
    part = fractal[384:1152, 384:1152].astype(np.float32)
    options = {"inclination": 60.0, "declination": 10.0}
    whole = naive.apply(reduction_to_pole, part, CELL, **options)
    windows = naive.apply(reduction_to_pole, part, CELL, reach=6400.0, **options)
    inner = (slice(64, -64), slice(64, -64))
    error = (whole - want)[inner].std() / want[inner].std()
    assert error < 0.3
    assert error < 0.8 * (windows - want)[inner].std() / want[inner].std()


@pytest.mark.parametrize("operation", [pseudo_gravity, reduction_to_pole])
@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (7, 5)])
def test_slivers_and_gaps(operation, shape):
    layer = naive.field(shape, 0.2, offset=5e4)
    layer.ravel()[0] = 5e4
    got = naive.apply(operation, layer, CELL, inclination=60.0, declination=5.0)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(layer))
    empty = naive.apply(operation, layer * np.nan, CELL, inclination=60.0, declination=5.0)
    assert np.isnan(empty).all()


def test_what_is_refused(monkeypatch, make_stack, field):
    layer = naive.field((8, 9))
    with pytest.raises(RecipeError, match=r"'ratio' is density over magnetisation.*but -1 came"):
        naive.apply(pseudo_gravity, layer, CELL, inclination=60.0, declination=0.0, ratio=-1.0)
    with pytest.raises(RecipeError, match=r"declination is degrees.*but 700 came"):
        naive.apply(reduction_to_pole, layer, CELL, inclination=60.0, declination=700.0)
    with pytest.raises(RecipeError, match="unstable at an inclination of 5 degrees"):
        naive.apply(pseudo_gravity, layer, CELL, inclination=5.0, declination=0.0)
    monkeypatch.setattr("prospect.features.wavenumber.MOST_CELLS", 50)
    with pytest.raises(RecipeError, match="has 50 cells at most, but there are 72: take larger"):
        naive.apply(reduction_to_pole, layer, CELL, inclination=60.0, declination=0.0)
    rows = [{"name": "pg", "operation": "pseudo_gravity", "of": "a"}]
    rows[0] |= {"inclination": 60, "declination": 0}
    with pytest.raises(RecipeError, match="Feature 'pg': A map that is transformed whole"):
        FeatureBuilder(rows).fit(make_stack(cell=(100.0, 100.0), a=field()))
