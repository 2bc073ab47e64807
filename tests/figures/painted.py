"""What a picture shows, counted in pixels: the first bytes of a file say nothing about what is painted."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]


def assert_painted(file: bytes, figure: Figure | None = None, *, all_over: bool = True) -> None:
    """A PNG that can be decoded, of the figure's size, white but for text, lines and areas."""
    with Image.open(io.BytesIO(file)) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    if figure is not None:
        width, height = figure.get_size_inches() * figure.dpi
        assert pixels.shape[:2] == pytest.approx((height, width), abs=1)
    _assert_inked(pixels, all_over)


def assert_drawn(figure: Figure) -> None:
    """The same of the figure as it is drawn for a file; to write and read a PNG takes longer than to draw it."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # as where a file is written
        figure.savefig(buffer, format="rgba", dpi=figure.dpi)
    pixels = np.frombuffer(buffer.getvalue(), np.uint8)
    width, height = figure.canvas.get_width_height()
    _assert_inked(pixels.reshape(height, width, 4), all_over=True)


def _assert_inked(pixels: U8, all_over: bool) -> None:
    inked = np.minimum.reduce([pixels[..., channel] for channel in range(3)]) < 250
    assert 0.003 < inked.mean() < 0.7
    # Ink in all thirds of the width and of the height, so that it is not a heading above nothing.
    for lines in (inked, inked.T):
        assert not all_over or all(part.max() for part in np.array_split(lines.max(axis=1), 3))


def undrawn(axes: Axes) -> list[Text]:
    """Tick labels beyond the ends of an axis: matplotlib makes, but does not draw them."""
    sides = ((axes.xaxis, axes.get_xlim(), 0), (axes.yaxis, axes.get_ylim(), 1))
    return [
        text
        for axis, ends, place in sides
        for text in axis.get_ticklabels(which="both")
        if not min(ends) <= text.get_position()[place] <= max(ends)
    ]
