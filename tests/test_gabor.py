"""Whether filters are like Gabor functions: real ones are, random ones are not, and what the pages make of it."""

import numpy as np
import pytest

from pipeline.explanations.gabor import describe_filters, gabor_likeness
from report.sentences import Sentences
from report.words import Words

Y, X = np.mgrid[:7, :7] - 3


def wave(frequency: float, turn: float, phase: float, width: float) -> np.ndarray:
    along = X * np.cos(turn) + Y * np.sin(turn)
    return np.exp(-(X**2 + Y**2) / (2 * width**2)) * np.cos(2 * np.pi * frequency * along + phase)


def random_filters(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 1, 7, 7)).astype(np.float32)


def said(study):
    return [Sentences(study, Words(language)).filters.markdown for language in ("en", "sl")]


@pytest.mark.parametrize("kernel", [
    wave(0.2, np.pi / 8, 0.7, 1.5),  # one of those that are tried, at a phase of its own
    4 + 100 * wave(0.1, 0, np.pi / 2, 2.25),  # an edge, with an offset
    -wave(0.05, 0, 0, 3.4),  # a wide dark blob
    np.exp(-((X + 2) ** 2 + (Y - 2) ** 2) / 2) * np.cos(2 * np.pi * 0.3 * (X + 2)),  # in a corner
])
def test_a_gabor_function_is_found_whatever_its_phase_height_and_offset(kernel):
    assert gabor_likeness(kernel[None])[0] == pytest.approx(1, abs=1e-9)


def test_edges_and_blobs_that_are_not_on_the_list_are_still_close_to_one_that_is():
    blob, edge = np.exp(-((X - 0.4) ** 2 + Y**2) / (2 * 1.8**2)), np.sign(X) * np.exp(-(X**2 + Y**2) / 8)
    assert (gabor_likeness(np.stack([blob, edge])) > [0.97, 0.9]).all()


def test_the_likeness_is_the_share_of_variance_that_a_fit_explains():
    kernel = random_filters(1)[0, 0].astype(np.float64)
    best = 0.0
    for turn in np.arange(8) * np.pi / 8:  # all those without a shift and with the widest envelope, by least squares
        columns = np.stack([np.ones(49), wave(0.2, turn, 0, 3.4).ravel(), wave(0.2, turn, -np.pi / 2, 3.4).ravel()], axis=1)
        _, (rest,), *_ = np.linalg.lstsq(columns, kernel.ravel(), rcond=None)
        best = max(best, 1 - rest / (49 * kernel.var()))
    assert best <= gabor_likeness(kernel[None])[0] < 0.6


def test_a_filter_that_is_the_same_everywhere_is_like_none():
    assert gabor_likeness(np.stack([np.zeros((7, 7)), np.full((7, 7), 0.5)])).tolist() == [0, 0]


def test_random_filters_surpass_as_many_as_chance_gives():
    found = describe_filters(random_filters(2000))
    assert found["by_chance"] == pytest.approx(100) and 70 < found["surpassing"] < 135 and found["p"] > 1e-3
    assert found["likeness"] == pytest.approx(found["random"], abs=0.01)


def test_one_ordered_filter_among_four_may_be_chance_three_are_not():
    filters = random_filters(4, seed=2)
    assert describe_filters(filters)["surpassing"] == 0
    filters[0, 0] = wave(0.2, 0, 0, 2)
    one = describe_filters(filters)
    assert (one["filters"], one["surpassing"]) == (4, 1) and one["p"] == pytest.approx(1 - 0.95**4)
    filters[1:3, 0] = wave(0.1, 1, 1, 2), wave(0.3, 2, 2, 2)
    assert describe_filters(filters)["surpassing"] == 3 and describe_filters(filters)["p"] < 0.001


def test_the_first_input_channel_counts_as_in_the_figure():
    filters = np.concatenate([random_filters(4, seed=2), np.broadcast_to(wave(0.2, 0, 0, 2), (4, 1, 7, 7))], axis=1)
    assert describe_filters(filters)["surpassing"] == 0 and describe_filters(filters[:, ::-1])["surpassing"] == 4


def test_the_stored_shapes_are_those_of_the_stored_filters(study):
    for model in study.convolutional:
        assert study.filter_shapes(model) == pytest.approx(describe_filters(study.filters(model)))


@pytest.mark.parametrize(("pretrained", "untrained", "english", "slovenian"), [
    (1e-9, 0.5, "So there is order in the pretrained layer", "Red je torej v prednaučeni plasti"),
    (1e-9, 1e-9, "There is order in both layers.", "Red je v obeh plasteh."),
    (0.5, 0.5, "Neither layer can be told from random kernels.", "Nobene od plasti ni mogoče ločiti"),
    (0.5, 1e-9, "So the training from random weights has made order", "Učenje iz naključnih uteži je torej ustvarilo red"),
])
def test_the_sentence_says_which_layers_hold_order(study, monkeypatch, pretrained, untrained, english, slovenian):
    shapes = {"ResNet18og": {"filters": 64, "surpassing": 50, "by_chance": 3.2, "p": pretrained},
              "ResNet18_nowig": {"filters": 64, "surpassing": 2, "by_chance": 3.2, "p": untrained}}
    monkeypatch.setattr(study, "filter_shapes", shapes.get)
    shown = said(study)
    assert "Of the 64 filters of ResNet18og 50 are closer to a Gabor function than 95\u00a0% of random kernels are, " in shown[0]
    assert "of the 64 filters of ResNet18_nowig 2; by chance it would be 3.2." in shown[0] and english in shown[0]
    assert "bližje kot 95\u00a0% naključnih jeder 50, od 64 filtrov modela ResNet18_nowig pa 2; po naključju bi jih bilo 3,2." in shown[1]
    assert slovenian in shown[1]
    shapes["ResNet18og"]["surpassing"] = 1
    assert "filters of ResNet18og 1 is closer to" in said(study)[0]


def test_a_study_made_before_says_nothing_of_it(study, monkeypatch):
    monkeypatch.setattr(study, "filter_shapes", lambda model: None)
    assert "Gabor" not in "".join(said(study))
