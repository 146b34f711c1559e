"""Operations on gridded fields."""

import naive
import numpy as np
import pytest

from prospect.errors import GridError
from prospect.features import horizontal_gradient


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("cell", [(100.0, 100.0), (250.0, 80.0)])
def test_horizontal_gradient_against_its_oracle(make_stack, field, gaps, cell):
    values = field(gaps=gaps)
    result = horizontal_gradient(make_stack(cell=cell, a=values)["a"]).values
    np.testing.assert_allclose(result, naive.horizontal_gradient(values, *cell), rtol=1e-5)


def test_horizontal_gradient_of_a_plane_is_its_slope(make_stack):
    row, col = np.mgrid[:20, :30]
    plane = (3 * 250.0 * col - 4 * 80.0 * row).astype(np.float32)
    result = horizontal_gradient(make_stack(cell=(80.0, 250.0), a=plane)["a"])
    np.testing.assert_allclose(result.values[1:-1, 1:-1], 5, rtol=1e-5)
    assert np.isnan(result.values[0]).all()
    assert result.attrs["units"] == "/m"


def test_horizontal_gradient_needs_metres(make_stack, field):
    stack = make_stack(cell=(0.001, 0.001), crs="EPSG:4326", a=field())
    stack = stack.assign_coords(x=stack.x - 600_000 + 70, y=stack.y - 4_400_000 + 40)
    with pytest.raises(GridError, match="measures in degrees: give a projected one"):
        horizontal_gradient(stack["a"])


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2)])
def test_a_sliver_has_no_gradient(make_stack, field, shape):
    result = horizontal_gradient(make_stack(a=field(shape, gaps=0))["a"])
    assert result.shape == shape
    assert np.isnan(result.values).all()
