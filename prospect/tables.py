"""Delimited tables as people write them: any delimiter, decimal commas, Russian encodings."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.errors import LayerError
from prospect.raster import require_file
from prospect.raster.opening import one_line

_DELIMITERS = ";\t|,"


def read_table(path: Path | str) -> pd.DataFrame:
    """
    Read a delimited table as text; the delimiter is found, UTF-8 or Windows-1251 assumed.

    Raises
    ------
    LayerError
        If there is no table in the file.
    """
    path = require_file(path)
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1251", errors="replace")
    if "\0" in text:
        raise LayerError(f"{path} is not a text but a binary file: export it as CSV, in UTF-8.")
    # The header tells; in the rows below, commas may be decimal.
    header = text.lstrip().split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        table = pd.read_csv(io.StringIO(text), sep=delimiter, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise LayerError(f"{path} is not a table ({one_line(error)}): export it as CSV.") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise LayerError(
            f"{path} has rows with more fields than the {len(table.columns)} of its header: "
            "name every column, and quote fields that hold the delimiter."
        )
    return table


def numbers(column: pd.Series[str]) -> NDArray[np.float64]:
    """Numbers as people write them: decimal commas, Unicode minus, spaces in thousands."""
    text = column.str.replace(r"\s", "", regex=True)
    text = text.str.replace("\u2212", "-").str.replace(",", ".")
    return pd.to_numeric(text, errors="coerce").to_numpy(float)
