"""Attributions of networks that can be computed by hand, and the choice of cases."""

import zlib

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.data.dataset import load_dataset
from pipeline.evaluation.thresholds import outcome_of
from pipeline.explanations.attribution import grad_cam, points_at_lesion, relevance_in_lesions, saliency
from pipeline.explanations.browsing import as_bytes, shrink
from pipeline.explanations.cases import choose_cases
from pipeline.explanations.explain import halved
from pipeline.explanations.layers import deepest, layer_outputs
from pipeline.explanations.localisation import localise
from pipeline.explanations.maps import KEPT_BITS, rounded
from pipeline.explanations.resemblance import mean_resemblance, resemblance
from pipeline.models.registry import build_model, stages_of
from report.figures.registry import FIGURES
from report.words import Words


def linear_network(weights: np.ndarray) -> nn.Module:
    network = nn.Sequential(nn.Flatten(), nn.Linear(weights.size, 1))
    network[1].weight.data = torch.tensor(weights, dtype=torch.float32).reshape(1, -1)
    return network


def test_saliency_of_a_linear_network_is_the_magnitude_of_its_weights(rng):
    weights = np.array([[1.0, -2.0], [0.0, 3.0]])
    images = torch.tensor(rng.random((2, 1, 2, 2)), dtype=torch.float32)
    for result in saliency(linear_network(weights), images):
        np.testing.assert_allclose(result, np.abs(weights))


class OneConvolution(nn.Module):
    """relu(2 x) summed over pixels, minus relu(-x) summed: two channels whose gradients are 1 and -1."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU())
        self.layer[0].weight.data = torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1)

    def forward(self, images):
        maps = self.layer(images)
        return (maps[:, 0] - maps[:, 1]).sum(dim=(1, 2))[:, None]


def test_grad_cam_by_hand():
    image = torch.tensor([[1.0, -3.0], [0.5, 0.0]]).reshape(1, 1, 2, 2)
    network = OneConvolution()
    # maps: 2 x where x > 0, and -x where x < 0; weights: mean gradients 1 and -1; then ReLU.
    np.testing.assert_allclose(grad_cam(network, network.layer, image)[0], [[2.0, 0.0], [1.0, 0.0]])


def test_relevance_in_lesions_and_pointing_by_hand():
    attribution, lesions = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0, 0], [1, 0]])
    assert relevance_in_lesions(attribution, lesions) == pytest.approx(0.3)
    assert not points_at_lesion(attribution, lesions)
    assert points_at_lesion(attribution, 1 - lesions)
    assert relevance_in_lesions(np.zeros((2, 2)), lesions) is None


def test_localisation_by_hand():
    slices = np.array([[[0.5, 0.5], [0.5, 0.0]], [[0.5, 0.5], [0.5, 0.5]]])
    lesions = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 0]]], np.uint8)  # the second slice shows none and does not count
    maps = {"saliency": np.array([[[1.0, 2.0], [1.0, 4.0]]] * 2), "gradcam": np.zeros((2, 2, 2))}
    found = localise(maps, slices, lesions)
    assert (found["slices"], found["chance"]) == (1, pytest.approx(1 / 3))
    assert found["saliency"] == {"mass": pytest.approx(1 / 4), "pointing": 0.0, "outside": pytest.approx(1 / 2)}
    assert found["gradcam"] == {"mass": None, "pointing": 1.0, "outside": None}
    assert localise(maps, slices, None) is None and localise(maps, slices, np.zeros_like(lesions)) is None


def test_resemblance_is_the_rank_correlation_within_the_lungs():
    slices = np.array([[[0.5, 0.5], [0.5, 0.0]]] * 3)
    own = np.array([[[1.0, 2.0], [3.0, 9.0]], [[1.0, 2.0], [3.0, 9.0]], [[7.0, 7.0], [7.0, 9.0]]])
    other = np.array([[[10.0, 20.0], [90.0, -5.0]], [[3.0, 2.0], [1.0, 0.0]], [[1.0, 2.0], [3.0, 0.0]]])
    # same order: 1; opposite: -1; a map without variation: left out
    assert resemblance({"saliency": own[:1]}, {"saliency": other[:1]}, slices[:1]) == {"saliency": pytest.approx(1)}
    assert resemblance({"saliency": own[1:]}, {"saliency": other[1:]}, slices[1:]) == {"saliency": pytest.approx(-1)}
    assert resemblance({"saliency": own}, {"saliency": other}, slices) == {"saliency": pytest.approx(0)}
    assert resemblance({"gradcam": own[2:]}, {"gradcam": other[2:]}, slices[2:]) == {"gradcam": None}
    assert mean_resemblance([{"gradcam": None}, {"gradcam": 0.2}, {"gradcam": 0.4}]) == {"gradcam": pytest.approx(0.3)}


def test_outcomes():
    assert [outcome_of(y, called) for y, called in ((1, True), (0, False), (0, True), (1, False))] == ["tp", "tn", "fp", "fn"]


def test_the_most_confident_case_of_each_outcome_and_its_loudest_slice():
    labels = np.array([1, 1, 0, 0, 0])
    scores = np.array([[0.6, 0.8], [0.9, 0.8], [0.2, 0.1], [0.3, 0.4], [0.7, 0.9]])
    cases = {case.outcome: case for case in choose_cases(labels, scores, 0.5)}
    assert set(cases) == {"tp", "tn", "fp"}  # nothing severe was missed
    assert (cases["tp"].position, cases["tp"].slice) == (1, 0)
    assert (cases["tn"].position, cases["tn"].slice) == (2, 1)
    assert (cases["fp"].position, cases["fp"].slice) == (4, 1)


def test_a_patient_at_the_threshold_is_called_severe():
    assert [case.outcome for case in choose_cases(np.array([1]), np.array([[0.25, 0.75]]), 0.5)] == ["tp"]


def test_shrinking_averages_whole_blocks_and_leaves_small_planes():
    planes = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    assert shrink(planes, 2).tolist() == [[[2.5, 4.5], [10.5, 12.5]]]
    assert np.array_equal(shrink(planes, 8), planes)


def test_saliency_bytes_reach_white_at_the_percentile_and_stay_black_where_there_is_none():
    ramp = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(1, 100, 100)
    found = as_bytes(np.concatenate([ramp, np.zeros_like(ramp)]))
    assert found.dtype == np.uint8 and found[0].max() == 255 and (found[0] == 255).mean() == pytest.approx(0.01 + 0.5 / 31, abs=0.003)
    assert not found[1].any()


def test_stored_attributions_keep_a_step_far_below_what_a_picture_shows(rng):
    values = rng.random((64, 64)).astype(np.float32) ** 4 * 3e-5
    kept = rounded(values)
    assert kept.dtype == np.float32
    assert np.abs(kept - values).max() <= values.max() * 2.0**-KEPT_BITS  # half a step
    assert len(zlib.compress(kept.tobytes())) < 0.65 * len(zlib.compress(values.tobytes()))
    np.testing.assert_array_equal(rounded(np.zeros((2, 2), np.float32)), 0)


def test_examples_reach_from_base_to_apex_of_the_first_training_patient_of_each_kind(study):
    dataset, found = load_dataset(study.layout), study.examples()
    assert set(found) == {"mild", "severe", "mild.lesions", "severe.lesions"}
    for label, name in enumerate(("mild", "severe")):
        patient = min(index for index in dataset.members("train") if dataset.labels[index] == label)
        np.testing.assert_array_equal(found[name], dataset.slices[patient, [0, 2, 4, 7, 9]])
        np.testing.assert_array_equal(found[f"{name}.lesions"], dataset.lesions[patient, [0, 2, 4, 7, 9]])


def test_the_figure_of_examples_has_the_mild_patient_above(study):
    figure, arrays = FIGURES["fig-data"](study, Words("sl")), study.examples()
    panels = np.reshape(figure.axes, (2, 5))
    assert [row[0].get_ylabel() for row in panels] == ["Blaga", "Resna"]
    for row, name in zip(panels, ("mild", "severe"), strict=True):
        for panel, image in zip(row, arrays[name], strict=True):
            np.testing.assert_array_equal(panel.images[0].get_array(), image.astype(np.float32))
            assert panel.images[0].get_clim() == (0, 1)


def test_outputs_are_those_of_every_stage_and_nothing_stays_behind(rng):
    network = build_model("CNN1", image_size=128).eval()
    image = torch.tensor(rng.random((1, 1, 128, 128)), dtype=torch.float32)
    found = layer_outputs("CNN1", network, image)
    stages = stages_of("CNN1", network)
    assert list(found) == list(stages) and not any(stage._forward_hooks for stage in stages.values())
    first = next(iter(stages))
    with torch.no_grad():
        np.testing.assert_array_equal(found[first], stages[first](image)[0])


def test_the_deepest_map_has_four_pixels_a_side():
    maps = {"first": np.zeros((2, 8, 8)), "second": np.zeros((16, 4, 4)), "narrow": np.zeros((16, 3, 8)), "last": np.zeros((64, 8, 3))}
    assert deepest(maps) == "second"


@pytest.mark.parametrize(("largest", "kept"), [(-65504.0, np.float16), (-65600.0, np.float32), (np.inf, np.float32), (np.nan, np.float32)])
def test_maps_are_stored_in_half_precision_where_they_fit(largest, kept):
    found = halved(np.array([[0.5, largest]], np.float32))
    assert found.dtype == kept
    np.testing.assert_array_equal(found, np.array([[0.5, largest]], np.float32))
