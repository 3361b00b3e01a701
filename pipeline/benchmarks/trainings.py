"""All trainings of a study, the search and the final ones: as the stages do them, and as plain loops do them one after another."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.benchmarks.floors import Machine, training_work
from pipeline.benchmarks.plain import fit_plainly
from pipeline.data.dataset import load_dataset
from pipeline.layout import MODELS, TUNED_MODELS, Layout
from pipeline.models.placing import suited
from pipeline.models.registry import build_model
from pipeline.records import read_csv
from pipeline.settings import SEARCHED, Grid, Settings
from pipeline.study import Study
from pipeline.training.final import train_models, tuned_as
from pipeline.training.loop import Hyperparameters, TrainingData, gather_training_data
from pipeline.training.repeats import run_seed
from pipeline.training.search import Search
from pipeline.training.trial import build_untrained_model
from pipeline.training.tune import leaves_state, tune_models

# Trials and final trainings have this share of their epochs, at least one and two: as many as leave the bench a quarter of an hour,
# on a CPU those of the quick study, on a GPU those of the paper's. With fewer, what comes once a trial weighs too much.
SHARE = {"cpu": 1 / 4, "cuda": 1 / 20}


def shortened(settings: Settings, device: str) -> Settings:
    """The same study with a share of its epochs."""
    share = SHARE[device]
    final = {name: max(round(share * getattr(settings, name)), 2) for name in ("epochs_small", "epochs_resnet")}
    return replace(settings, epochs_tuning=max(round(share * settings.epochs_tuning), 1), **final)


def smallest(settings: Settings) -> Settings:
    """The same study with one trial for each model."""
    grid = {name: Grid(grid.lr[:1], grid.wd[:1], grid.mp[:1]) for name, grid in settings.grid.items()}
    return replace(settings, grid=grid)


def reseeded(study: Study, run: int) -> Study:
    """The same study with the seed of another run: other random weights and another order of batches."""
    return replace(study, settings=replace(study.settings, seed=run_seed(study.settings.seed, run)))


@contextmanager
def copied(study: Study, settings: Settings) -> Iterator[Study]:
    """The study with other settings, in a folder that is thrown away; its data and pretrained weights go along."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        for inside in (study.layout.dataset.parent, study.layout.pretraining("weights.safetensors").parent):
            shutil.copytree(inside, layout.root / inside.relative_to(study.layout.root))
        yield replace(study, layout=layout, settings=settings)


def train_in_stages(study: Study) -> dict[str, dict]:
    """Tune and train every model as the stages of the pipeline do; the last epoch of each final training."""
    shutil.rmtree(study.layout.unfinished, ignore_errors=True)  # finished trials would not be run again
    searches = dict.fromkeys(TUNED_MODELS, "bench")
    common = study.settings, study.layout, study.backend, study.engine, study.progress
    tune_models(list(TUNED_MODELS), searches, *common)
    train_models(list(MODELS), searches, *common, lambda model, files: None)
    rows = {model: read_csv(study.layout.model(model, "history.csv"), "train")[-1] for model in MODELS}
    return {model: {name: float(value or "nan") for name, value in row.items()} for model, row in rows.items()}


def train_plainly(study: Study) -> dict[str, dict]:
    """The same trials and final trainings in plain loops, as the source study went about it; the last epochs likewise."""
    settings, data = study.settings, _plain_data(study)
    chosen = {}
    for model in TUNED_MODELS:
        search = Search(settings.grid[model], settings.last_epochs)
        for coordinate in SEARCHED:
            for values in search.missing(coordinate):
                search.trials[values] = _plain_run(study, data, model, values, settings.epochs_tuning)
            search.settle(coordinate)
        chosen[model] = search.best()
    return {model: _plain_run(study, data, model, chosen[tuned_as(model)], settings.final_epochs(model))[-1] for model in MODELS}


def least_seconds(study: Study, machine: Machine) -> float:
    """What no program that convolves directly could do `train_in_stages` in: its steps and scorings at the two floors."""
    settings, dataset = study.settings, load_dataset(study.layout)
    steps = len(dataset.members("train")) / settings.batch_size
    scored = len(dataset.members("validation")) * settings.monitor_slices / settings.batch_size
    total = 0.0
    for model in MODELS:
        backend = suited(study.backend, model)
        work = training_work(build_model(model, settings.image_size), settings.image_size, settings.batch_size, backend)
        epoch = steps * work.floor_seconds(machine, backend) + scored * work.forward / machine.rate(backend)
        total += epochs_of(settings, model, study.backend.device) * epoch
    return total


def epochs_of(settings: Settings, model: str, device: str) -> int:
    """Epochs that the stages train a model for: its trials, and what its final training does not take over from the best one."""
    if model not in TUNED_MODELS:
        return settings.final_epochs(model)
    grid = settings.grid[model]
    trials = len(grid.lr) + (len(grid.wd) - 1) + (len(grid.mp) - 1)
    taken_over = settings.epochs_tuning if leaves_state(model, device) else 0
    return trials * settings.epochs_tuning + settings.final_epochs(model) - taken_over


def _plain_data(study: Study) -> TrainingData:
    """The slices in main memory, as float32, read once for all trainings."""
    data = gather_training_data(load_dataset(study.layout), study.settings.monitor_slices)
    return replace(data, images=data.images.float(), watched=data.watched.float())


def _plain_run(study: Study, data: TrainingData, model: str, values: Hyperparameters, epochs: int) -> list[dict]:
    network = build_untrained_model(study.layout, model, study.settings.image_size)
    return fit_plainly(network, data, values, epochs, study.settings.batch_size, study.backend.device)
