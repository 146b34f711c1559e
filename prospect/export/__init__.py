"""A map handed over: as classes for any GIS, and as a sheet of paper."""

from prospect.export.classes import write_classes
from prospect.export.sheet import write_sheet

__all__ = ["write_classes", "write_sheet"]
