"""Delimited tables as people write them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prospect.errors import LayerError
from prospect.tables import numbers, read_table


def test_commas_in_a_name_do_not_decide(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("name;x;y\n" + "a, b, c, d, e;1,5;2,5\n" * 3)
    assert read_table(path).columns.tolist() == ["name", "x", "y"]


def test_numbers_as_people_write_them():
    text = pd.Series(["1", "-2,5", "\u22123.5", "1 234,5", " 7 ", "", "n/a", "1,234.5"])
    assert numbers(text).tolist()[:5] == [1, -2.5, -3.5, 1234.5, 7]
    assert np.isnan(numbers(text)[5:]).all()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_survives_however_it_is_written(value):
    text = repr(value)
    written = [text, text.replace(".", ","), text.replace("-", "\u2212"), f" {text}\u00a0"]
    assert numbers(pd.Series(written)).tolist() == [value] * 4


def test_what_is_no_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(LayerError, match="not a text but a binary file"):
        read_table(path)
    path.write_bytes("x;y\n1;2\n".encode("utf-16-le"))  # without the mark that says so
    with pytest.raises(LayerError, match="export it as CSV, in UTF-8"):
        read_table(path)
    with pytest.raises(LayerError, match="There is no file"):
        read_table(tmp_path / "missing.csv")
