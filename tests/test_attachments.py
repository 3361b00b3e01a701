"""The pictures of the patient browser, read back from the site."""

import matplotlib
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def strip(tiny):
    """strip(kind, index): the pixels of a picture as written, uint8 (y, x, channel)."""
    return lambda kind, index: np.asarray(Image.open(tiny / "site" / "report" / "explore" / kind / f"{index:03}.webp"))


def side_by_side(stack: np.ndarray) -> np.ndarray:
    return np.concatenate(list(stack), axis=1)


def test_each_patient_has_a_strip_of_all_slices(study, strip):
    slices = study.browsed_patients()["slices"]
    for index, stack in enumerate(slices):
        shown, expected = strip("slices", index).astype(int).mean(axis=2), side_by_side(stack)
        assert shown.shape == expected.shape
        assert np.abs(shown - expected).mean() < 3  # lossy; another patient is 5 or more away


def test_saliency_is_coloured_as_in_the_figures_and_as_opaque_as_it_is_strong(study, strip):
    model = study.compared[0]
    for index, stack in enumerate(study.browsed_saliency(model)):
        strength, shown = side_by_side(stack) / 255, strip(model, index).astype(float)
        assert np.abs(shown[..., 3] - 255 * np.sqrt(strength)).mean() < 8
        strong = strength > 0.5
        assert np.abs(shown[strong, :3] - 255 * matplotlib.colormaps["inferno"](strength[strong])[:, :3]).mean() < 40


def test_lesions_are_a_veil_with_a_firm_edge(study, strip):
    for index, stack in enumerate(study.browsed_patients()["lesions"]):
        inside, shown = side_by_side(stack) > 0, strip("lesions", index)
        assert (shown[~inside, 3] == 0).all() and (shown[inside, :3] == (0, 0xA5, 0xCF)).all()
        for row, column in np.argwhere(inside):
            around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
            whole = all(inside[at] for at in around if 0 <= at[0] < inside.shape[0] and 0 <= at[1] < inside.shape[1])
            assert shown[row, column, 3] == (90 if whole else 255)
