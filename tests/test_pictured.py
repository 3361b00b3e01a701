"""Arrays are as fine as a figure shows them: averaged by whole factors, masks by the half, smaller ones as they are."""

import doctest

import numpy as np
from matplotlib import pyplot

from report import pictured
from report.figures.outline import draw_outline
from report.pictured import FINEST, as_pictured


def test_finer_arrays_are_averaged_and_keep_their_kind():
    assert doctest.testmod(pictured).attempted and not doctest.testmod(pictured).failed
    side = 2 * FINEST
    image = np.tile(np.array([[0.25, 0.75]], np.float16), (side, FINEST))
    mask = np.zeros((3, side, side), np.uint8)
    mask[:, :2, :3] = 1  # a block whole, its neighbour half
    mask[:, 4, 4] = 1  # a quarter of a block
    small = np.ones((5, 4, 4), np.float32)
    found = as_pictured({"image": image, "mask": mask, "small": small, "probability": np.array([0.5])})
    assert found["image"].dtype == np.float16 and found["image"].shape == (FINEST, FINEST) and (found["image"] == 0.5).all()
    assert found["mask"].dtype == np.uint8 and found["mask"].shape == (3, FINEST, FINEST)
    assert np.argwhere(found["mask"][0]).tolist() == [[0, 0], [0, 1]]
    assert found["small"] is small and found["probability"].tolist() == [0.5]


def test_an_outline_lies_where_the_lesion_does_at_every_size():
    for side in (64, 512):
        mask = np.zeros((side, side), np.uint8)
        mask[side // 4 : side // 2, side // 2 : side * 3 // 4] = 1
        figure, axes = pyplot.subplots()
        draw_outline(axes, mask, 0.6)
        points = np.concatenate([path.vertices for path in axes.collections[0].get_paths()]) / side
        assert np.abs(points.min(axis=0) - (0.5, 0.25)).max() < 0.02 and np.abs(points.max(axis=0) - (0.75, 0.5)).max() < 0.02
        pyplot.close(figure)


def test_no_outline_where_there_is_no_lesion():
    figure, axes = pyplot.subplots()
    draw_outline(axes, np.zeros((64, 64), np.uint8), 0.6)
    assert not axes.collections
    pyplot.close(figure)
