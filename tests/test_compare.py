"""Which network stands for the DNNs and which for the CNNs: the one of lower validation loss."""

import json
import shutil
from math import log

import pytest

from pipeline.evaluation.compare import compare_models
from pipeline.layout import MODELS, RESNET_MODELS, Layout
from pipeline.settings import load_settings


@pytest.fixture
def evaluated(tiny, tmp_path) -> Layout:
    """The evaluation of the tiny study, to be changed."""
    (tmp_path / "data").symlink_to(tiny / "study" / "data")
    shutil.copytree(tiny / "study" / "evaluation", tmp_path / "evaluation")
    return Layout(tmp_path)


def chosen(layout: Layout, losses: dict[str, float | None], seeds: int = 1) -> dict:
    """What is compared where these are the validation losses of the DNNs and CNNs, or their means over two runs."""
    for model, loss in losses.items():
        metrics = layout.evaluation(model, "metrics.json")
        metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"validation_loss": loss if seeds == 1 else 1.0}))
        spread = None if loss is None else {"mean": loss, "low": 0.0, "high": 9.0}
        layout.evaluation(model, "spread.json").write_text(json.dumps({"validation_loss": spread}))
    for model in MODELS if seeds == 2 else ():
        second = layout.evaluation(model, "metrics.json", 1)
        second.parent.mkdir(parents=True)
        shutil.copy(layout.evaluation(model, "metrics.json"), second)
    (path,) = compare_models(load_settings("tiny", [f"seeds={seeds}"]), layout)
    return json.loads(path.read_text())


@pytest.mark.parametrize(("dnns", "cnns", "best"), [
    ((0.5, 0.6), (0.4, 0.3), ("DNN1", "CNN2")),
    ((0.6, 0.5), (0.3, 0.4), ("DNN2", "CNN1")),
    ((None, 0.9), (2.0, None), ("DNN2", "CNN1")),  # a network that diverged has no loss
])
@pytest.mark.parametrize("seeds", [1, 2])
def test_the_better_network_of_a_family_has_the_lower_validation_loss(evaluated, dnns, cnns, best, seeds):
    losses = dict(zip(("DNN1", "DNN2", "CNN1", "CNN2"), dnns + cnns, strict=True))
    found = chosen(evaluated, losses, seeds)
    assert (found["best_dnn"], found["best_cnn"]) == best
    assert found["compared"] == [*reversed(RESNET_MODELS), best[1], best[0]]
    assert found["validation_loss"] == losses
    assert found["no_skill"] == {"brier": 0.25, "f1": pytest.approx(2 / 3), "validation_loss": pytest.approx(log(2))}
    assert found["differences_of_runs"] is None if seeds == 1 else len(found["differences_of_runs"]) == 15
