"""Tables as surveys keep them, understood column by column; nothing is dropped in silence."""

from prospect.tables.columns import Columns, Element, element_of, guess_columns
from prospect.tables.reading import TABLE_SUFFIXES, guess_encoding, read_table, write_table
from prospect.tables.values import degrees, numbers

__all__ = [
    "TABLE_SUFFIXES",
    "Columns",
    "Element",
    "degrees",
    "element_of",
    "guess_columns",
    "guess_encoding",
    "numbers",
    "read_table",
    "write_table",
]
