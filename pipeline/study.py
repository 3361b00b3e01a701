"""Runs the stages of a study in order, and only what is missing or out of date."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.device import Backend, choose_backend
from pipeline.engine import Engine, core_count
from pipeline.errors import BadSetting
from pipeline.layout import CONV_MODELS, FORMAT, MODELS, RESNET_MODELS, STAGES, Layout
from pipeline.ledger import Ledger, manifest_rows
from pipeline.progress import Progress
from pipeline.records import read_csv, read_json, remove_half_written, write_json
from pipeline.settings import Settings
from pipeline.units import Unit, all_units, unit_digest

# Steps for which no worker process needs torch.
WITHOUT_TORCH = ("data", "external data", "compare", "decisions", "extents", "agreement")


@dataclass(frozen=True)
class Study:
    """One study while it runs: its settings, its folder, and what it computes with."""

    settings: Settings
    layout: Layout
    device: str
    engine: Engine
    progress: Progress
    ledger: Ledger

    @property
    def backend(self) -> Backend:
        return choose_backend(self.device, self.settings.fast)

    @contextmanager
    def cores(self) -> Iterator[Engine]:
        """An engine for work that no GPU does: this study's, or one of its own on all cores while a GPU is the device."""
        if self.engine.processes or not self.settings.fast:
            yield self.engine
            return
        with Engine(core_count()) as engine:
            yield engine


def run_stages(study: Study, last: str) -> bool:
    """Bring every stage up to and including `last` up to date; return whether anything was done."""
    units = all_units(study.settings)
    worked = False
    remove_half_written(study.layout.root)
    for stage in STAGES[: STAGES.index(last) + 1]:
        if stage == "tune":
            _check_batch(study)
        for step in dict.fromkeys(unit.step for unit in units if unit.stage == stage):
            stale = _stale_units(study, [unit for unit in units if unit.step == step])
            if stale:
                _run(study, step, stale)
                worked = True
            else:
                study.progress.say(f"{step}: up to date")
    if last == STAGES[-1]:
        _finish(study, units, worked)
    return worked


def _check_batch(study: Study) -> None:
    count = sum(row["split"] == "train" for row in read_csv(study.layout.patients, "data"))
    if study.settings.batch_size > count:
        raise BadSetting("batch_size", study.settings.batch_size, f"the training set has {count} patients; give at most that many")


def _stale_units(study: Study, units: Sequence[Unit]) -> list[Unit]:
    """Units never done, done from something else, or with a file missing. Raises DamagedArtifact on edited files."""
    stale = []
    for unit in units:
        record = study.ledger.find(unit.name)
        if record is None or record.digest != unit_digest(unit, study.settings, study.ledger) or study.ledger.missing_files(record):
            stale.append(unit)
        else:
            study.ledger.verify(record, unit.stage)
    return stale


def _run(study: Study, step: str, units: list[Unit]) -> None:
    study.layout.manifest.unlink(missing_ok=True)  # it may only stand beside a whole study
    write_json(study.layout.settings, study.settings.as_json())
    if step not in WITHOUT_TORCH:
        study.engine.load_torch()
    start = time.monotonic()
    RUNNERS[step](study, units)
    study.progress.say(f"{step}: done in {time.monotonic() - start:.1f} s")


def _record(study: Study, unit: Unit, files: Sequence[Path], seconds: float) -> None:
    study.ledger.write(unit.name, unit_digest(unit, study.settings, study.ledger), seconds, files)


def _timed(study: Study, unit: Unit, work: Callable[[], list[Path]]) -> None:
    start = time.monotonic()
    files = work()
    _record(study, unit, files, time.monotonic() - start)


def _run_data(study: Study, units: list[Unit]) -> None:
    from pipeline.data.make import make_dataset

    with study.cores() as cores:
        _timed(study, units[0], lambda: make_dataset(study.settings, study.layout, cores, study.progress))


def _run_external_data(study: Study, units: list[Unit]) -> None:
    from pipeline.data.external import make_external

    with study.cores() as cores:
        _timed(study, units[0], lambda: make_external(study.settings, study.layout, cores, study.progress))


def _run_pretrain(study: Study, units: list[Unit]) -> None:
    from pipeline.pretraining.make import make_pretrained

    with study.cores() as cores:
        _timed(study, units[0], lambda: make_pretrained(study.settings, study.layout, study.backend, study.engine, cores, study.progress))


def _run_tune(study: Study, units: list[Unit]) -> None:
    from pipeline.data.dataset import load_dataset
    from pipeline.evaluation.roles import folds_of
    from pipeline.training.tune import tune_models

    if study.settings.folds > 1:  # patients who cannot be dealt out are refused before the long work
        folds_of(load_dataset(study.layout), study.settings.folds, study.settings.seed)
    start = time.monotonic()
    digests = {unit.subject: unit_digest(unit, study.settings, study.ledger) for unit in units}
    written = tune_models(list(digests), digests, study.settings, study.layout, study.backend, study.engine, study.progress)
    for unit in units:
        _record(study, unit, written[unit.subject], (time.monotonic() - start) / len(units))


def _run_train(study: Study, units: list[Unit]) -> None:
    from pipeline.training.final import train_models

    by_model = {unit.subject: unit for unit in units}
    last = time.monotonic()

    def done(model: str, files: list[Path]) -> None:
        nonlocal last
        _record(study, by_model[model], files, time.monotonic() - last)
        last = time.monotonic()

    records = {unit.subject: study.ledger.find(unit.name) for unit in all_units(study.settings) if unit.stage == "tune"}
    searches = {model: record.digest for model, record in records.items()}
    train_models(list(by_model), searches, study.settings, study.layout, study.backend, study.engine, study.progress, done)


def _run_evaluate(study: Study, units: list[Unit]) -> None:
    from pipeline.evaluation.evaluate import SPLITS, ScoreJob, score_patients
    from pipeline.evaluation.runs import write_runs
    from pipeline.models.placing import suited

    settings, backend = study.settings, study.backend
    units = sorted(units, key=lambda unit: unit.subject not in RESNET_MODELS)  # the longest first
    runs = range(settings.seeds)
    jobs = [ScoreJob(study.layout.root, unit.subject, run, split, suited(backend, unit.subject), 1)
            for unit in units for run in runs for split in SPLITS]
    scored: dict[str, dict] = {unit.subject: {} for unit in units}
    by_model = {unit.subject: unit for unit in units}
    last = time.monotonic()
    with study.progress.bar("evaluate", len(jobs)) as bar:
        for index, probabilities in study.engine.run(score_patients, jobs):
            model = jobs[index].model
            scored[model][jobs[index].run, jobs[index].split] = probabilities
            if len(scored[model]) == len(runs) * len(SPLITS):
                by_run = [{split: scored[model][run, split] for split in SPLITS} for run in runs]  # whichever was done first
                files = write_runs(study.layout, model, by_run)
                _record(study, by_model[model], files, time.monotonic() - last)
                last = time.monotonic()
            bar.advance()


def _run_compare(study: Study, units: list[Unit]) -> None:
    from pipeline.evaluation.compare import compare_models

    _timed(study, units[0], lambda: compare_models(study.settings, study.layout))


def _run_control(study: Study, units: list[Unit]) -> None:
    from pipeline.evaluation.control import control_auc, write_control

    model, jobs = _trials_of_better_cnn(study, study.settings.controls)
    _timed(study, units[0], lambda: write_control(study.layout, model, _results(study, "control", control_auc, jobs)))


def _run_running_statistics(study: Study, units: list[Unit]) -> None:
    from pipeline.evaluation.running_statistics import train_with_both_losses, write_running_statistics

    model, jobs = _trials_of_better_cnn(study, 1)
    _timed(study, units[0], lambda: write_running_statistics(
        study.layout, model, *_results(study, "running statistics", train_with_both_losses, jobs)))


def _run_learning_curve(study: Study, units: list[Unit]) -> None:
    from pipeline.evaluation.learning_curve import learn_from_fewer

    digest = unit_digest(units[0], study.settings, study.ledger)
    _timed(study, units[0], lambda: learn_from_fewer(
        digest, study.settings, study.layout, study.backend, study.engine, study.progress))


def _trials_of_better_cnn(study: Study, runs: int) -> tuple[str, list]:
    """The better CNN, and jobs for so many runs of its trial at the chosen values."""
    from pipeline.evaluation.retrained import better_cnn, plan_again

    model = better_cnn(study.layout)
    return model, plan_again(model, study.settings.epochs_tuning, runs, study.settings, study.layout, study.backend)


def _run_folds(study: Study, units: list[Unit]) -> None:
    from pipeline.evaluation.folds import cross_validate

    digest = unit_digest(units[0], study.settings, study.ledger)
    _timed(study, units[0], lambda: cross_validate(
        digest, study.settings, study.layout, study.backend, study.engine, study.progress))


def _run_external_test(study: Study, units: list[Unit]) -> None:
    from pipeline.data.split import EXTERNAL
    from pipeline.evaluation.evaluate import ScoreJob, score_patients
    from pipeline.evaluation.external import write_external
    from pipeline.models.placing import suited

    start, models = time.monotonic(), sorted(MODELS, key=lambda model: model not in RESNET_MODELS)  # the longest first
    jobs = [ScoreJob(study.layout.root, model, run, EXTERNAL, suited(study.backend, model), 1)
            for model in models for run in range(study.settings.seeds)]
    scored = _results(study, "external test", score_patients, jobs)
    by_model = {model: [found for job, found in zip(jobs, scored, strict=True) if job.model == model] for model in models}
    _record(study, units[0], write_external(study.settings, study.layout, by_model), time.monotonic() - start)


def _run_decisions(study: Study, units: list[Unit]) -> None:
    from pipeline.evaluation.decisions import write_decisions

    _timed(study, units[0], lambda: write_decisions(study.settings, study.layout))


def _run_explain(study: Study, units: list[Unit]) -> None:
    from pipeline.explanations.examples import write_examples
    from pipeline.explanations.explain import ExplainJob, explain_model

    for unit in [unit for unit in units if unit.subject == "examples"]:
        _timed(study, unit, lambda: write_examples(study.layout))
    models = sorted((unit for unit in units if unit.subject in CONV_MODELS), key=lambda unit: unit.subject not in RESNET_MODELS)
    jobs = [ExplainJob(study.layout.root, unit.subject, study.settings.seeds, study.backend.in_fp32(), 1) for unit in models]
    _run_jobs(study, "explain", explain_model, models, jobs)
    for unit in [unit for unit in units if unit.subject == "patients"]:
        _timed(study, unit, lambda: _browse(study))


def _browse(study: Study) -> list[Path]:
    """Saliency of the compared models for every test patient."""
    from pipeline.explanations.browsing import browse_jobs, browse_patients, write_browsing

    compared = read_json(study.layout.comparison, "evaluate")["compared"]
    jobs = browse_jobs(study.layout, compared, study.backend.in_fp32())
    found = _results(study, "browse", browse_patients, jobs)
    return write_browsing(study.layout, {
        model: [maps for job, maps in zip(jobs, found, strict=True) if job.model == model] for model in compared})


def _run_extents(study: Study, units: list[Unit]) -> None:
    from pipeline.explanations.extents import compare_extents

    _timed(study, units[0], lambda: compare_extents(study.layout))


def _run_agreement(study: Study, units: list[Unit]) -> None:
    from pipeline.explanations.agreement import compare_maps

    _timed(study, units[0], lambda: compare_maps(study.layout))


def _run_without_lesions(study: Study, units: list[Unit]) -> None:
    from pipeline.explanations.without_lesions import filled_jobs, score_filled, write_without_lesions

    jobs = filled_jobs(study.layout, study.settings.seeds, study.backend, study.engine.processes)
    _timed(study, units[0], lambda: write_without_lesions(study.layout, _results(study, "without lesions", score_filled, jobs)))


def _run_shortcut(study: Study, units: list[Unit]) -> None:
    from pipeline.explanations.shortcut import learn_shortcut, plan_shortcut, write_shortcut

    jobs = plan_shortcut(study.settings, study.layout, study.backend)
    _timed(study, units[0], lambda: write_shortcut(
        study.layout, [job.model for job in jobs], _results(study, "shortcut", learn_shortcut, jobs)))


def _results(study: Study, title: str, function: Callable, jobs: Sequence) -> list:
    """What every job gave, in the order of the jobs."""
    found: list = [None] * len(jobs)
    with study.progress.bar(title, len(jobs)) as bar:
        for index, result in study.engine.run(function, jobs, [job.threads for job in jobs]):
            found[index] = result
            bar.advance()
    return found


def _run_jobs(study: Study, title: str, function: Callable, units: list[Unit], jobs: list) -> None:
    """One job per unit, recorded as it ends; the time of a unit is the wall time since the one before it."""
    last = time.monotonic()
    with study.progress.bar(title, len(jobs)) as bar:
        for index, files in study.engine.run(function, jobs):
            _record(study, units[index], files, time.monotonic() - last)
            last = time.monotonic()
            bar.advance()


RUNNERS = {
    "data": _run_data, "external data": _run_external_data, "pretrain": _run_pretrain, "tune": _run_tune, "train": _run_train,
    "evaluate": _run_evaluate, "compare": _run_compare, "control": _run_control,
    "running statistics": _run_running_statistics, "learning curve": _run_learning_curve, "folds": _run_folds,
    "external test": _run_external_test, "decisions": _run_decisions, "explain": _run_explain, "extents": _run_extents,
    "agreement": _run_agreement, "without lesions": _run_without_lesions, "shortcut": _run_shortcut,
}


def _finish(study: Study, units: list[Unit], worked: bool) -> None:
    """Write settings and provenance, and the manifest last of all."""
    from pipeline.provenance import describe_run

    if not worked and study.layout.manifest.exists() and _settings_unchanged(study):
        return
    records = {unit.name: study.ledger.find(unit.name) for unit in units}
    write_json(study.layout.settings, study.settings.as_json())
    write_json(study.layout.provenance, describe_run(study.settings, study.backend, study.engine.processes, records))
    write_json(study.layout.manifest, manifest_rows(records))
    shutil.rmtree(study.layout.unfinished, ignore_errors=True)


def _settings_unchanged(study: Study) -> bool:
    import json

    if not study.layout.provenance.exists() or read_json(study.layout.provenance, "all").get("format") != FORMAT:
        return False
    stored = read_json(study.layout.settings, "all")
    return stored == json.loads(json.dumps(study.settings.as_json()))


def processes_for(device: str, fast: bool) -> int:
    """Worker processes: one per core on the CPU; none on a GPU. Without fast paths, one, so that nothing overlaps."""
    if device == "cuda":
        return 0
    return core_count() if fast else 1
