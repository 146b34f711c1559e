"""Map sheets."""

import pytest

from prospect.errors import GridError
from prospect.sheets import read_sheet


@pytest.mark.parametrize(
    ("name", "scale", "edges"),
    [
        ("J-42", 1_000_000, (66, 36, 72, 40)),
        ("K-43", 1_000_000, (72, 40, 78, 44)),
        ("J-42-А", 500_000, (66, 38, 69, 40)),
        ("J-42-Г", 500_000, (69, 36, 72, 38)),
        ("J-42-I", 200_000, (66, 40 - 2 / 3, 67, 40)),
        ("J-42-XII", 200_000, (71, 40 - 4 / 3, 72, 40 - 2 / 3)),
        ("J-42-XXXVI", 200_000, (71, 36, 72, 36 + 2 / 3)),
        ("J-42-1", 100_000, (66, 40 - 1 / 3, 66.5, 40)),
        ("J-42-144", 100_000, (71.5, 36, 72, 36 + 1 / 3)),
        ("к – 42 – ХII", 200_000, (71, 42 + 2 / 3, 72, 43 + 1 / 3)),  # Cyrillic letters
    ],
)
def test_sheets_and_their_edges(name, scale, edges):
    sheet = read_sheet(name)
    assert sheet.scale == scale
    assert (sheet.west, sheet.south, sheet.east, sheet.north) == pytest.approx(edges)
    assert sheet.zone == int(sheet.name.split("-")[1]) - 30
    assert sheet.epsg == 28400 + sheet.zone


@pytest.mark.parametrize("name", ["", "J", "J-12", "J-42-XL", "J-42-145", "J-42-0", "W-42", "J42"])
def test_what_is_no_sheet(name):
    with pytest.raises(GridError, match="is no map sheet"):
        read_sheet(name)
