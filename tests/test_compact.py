"""Smaller drawings that show the same."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from report.compact import compact
from report.drawing import to_drawing


def embedded(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f'<image xlink:href="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}" x="1.23456"/>'


def pixels_of(svg: str) -> np.ndarray:
    encoded = re.search('base64,([^"]+)"', svg)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))


def test_numbers_get_shorter_where_they_are_places_and_nowhere_else():
    svg = '<path d="M 1.234567 -0.5 \nL 12.999999 7 \nz\n" style="stroke-width: 0.123456" transform="scale(0.015625)"/>'
    assert compact(svg) == '<path d="M1.23 -0.5L12.99 7z" style="stroke-width: 0.123456" transform="scale(0.015625)"/>'


def test_marks_that_look_alike_share_their_style_and_others_keep_theirs():
    same = '<g clip-path="url(#p)">\n  <use x="1" style="fill: red"/>\n  <use x="2" style="fill: red"/>\n </g>'
    assert compact(same) == '<g clip-path="url(#s0)" style="fill: red">\n<use x="1"/>\n<use x="2"/>\n</g>'
    different = same.replace("red", "blue", 1)
    assert compact(different).count("style=") == 2
    assert compact("<g>\n <!-- 2 -->\n <use/>\n</g>") == "<g>\n<use/>\n</g>"


def test_what_is_used_again_gets_a_short_name_and_nothing_else_does():
    svg = ('<g id="text_1"><path id="DejaVuSans-41"/><use xlink:href="#DejaVuSans-41"/><use xlink:href="#m0a1"/></g><path id="m0a1"/>'
           '<path clip-path="url(#pf00)"/><clipPath id="pf00"/><image xlink:href="data:image/png;x" id="m0"/>')
    assert compact(svg) == ('<g id="text_1"><path id="s0"/><use href="#s0"/><use href="#s1"/></g><path id="s1"/>'
                            '<path clip-path="url(#s2)"/><clipPath id="s2"/><image xlink:href="data:image/png;x" id="m0"/>')


def test_a_picture_under_one_colour_map_keeps_every_pixel(rng):
    grey = rng.integers(0, 256, (60, 60, 1), np.uint8)
    picture = np.concatenate([np.repeat(grey, 3, axis=2), np.full((60, 60, 1), 255, np.uint8)], axis=2)
    before = embedded(picture)
    after = compact(before)
    assert len(after) < 0.6 * len(before)
    np.testing.assert_array_equal(pixels_of(after), picture[..., :3])


def test_pictures_laid_over_each_other_still_look_the_same(rng):
    ramp = np.linspace(0, 200, 120)
    cloud = np.stack([np.add.outer(ramp, ramp) / 2, np.subtract.outer(ramp, ramp) / 2 + 120, np.full((120, 120), 80.0)], axis=2)
    cloud += rng.normal(0, 4, cloud.shape)
    picture = np.concatenate([cloud.clip(0, 255).astype(np.uint8), np.full((120, 120, 1), 255, np.uint8)], axis=2)
    before = embedded(picture)
    after = compact(before)
    assert len(after) < 0.5 * len(before)
    assert np.abs(pixels_of(after).astype(int) - picture[..., :3]).mean() < 4


def test_noise_of_all_colours_can_be_written(rng):
    """Saliency of an untrained network is such noise; Pillow's optimised JPEG broke off at it."""
    picture = np.concatenate([rng.integers(0, 256, (200, 200, 3), np.uint8), np.full((200, 200, 1), 255, np.uint8)], axis=2)
    assert pixels_of(compact(embedded(picture))).shape == (200, 200, 3)


def test_a_see_through_picture_is_left_alone(rng):
    svg = embedded(rng.integers(0, 256, (8, 8, 4), np.uint8))
    assert re.search('base64,([^"]+)', compact(svg))[1] == re.search('base64,([^"]+)', svg)[1]


@pytest.mark.parametrize("shape", [(4, 4), (40, 40)])
def test_a_figure_with_a_picture_is_written_with_it(rng, shape):
    figure, axes = pyplot.subplots()
    axes.imshow(rng.random(shape), cmap="gray")
    assert "data:image/" in to_drawing(figure).svg
