"""The errors a user can meet: one base, few children, each message a sentence."""


class ProspectError(ValueError):
    """Base of all errors raised on purpose: what was expected, what came, what to do."""


class GridError(ProspectError):
    """Grids do not fit, or a grid cannot be used for what was asked."""


class LayerError(ProspectError):
    """A layer or vector file cannot be opened, read or trusted."""


class ProjectError(ProspectError):
    """A prospect.toml or a folder of layers cannot be understood."""


class RecipeError(ProspectError):
    """A recipe or commodity file, or one of its features, is wrong."""


class EvidenceError(RecipeError):
    """Layers do not allow a row that is right in itself; the builder leaves it out and says so."""

    def __init__(self, message: str, layer: str = "") -> None:
        super().__init__(message)
        self.layer = layer


class LabelError(ProspectError):
    """Known deposits cannot be read, placed on the grid or learnt from."""


class ModelError(ProspectError):
    """A model file cannot be saved, loaded, or applied to these layers."""


class OutputError(ProspectError):
    """A result cannot be written, or what was written is not what was meant."""


class TileError(ProspectError):
    """A tile of a map cannot be computed, even by itself."""


class ClusterError(ProspectError):
    """A cluster does not answer, or none of its workers can be used."""
