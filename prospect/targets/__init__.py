"""Where to look first: zones of a map, licence blocks, and what would narrow their spread."""

from prospect.targets.blocks import rank_blocks
from prospect.targets.narrowing import narrow, traverses_of
from prospect.targets.ranking import find_targets

__all__ = ["find_targets", "narrow", "rank_blocks", "traverses_of"]
