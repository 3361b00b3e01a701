"""`python -m pipeline bench`: the pipeline against the plain loop and a framework, and against what the machine can do.

Both sides train the same models on the same data with the same hyperparameters, epochs and batch size, and score the same
validation slices. Medians over repetitions after a warm-up; the epochs are cut alike on both sides. A comparison that
needs what this machine lacks is left out and said to be left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch

from pipeline.benchmarks import framework
from pipeline.benchmarks.ablation import time_without
from pipeline.benchmarks.alike import told_apart
from pipeline.benchmarks.breakdown import PARTS, time_parts
from pipeline.benchmarks.floors import Machine, drift, measure_machine, training_work
from pipeline.benchmarks.growth import FACTORS, measure_growth
from pipeline.benchmarks.timing import REPETITIONS, medians_in_turn, now, shortest_seconds
from pipeline.benchmarks.trainings import copied, least_seconds, reseeded, shortened, smallest, train_in_stages, train_plainly
from pipeline.data.dataset import load_dataset
from pipeline.device import Backend, device_name
from pipeline.engine import Engine, core_count
from pipeline.layout import CNN_MODELS, DNN_MODELS, TUNED_MODELS, Layout
from pipeline.ledger import Ledger
from pipeline.models.placing import place, suited
from pipeline.models.registry import build_model
from pipeline.progress import Progress
from pipeline.provenance import current_commit
from pipeline.records import write_json
from pipeline.settings import Settings
from pipeline.study import Study, processes_for, run_stages
from pipeline.training.loop import Hyperparameters, TrainingData, fit_network, gather_training_data
from pipeline.training.predict import predict_slices
from pipeline.training.together import joined, run_together
from pipeline.training.trial import build_untrained_model, run_training
from pipeline.training.tune import plan_jobs

Result = TypeVar("Result")
EPOCHS, TRIALS = 3, 8
VALUES = Hyperparameters(1e-4, 0.0, 1.0)
SMALL = DNN_MODELS + CNN_MODELS
LARGE = 512
# Images of an epoch, and steps of one, from which the time of a step is taken: a GPU's are short, and what surrounds them is not.
LARGE_IMAGES = {"cpu": 32, "cuda": 1024}
# Both sides train so many epochs on them, of which the last is timed: the first ones start up, and memory settles in them.
LARGE_EPOCHS = 3
STEPS = {"cpu": 2, "cuda": 50}
STUDY_GOAL = {"cpu": 4.0, "cuda": 10.0}
SHARE_GOAL = {"cpu": None, "cuda": 0.4}
TOGETHER_GOAL, FRAMEWORK_GOAL, GROWTH_GOAL = 5.0, 3.0, 0.9


def run_bench(settings: Settings, layout: Layout, device: str) -> int:
    """Measure, print tables, and write bench.json into the study's folder; 0 when done."""
    settings = replace(settings, seeds=1, search="coordinate")  # as the other side of every comparison does
    with Engine(processes_for(device, settings.fast)) as engine:
        study = Study(settings, layout, device, engine, Progress(), Ledger(layout))
        run_stages(study, "pretrain")
        engine.load_torch()
        _in_worker(study, core_count)  # once one has started, nothing is loading any more beside what is measured
        torch.set_num_threads(core_count())
        machine = measure_machine(study.backend)
        rows: list[dict] = []
        for found in _comparisons(study, machine):
            rows += [row | {"device": f"{device_name(device)}, {core_count()} cores"} for row in found]
            write_json(layout.root / "bench.json", rows)  # a run that is cut off leaves what it has found
            for row in rows[-len(found):]:
                print(_line(row), flush=True)
        parts = _in_worker(study, partial(_parts, study.layout, settings, study.backend))
        floors = _in_worker(study, partial(_floors, settings, study.backend, machine))
        ablation = _in_worker(study, partial(_ablation, settings, study.backend))
        torch.set_num_threads(core_count())
        after = measure_machine(study.backend)
    write_json(layout.root / "bench-parts.json", {
        "commit": current_commit(), "profile": settings.profile, "device": rows[0]["device"], "device_type": device,
        "bf16": study.backend.bf16, "machine": vars(machine), "machine_after": vars(after),
        "seconds": parts, "floors": floors, "ablation": ablation})
    _print(rows, parts, floors, ablation, machine, study, layout.root / "bench.json")
    if changed := drift(machine, after):
        print(f"notice: the machine did not stay as fast as it was ({changed}); shares and floors of this run mean little, run it again")
    return 0


def _comparisons(study: Study, machine: Machine) -> Iterator[list[dict]]:
    """The rows of one comparison after the other."""
    yield [_trainings(study, machine)]
    if study.backend.records:
        for model in SMALL:
            yield [_together(study, model)]
    yield _large_images(study, machine)
    if study.device == "cpu":  # a GPU leaves making the data to it
        yield _growth(study)


def _row(name: str, ours: float, other: float | None, goal: float | None, note: str) -> dict:
    return {"name": name, "ours_s": ours, "other_s": other, "ratio": other / ours if other else None, "goal": goal, "note": note}


def _trainings(study: Study, machine: Machine) -> dict:
    """The search and the final trainings of the whole study, fewer epochs each, against plain loops one after another."""
    ours_last: list[dict[str, dict]] = []
    plain_last: list[dict[str, dict]] = []
    with copied(study, shortened(study.settings, study.device)) as short:

        def ours() -> None:  # on both sides each repetition has random numbers of its own: what they end with is compared by its spread
            ours_last.append(train_in_stages(reseeded(short, len(ours_last))))

        def plain() -> None:
            torch.set_num_threads(core_count())
            plain_last.append(train_plainly(short))

        one = replace(short, settings=smallest(short.settings))
        warm_ups = [partial(train_in_stages, one), partial(train_plainly, one)]
        seconds, other = medians_in_turn([ours, plain], study.backend.device, warm_ups=warm_ups)
        least = least_seconds(short, machine)
    apart = told_apart(ours_last, plain_last)
    found = f"differ for {', '.join(apart)}" if apart else "differ for no model"
    same = f"final losses and AUCs of {len(ours_last)} seeds each {found} (Welch, Holm)"
    settings = short.settings
    epochs = f"epochs cut to {settings.epochs_tuning} a trial, {settings.epochs_small} and {settings.epochs_resnet} in the end"
    return _row("all trials and final trainings", seconds, other, STUDY_GOAL[study.backend.device],
                f"{epochs}; plain loop fp32 NCHW with DataLoader; {same}; "
                f"the floors below leave {least:.2f} s, a ratio of {other / least:.1f}")


def _together(study: Study, model: str) -> dict:
    """Trials of a small network as a GPU's search runs them, recorded and side by side, against the same trials one after another,
    whose kernels are launched one by one."""
    grid = study.settings.grid[model]
    wanted = [(model, Hyperparameters(lr, wd, 1.0)) for lr, wd in product(grid.lr, grid.wd)][:TRIALS]
    jobs = plan_jobs(wanted, EPOCHS, study.settings, study.layout, study.backend, False)
    together, alone = [], []

    def ours() -> None:
        together[:] = run_together(joined(jobs))

    def other() -> None:
        alone[:] = [run_training(replace(job, backend=replace(job.backend, channels_last=False))).history for job in jobs]

    seconds, slow = medians_in_turn([ours, other], study.backend.device)
    apart = max(abs(a[-1]["val_loss"] - b[-1]["val_loss"]) for a, b in zip(together, alone, strict=True))
    return _row(f"{len(jobs)} trials of {model}, recorded and side by side", seconds, slow, TOGETHER_GOAL,
                f"against trial after trial, {EPOCHS} epochs of {study.settings.image_size} x {study.settings.image_size} pixels; "
                f"final validation losses differ by at most {apart:.1e}")


def _random_images(size: int, count: int) -> TrainingData:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((count, 1, size, size), dtype=np.float32)).half()
    labels = np.arange(count) % 2
    return TrainingData(images, torch.from_numpy(labels).float()[:, None], images.view(count // 2, 2, size, size),
                        np.arange(count // 2) % 2)


def _in_worker(study: Study, work: Callable[[], Result]) -> Result:
    """What `work` gives in one of the processes in which the jobs of a study run; on a GPU that is this one."""
    ((_, found),) = study.engine.run(_call, [work])
    return found


def _call(work: Callable[[], Result]) -> Result:
    return work()


def _large_epoch(backend: Backend, batch: int) -> tuple[float, float]:
    """Seconds of the last epoch of training on large images and scoring them, and of scoring them alone."""
    torch.set_num_threads(core_count())
    model = place(build_model("ResNet18_nowig", LARGE), backend)
    data = _random_images(LARGE, LARGE_IMAGES[backend.device]).near(backend)  # as in a study, whose trials find it there
    ends: list[float] = []
    fit_network(model, data, VALUES, LARGE_EPOCHS, batch, 0, backend, after_epoch=lambda *_: ends.append(now(backend.device)))
    # The shortest, as it is taken from the epoch, to which disturbances only add: what is left for training may be too long, not too short.
    return ends[-1] - ends[-2], shortest_seconds(partial(predict_slices, model, data.watched, backend), backend.device, REPETITIONS)


def _large_images(study: Study, machine: Machine) -> list[dict]:
    """ResNet18 at 512 x 512: one epoch with scoring against Lightning, and the shares of the matrix rate."""
    backend, batch = study.backend, study.settings.batch_size
    images = LARGE_IMAGES[backend.device]
    data = _random_images(LARGE, images)
    torch.set_num_threads(core_count())
    work = training_work(build_model("ResNet18_nowig", LARGE), LARGE, batch, backend)
    found: list[tuple[float, float]] = []
    other: list[float] = []
    for _ in range(REPETITIONS):  # in turn, as everywhere
        found.append(_in_worker(study, partial(_large_epoch, backend, batch)))
        if framework.is_installed():
            network = build_model("ResNet18_nowig", LARGE)
            other.append(framework.last_epoch_with_lightning(network, data, VALUES, LARGE_EPOCHS, batch, backend.device))
    ours, scoring = (median(times) for times in zip(*found, strict=True))
    steps = images // batch
    share = work.operations * steps / (ours - scoring) / machine.matrix_rate
    scored = work.forward / batch * data.watched.shape[0] * data.watched.shape[1] / scoring / machine.matrix_rate
    name = f"ResNet18 at {LARGE} x {LARGE}"
    note = f"{images / (ours - scoring):.1f} images/s in training, {images / scoring:.1f} in scoring"
    rows = [_row(f"{name}, share of the matrix rate", ours - scoring, share * (ours - scoring), SHARE_GOAL[backend.device],
                 f"training, operations of direct convolutions over the measured {'bf16' if backend.bf16 else 'fp32'} matrix rate; "
                 f"scoring reaches {scored:.0%}")]
    name += ", training and scoring"
    if not other:
        return [_row(name, ours, None, FRAMEWORK_GOAL, f"{note}; Lightning is not installed (pip install .[bench])"), *rows]
    kept = "" if backend.device == "cpu" else "; our data lie on the device beforehand, as trials find them"
    against = f"against Lightning with its defaults, the last of {LARGE_EPOCHS} epochs"
    return [_row(name, ours, median(other), FRAMEWORK_GOAL, f"{against}; {note}{kept}"), *rows]


def _growth(study: Study) -> list[dict]:
    """Linear growth is a ratio of 1: `other_s` is what the smallest study's time would make of the larger one."""
    found = measure_growth(study)
    first = found[0]
    rows = []
    for factor, one in list(zip(FACTORS, found, strict=True))[1:]:
        ours, linear = one.data_s + one.epoch_s, factor * (first.data_s + first.epoch_s)
        rows.append(_row(f"{factor} times the patients", ours, linear, GROWTH_GOAL,
                         f"{one.patients} patients against {first.patients}: data and one epoch; "
                         f"memory {first.memory_mb:.0f} -> {one.memory_mb:.0f} MB"))
    return rows


def _parts(layout: Layout, settings: Settings, backend: Backend) -> dict[str, dict[str, float]]:
    """Seconds of each part of an epoch, by model, in one process with one thread as on the CPU in a search."""
    dataset = load_dataset(layout)
    data = gather_training_data(dataset, settings.monitor_slices)
    torch.set_num_threads(1)
    return {model: time_parts(build_untrained_model(layout, model, dataset.slices.shape[-1]), data,
                              settings.batch_size, suited(backend, model)) for model in TUNED_MODELS}


def _ablation(settings: Settings, backend: Backend) -> dict[str, float]:
    torch.set_num_threads(1)
    return time_without(settings.image_size, settings.batch_size, backend)


def _floors(settings: Settings, chosen: Backend, machine: Machine) -> dict[str, dict[str, float]]:
    """Per model: operations and bytes of a training step, the floor, and what a step takes with all cores."""
    size, batch = settings.image_size, settings.batch_size
    torch.set_num_threads(core_count())
    steps = STEPS[chosen.device]
    data = _random_images(size, steps * batch).near(chosen)
    found = {}
    for name in TUNED_MODELS:
        backend = suited(chosen, name)
        work = training_work(build_model(name, size), size, batch, backend)
        model = place(build_model(name, size), backend)
        scoring, epoch = medians_in_turn([partial(predict_slices, model, data.watched, backend),
                                          partial(fit_network, model, data, VALUES, 1, batch, 0, backend)], backend.device)
        found[name] = {"operations": work.operations, "bytes": work.bytes, "floor_s": work.floor_seconds(machine, backend),
                       "step_s": max(epoch - scoring, 0.0) / steps}
    return found


def _line(row: dict) -> str:
    goal = f"{row['goal']:.1f}" if row["goal"] else "-"
    other, ratio = (f"{row['other_s']:8.2f} s", f"{row['ratio']:6.2f}") if row["other_s"] else ("open", "open")
    return f"{row['name']:46} {row['ours_s']:8.2f} s {other:>10} {ratio:>6} {goal:>5}  {row['note']}"


def _print(rows: list[dict], parts: dict, floors: dict, ablation: dict, machine: Machine, study: Study, path: Path) -> None:
    print(f"\n{'name':46} {'ours':>10} {'other':>10} {'ratio':>6} {'goal':>5}")
    for row in rows:
        print(_line(row))
    print(f"\n{'one epoch, one thread':24}" + "".join(f"{part:>12}" for part in PARTS))
    for model, seconds in parts.items():
        print(f"{model:24}" + "".join(f"{seconds[part]:10.3f} s" for part in PARTS))
    print(f"\n{'one training step':24}{'GFLOP':>12}{'MB':>12}{'floor':>12}{'step':>12}{'share':>12}")
    for model, floor in floors.items():
        print(f"{model:24}{floor['operations'] / 1e9:12.1f}{floor['bytes'] / 1e6:12.0f}{floor['floor_s']:10.4f} s{floor['step_s']:10.4f} s"
              f"{floor['floor_s'] / floor['step_s'] if floor['step_s'] else float('nan'):12.0%}")
    print(f"\n{'a step of ResNet18og, one thread':44}{'time':>10}")
    for name, seconds in ablation.items():
        print(f"{name:44}{seconds:8.3f} s")
    print(f"\n{rows[0]['device']}; matrix rate {machine.matrix_rate / 1e9:.0f} GFLOP/s {'bf16' if study.backend.bf16 else 'fp32'}, "
          f"memory {machine.bandwidth / 1e9:.1f} GB/s; medians of {REPETITIONS} after a warm-up")
    if study.device != "cuda":
        print("not measured without a GPU: the paper study against the plain loop, its share of the matrix rate, sweeps of small networks")
    print(f"written to {path}")
