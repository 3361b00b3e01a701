"""The tuning stage: which trials run, what is kept of them for the final trainings, and what is written; nothing is trained."""

import math

import pytest

from pipeline.device import choose_backend
from pipeline.layout import Layout
from pipeline.progress import Progress
from pipeline.records import read_csv, read_json
from pipeline.settings import load_settings
from pipeline.training.trial import TrainResult
from pipeline.training.tune import start_paths, tune_models

GRID = ("lr=1e-2,1e-3", "wd=0,0.1", "mp=1,0.5")


def loss_of(job) -> float:
    """Lowest at lr 1e-3, wd 0.1, mp 1; the second run a quarter above the first; NaN at the highest rate with decay."""
    if job.chosen.lr == 1e-2 and job.chosen.wd:
        return math.nan
    return abs(math.log10(job.chosen.lr) + 3) + (0.5 - job.chosen.wd) + (1 - job.chosen.mp) + 0.25 * (job.seed - 4)


class Trials:
    """An engine whose trials cost nothing; keeps the jobs of each call, and writes the states that jobs are asked to leave."""

    def __init__(self):
        self.ran = []

    def run(self, function, jobs, width=()):
        self.ran.append(list(jobs))
        for index, job in enumerate(jobs):
            if job.save_state:
                job.save_state.parent.mkdir(parents=True, exist_ok=True)
                job.save_state.write_text(f"{job.chosen.lr} {job.chosen.wd} {job.chosen.mp} {job.seed}")
            row = {"lr": job.chosen.lr, "train_loss": 1.0, "val_loss": loss_of(job), "val_auc": 0.5}
            yield index, TrainResult([{"epoch": epoch, **row} for epoch in range(1, job.epochs + 1)], 1, None)

    def tried(self) -> list[tuple]:
        return [(job.model, *vars(job.chosen).values(), job.seed) for jobs in self.ran for job in jobs]


@pytest.fixture
def tune(tmp_path):
    """Tune models with this grid in a folder of its own; the engine and the files by model."""
    layout = Layout(tmp_path)

    def run(models, *changes, digest="digest"):
        settings = load_settings("tiny", ["seed=4", "epochs_tuning=2", *[f"{model}.{part}" for model in models for part in GRID], *changes])
        engine, backend = Trials(), choose_backend("cpu", True)
        files = tune_models(models, dict.fromkeys(models, digest), settings, layout, backend, engine, Progress(quiet=True))
        return layout, engine, files

    return run


def test_a_search_tries_each_value_at_the_best_so_far_and_writes_what_it_found(tune):
    layout, engine, files = tune(["CNN1"])
    assert engine.tried() == [("CNN1", *values, 4) for values in ((1e-2, 0, 1), (1e-3, 0, 1), (1e-3, 0.1, 1), (1e-3, 0.1, 0.5))]
    assert files == {"CNN1": [layout.tuning("CNN1"), layout.tuning("CNN1", "json")]} and all(path.exists() for path in files["CNN1"])
    rows = read_csv(layout.tuning("CNN1"), "tune")
    assert [(row["trial"], row["phase"], row["epoch"]) for row in rows] == [
        (trial, phase, epoch) for trial, phase in (("1", "lr"), ("2", "lr"), ("3", "wd"), ("4", "mp")) for epoch in "12"]
    found = read_json(layout.tuning("CNN1", "json"), "tune")
    assert found["search"] == "coordinate" and found["chosen"] == found["by_coordinates"] == {"lr": 1e-3, "wd": 0.1, "mp": 1.0}
    assert [trial["val_loss"] for trial in found["trials"]] == pytest.approx([1.5, 0.5, 0.4, 0.9])
    assert set(found["trials"][0]) == {"lr", "wd", "mp", "val_loss", "val_auc"}
    assert not list(layout.unfinished.rglob("*.safetensors"))  # a CNN trains in no time


def test_the_state_of_the_best_trial_of_a_resnet_waits_and_no_other(tune):
    layout, engine, _ = tune(["CNN1", "ResNet18"], "seeds=2")
    assert [job.model for job in engine.ran[1][:4]] == ["ResNet18"] * 4  # the long ones first, both runs of a trial together
    assert [job.seed for job in engine.ran[1][:4]] == [4, 5, 4, 5]
    assert all(bool(job.save_state) == (job.model == "ResNet18") for jobs in engine.ran for job in jobs)
    for seed in (4, 5):
        state, description = start_paths(layout, "ResNet18", seed)
        assert state.read_text() == f"0.001 0.1 1.0 {seed}"
        kept = read_json(description, "tune")
        assert (kept["search"], kept["chosen"]) == ("digest", {"lr": 1e-3, "wd": 0.1, "mp": 1.0})
        assert [row["val_loss"] for row in kept["history"]] == pytest.approx([0.4 + 0.25 * (seed - 4)] * 2)
    assert len(list(layout.unfinished.rglob("*.safetensors"))) == 2


def test_several_runs_are_averaged_and_each_is_written(tune):
    layout, _, files = tune(["CNN1"], "seeds=2")
    assert files["CNN1"][2:] == [layout.tuning_runs("CNN1")]
    row = read_csv(layout.tuning("CNN1"), "tune")[0]
    assert [float(row[name]) for name in ("val_loss", "val_loss_low", "val_loss_high")] == pytest.approx([1.625, 1.5, 1.75])
    rows = read_csv(layout.tuning_runs("CNN1"), "tune")
    assert [(row["trial"], row["run"], row["seed"], row["epoch"]) for row in rows[:4]] == [
        ("1", "0", "4", "1"), ("1", "0", "4", "2"), ("1", "1", "5", "1"), ("1", "1", "5", "2")]
    assert len(rows) == 16 and float(rows[2]["val_loss"]) == pytest.approx(1.75)
    first, *_ = read_json(layout.tuning("CNN1", "json"), "tune")["trials"]
    assert first == {"lr": 1e-2, "wd": 0.0, "mp": 1.0, "val_loss": 1.625, "val_loss_low": 1.5, "val_loss_high": 1.75,
                     "val_auc": 0.5, "val_auc_low": 0.5, "val_auc_high": 0.5}


def test_a_full_grid_tries_everything_once_keeps_no_state_and_no_diverged_trial_wins(tune):
    layout, engine, _ = tune(["ResNet18"], "search=grid")
    assert len(engine.tried()) == len(set(engine.tried())) == 8
    assert not any(job.save_state for jobs in engine.ran for job in jobs)
    found = read_json(layout.tuning("ResNet18", "json"), "tune")
    assert found["chosen"] == found["by_coordinates"] == {"lr": 1e-3, "wd": 0.1, "mp": 1.0} and len(found["trials"]) == 8
    assert [trial["val_loss"] for trial in found["trials"] if trial["lr"] == 1e-2 and trial["wd"]] == [None, None]
    assert not start_paths(layout, "ResNet18", 4)[0].exists()


def test_a_search_goes_on_where_it_was_killed_and_another_one_starts_anew(tune):
    layout, engine, files = tune(["CNN1"])
    first = files["CNN1"][1].read_text()
    trials = sorted(layout.unfinished.glob("CNN1-*.json"))
    assert len(trials) == 4
    trials[0].unlink()
    files["CNN1"][1].unlink()
    _, again, _ = tune(["CNN1"])
    assert len(again.tried()) == 1 and set(again.tried()) < set(engine.tried()) and files["CNN1"][1].read_text() == first
    _, other, _ = tune(["CNN1"], digest="other")
    assert other.tried() == engine.tried()
