"""Where to look first: ranked zones of a map, and licence blocks ranked the same way."""

from prospect.targets.blocks import rank_blocks
from prospect.targets.ranking import find_targets

__all__ = ["find_targets", "rank_blocks"]
