"""Spatial folds as scikit-learn splitters: ground that was learnt from is not tested on."""

from prospect.folds.blocks import BlockFolds, size_by_residuals
from prospect.folds.chance import RandomFolds
from prospect.folds.leave_out import BufferedLeaveOneOut, LeavePairOut, LeaveRegionOut
from prospect.folds.nearest_neighbour import NearestNeighbourFolds
from prospect.folds.spatial import SpatialFolds
from prospect.folds.variogram import block_size, residuals, variogram, variogram_range

__all__ = [
    "BlockFolds",
    "BufferedLeaveOneOut",
    "LeavePairOut",
    "LeaveRegionOut",
    "NearestNeighbourFolds",
    "RandomFolds",
    "SpatialFolds",
    "block_size",
    "residuals",
    "size_by_residuals",
    "variogram",
    "variogram_range",
]
