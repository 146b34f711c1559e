"""A sheet of paper to draw on in millimetres, from its lower left corner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1c1c1c"
PALE = "#5c5c5c"
POINT = 25.4 / 72
"""Millimetres of a typographic point."""


class Paper:
    """
    A figure of a given size, with texts and lines placed in millimetres.

    Parameters
    ----------
    width, height : float, millimetres
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure: Figure = Figure(figsize=(width / 25.4, height / 25.4), facecolor="white")
        self._canvas: Any = FigureCanvasAgg(self.figure)
        self._axes: Axes = self.figure.add_axes((0, 0, 1, 1), zorder=2)
        self._axes.set(xlim=(0, width), ylim=(0, height))
        self._axes.patch.set_alpha(0)
        self._axes.axis("off")

    def map(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes for a map, without ticks, under all else on the paper."""
        place = (x / self.width, y / self.height, width / self.width, height / self.height)
        axes: Axes = self.figure.add_axes(place, zorder=1)
        axes.set(xticks=[], yticks=[])
        return axes

    def text(self, x: float, y: float, text: str, size: float = 8, **how: Any) -> None:
        """A text, from its left end at its base line unless said otherwise; size in points."""
        self._axes.text(x, y, text, fontsize=size, **{"color": INK, **how})

    def line(self, x: Sequence[float], y: Sequence[float], width: float = 0.5, **how: Any) -> None:
        """A line through points; width in points."""
        self._axes.plot(x, y, linewidth=width, **{"color": INK, "solid_capstyle": "butt", **how})

    def mark(self, x: float, y: float, **how: Any) -> None:
        """A symbol, as matplotlib's ``plot`` takes it."""
        self._axes.plot([x], [y], linestyle="none", **how)

    def box(self, x: float, y: float, width: float, height: float, **how: Any) -> None:
        """A rectangle."""
        from matplotlib.patches import Rectangle

        self._axes.add_patch(Rectangle((x, y), width, height, **how))

    def shape(self, points: Sequence[tuple[float, float]], **how: Any) -> None:
        """A filled polygon."""
        from matplotlib.patches import Polygon

        self._axes.add_patch(Polygon(points, closed=True, **how))

    def measure(self, text: str, size: float, **how: Any) -> float:
        """How wide a text is, in millimetres."""
        drawn = self._axes.text(0, 0, text, fontsize=size, **how)
        box = drawn.get_window_extent(self._canvas.get_renderer())
        drawn.remove()
        return float(box.width) / self.figure.dpi * 25.4

    def wrap(self, text: str, width: float, size: float, **how: Any) -> list[str]:
        """A text in lines no wider than so many millimetres, unless a word is."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.measure(longer, size, **how) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def paragraph(
        self, x: float, top: float, width: float, text: str, size: float = 7, **how: Any
    ) -> float:
        """A wrapped text below a height; returns where the next may begin."""
        step = 1.3 * size * POINT
        for line in self.wrap(text, width, size, **how):
            top -= step
            self.text(x, top + 0.25 * step, line, size, **how)
        return top
