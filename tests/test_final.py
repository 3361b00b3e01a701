"""The final training: what it goes on from, in which order it runs, and what it writes."""

import json

import numpy as np
import pytest

from pipeline.device import choose_backend
from pipeline.layout import Layout
from pipeline.progress import Progress
from pipeline.records import read_csv, read_json, write_json
from pipeline.settings import load_settings
from pipeline.training.final import train_models
from pipeline.training.trial import TrainResult
from pipeline.training.tune import start_paths
from pipeline.weights import read_weights

CHOSEN = {"lr": 1e-3, "wd": 0.0, "mp": 0.5}
ROW = {"epoch": 1, "lr": 1e-3, "train_loss": 0.5, "val_loss": 0.25, "val_auc": 0.75}


class Recorded:
    """An engine that trains nothing and keeps the jobs in the order it is given them."""

    def run(self, function, jobs, width):
        self.jobs = list(jobs)
        for index, job in enumerate(jobs):
            history = [ROW | {"epoch": epoch, "val_loss": 0.25 + job.seed % 2} for epoch in range(1, job.epochs + 1)]
            yield index, TrainResult(history, 1, {"w": np.full(3, job.seed, np.float32), "bn.running_mean": np.zeros(5, np.float32)})


@pytest.fixture
def trained(tmp_path):
    """Train models with these settings from the searches in a folder of its own; the jobs, and the models as they were done."""
    layout = Layout(tmp_path)
    for model in ("CNN1", "ResNet18_nowig", "ResNet18"):
        write_json(layout.tuning(model, "json"), {"chosen": CHOSEN})

    def train(models, searches, *changes):
        engine, done = Recorded(), []
        settings = load_settings("tiny", ["seed=4", *changes])
        train_models(models, searches, settings, layout, choose_backend("cpu", True), engine, Progress(quiet=True),
                     lambda model, files: done.append((model, files)))
        return engine.jobs, done

    return layout, train


def leave_state(layout, model, **changes):
    state, description = start_paths(layout, model, 4)
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_bytes(b"")
    write_json(description, {"search": "digest", "chosen": CHOSEN, "history": [ROW]} | changes)


@pytest.mark.parametrize(("search", "changes", "goes_on"), [
    ("digest", {}, True),
    ("other", {}, False),
    ("digest", {"chosen": CHOSEN | {"mp": 1.0}}, False),
    ("digest", {"history": [ROW, ROW]}, True),
    ("digest", {"history": [ROW, ROW, ROW]}, False),  # longer than the final training
])
def test_it_goes_on_from_the_trial_that_won_this_search(trained, search, changes, goes_on):
    layout, train = trained
    leave_state(layout, "ResNet18_nowig", **changes)
    (job,), _ = train(["ResNet18_nowig"], {"ResNet18_nowig": search})
    assert job.epochs == 2
    assert (job.start == start_paths(layout, "ResNet18_nowig", 4)[0]) == goes_on and (job.start is None) == (not goes_on)
    assert len(job.history) == (len(changes.get("history", [ROW])) if goes_on else 0)


def test_without_state_or_search_it_starts_anew_and_resnet18og_with_what_resnet18_was_tuned_to(trained):
    layout, train = trained
    leave_state(layout, "ResNet18_nowig")
    start_paths(layout, "ResNet18_nowig", 4)[0].unlink()
    jobs, _ = train(["ResNet18_nowig", "ResNet18og"], {"ResNet18_nowig": "digest"})
    assert [(job.start, job.history) for job in jobs] == [(None, ())] * 2
    assert vars(jobs[1].chosen) == CHOSEN and jobs[1].model == "ResNet18og"


def test_the_longest_come_first(trained):
    layout, train = trained
    leave_state(layout, "ResNet18_nowig")
    jobs, _ = train(["CNN1", "ResNet18_nowig", "ResNet18"], dict.fromkeys(("CNN1", "ResNet18_nowig"), "digest"))
    assert [job.model for job in jobs] == ["ResNet18", "ResNet18_nowig", "CNN1"]


def test_every_run_is_written_and_a_model_is_done_with_its_last(trained):
    layout, train = trained
    _, done = train(["CNN1", "ResNet18"], {}, "seeds=2")
    assert [model for model, _ in done] == ["ResNet18", "CNN1"]
    for model, files in done:
        assert all(path.exists() for path in files) and len(files) == 7
        for run in range(2):
            description = read_json(layout.model(model, "settings.json", run), "train")
            assert (description["run"], description["seed"], description["tuned_as"]) == (run, 4 + run, model)
            assert (description["parameters"], description["best_epoch"], description["best_val_loss"]) == (3, 1, 0.25 + run)
            weights = read_weights(layout.model(model, "weights.safetensors", run), "train")
            np.testing.assert_array_equal(weights["w"], [4.0 + run] * 3)
            assert [row["epoch"] for row in read_csv(layout.model(model, "history.csv", run), "train")] == ["1", "2"]
        spread = read_csv(layout.model(model, "spread.csv"), "train")
        assert [[float(row[name]) for name in ("val_loss", "val_loss_low", "val_loss_high")] for row in spread] == [[0.75, 0.25, 1.25]] * 2
    assert json.loads(layout.model("CNN1", "settings.json").read_text())["hyperparameters"] == CHOSEN
