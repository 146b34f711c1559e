"""Worlds that contradict the commodity files, and the ordinary one that agrees with them."""

from __future__ import annotations

from dataclasses import dataclass

from prospect.errors import ProspectError


@dataclass(frozen=True)
class World:
    """
    How a region differs from what the commodity files expect.

    Attributes
    ----------
    sign : float
        -1 turns every mapped driver of ore round, and takes coal out of its basins.
    stretch : float
        Times the lengths over which drivers fade.
    blind : bool
        Faults that no survey mapped drive ore as strongly as thrusts do.
    dispersed : bool
        A stream sediment shows the mean of its catchment, not the ground it was taken on.
    concealed : bool
        Ore lies under Quaternary cover as elsewhere, where nobody has found any.
    """

    sign: float = 1.0
    stretch: float = 1.0
    blind: bool = False
    dispersed: bool = False
    concealed: bool = False


WORLDS = {
    "ordinary": World(),
    "wrong signs": World(sign=-1.0),
    "other lengths": World(stretch=3.0),
    "missing driver": World(blind=True),
    "catchment dispersion": World(dispersed=True),
    "concealed deposits": World(concealed=True),
}
"""By the names that people call them."""


def world(name: str) -> World:
    """
    A world by its name.

    Raises
    ------
    ProspectError
        If there is none of that name.
    """
    if name not in WORLDS:
        raise ProspectError(f"There is no world '{name}'; there are {', '.join(WORLDS)}.")
    return WORLDS[name]
