"""The HU window, by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.window import apply_window


def test_edges_middle_and_outside():
    values = apply_window(np.array([-2000, -1000, -300, 400, 1500]), -1000, 400)
    np.testing.assert_allclose(values, [0, 0, 0.5, 1, 1])
    assert values.dtype == np.float32


@given(st.lists(st.floats(-3000, 3000), min_size=1, max_size=20), st.floats(-1500, 0), st.floats(1, 2000))
def test_range_and_order(values, low, width):
    ordered = np.sort(np.array(values))
    windowed = apply_window(ordered, low, low + width)
    assert windowed.min() >= 0 and windowed.max() <= 1
    assert (np.diff(windowed) >= 0).all()
