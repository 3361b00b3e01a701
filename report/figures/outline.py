"""The outline of true lesions over a slice."""

import numpy as np
from matplotlib.axes import Axes

from report.pictured import block_means
from report.style import LESION_COLOUR

FINEST = 160  # pixels a side: finer rims are no wider than the line, and make up most of a figure's text


def draw_outline(axes: Axes, lesions: np.ndarray, linewidth: float) -> None:
    """Outline a mask (y, x), 1 in lesions, averaged down where it is finer than FINEST; nothing where it is empty."""
    share = block_means(lesions, FINEST)
    if (share > 0.5).any():
        factor = lesions.shape[0] // share.shape[0]
        rows, columns = ((np.arange(count) + 0.5) * factor - 0.5 for count in share.shape)
        axes.contour(columns, rows, share, levels=[0.5], colors=LESION_COLOUR, linewidths=linewidth)
