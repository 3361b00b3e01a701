"""`python -m pipeline bench`: the pipeline's training against the plain loop, side by side on this machine.

Both train the same models on the same data with the same hyperparameters, epochs and batch size, and score the same
validation slices. Medians over repetitions after a warm-up; the epochs are cut alike on both sides.
"""

import statistics
import time
from collections.abc import Callable

import torch

from pipeline.data.dataset import load_dataset
from pipeline.device import device_name
from pipeline.engine import Engine, core_count
from pipeline.layout import TUNED_MODELS, Layout
from pipeline.ledger import Ledger
from pipeline.plain import fit_plainly
from pipeline.progress import Progress
from pipeline.records import write_json
from pipeline.settings import Settings
from pipeline.study import Study, processes_for, run_stages
from pipeline.training.loop import Hyperparameters, gather_training_data
from pipeline.training.trial import build_untrained_model, run_training
from pipeline.training.tune import plan_jobs

EPOCHS = 2
REPETITIONS = 3
GOALS = {"one trial of every tuned model": 4.0}


def run_bench(settings: Settings, layout: Layout, device: str) -> int:
    """Measure, print a table, and write bench.json into the study's folder; 0 when done."""
    with Engine(processes_for(device, settings.fast)) as engine:
        study = Study(settings, layout, device, engine, Progress(), Ledger(layout))
        run_stages(study, "pretrain")
        rows = [_compare(study, name, models) for name, models in _cases().items()]
    write_json(layout.root / "bench.json", rows)
    print(f"{'name':34} {'ours':>9} {'plain':>9} {'ratio':>6} {'goal':>5}")
    for row in rows:
        goal = f"{row['goal']:.0f}" if row["goal"] else "-"
        print(f"{row['name']:34} {row['ours_s']:7.2f} s {row['other_s']:7.2f} s {row['ratio']:6.2f} {goal:>5}")
    print(f"{rows[0]['device']}; {rows[0]['note']}; written to {layout.root / 'bench.json'}")
    return 0


def _cases() -> dict[str, list[str]]:
    return {"one trial of every tuned model": list(TUNED_MODELS), **{f"two trials of {model}": [model, model] for model in TUNED_MODELS}}


def _compare(study: Study, name: str, models: list[str]) -> dict:
    settings, layout = study.settings, study.layout
    values = Hyperparameters(1e-4, 0.0, 1.0)
    jobs = plan_jobs([(model, values) for model in reversed(models)], EPOCHS, settings, layout, study.backend, keep_weights=False)
    ours = _median(lambda: list(study.engine.run(run_training, jobs, [job.threads for job in jobs])))
    torch.set_num_threads(core_count())
    other = _median(lambda: [_plain_trial(study, model, values) for model in models])
    return {"name": name, "ours_s": ours, "other_s": other, "ratio": other / ours, "goal": GOALS.get(name),
            "device": f"{device_name(study.backend.device)}, {core_count()} cores",
            "note": f"{EPOCHS} epochs each, medians of {REPETITIONS} after a warm-up, plain loop fp32 NCHW with DataLoader"}


def _median(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _plain_trial(study: Study, model: str, values: Hyperparameters) -> None:
    dataset = load_dataset(study.layout)
    network = build_untrained_model(study.layout, model, dataset.slices.shape[-1])
    data = gather_training_data(dataset, study.settings.monitor_slices)
    fit_plainly(network, data, values, EPOCHS, study.settings.batch_size, study.backend.device)
