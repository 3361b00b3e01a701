"""Which models are compared, the two baselines that need no network, and which of them the test patients tell apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.cohort import describe_cohort
from pipeline.evaluation.differences import compare_aucs
from pipeline.evaluation.involvement import involvement
from pipeline.evaluation.metrics import no_skill
from pipeline.evaluation.patient_means import log_loss
from pipeline.evaluation.sample_size import sample_sizes
from pipeline.evaluation.single_slices import against_single_slices
from pipeline.evaluation.subgroups import by_subgroup
from pipeline.evaluation.without_images import rank_without_images
from pipeline.layout import CNN_MODELS, DNN_MODELS, RESNET_MODELS, Layout
from pipeline.records import read_csv, read_json, write_json
from pipeline.settings import Settings
from pipeline.spread import spread


def compare_models(settings: Settings, layout: Layout) -> list[Path]:
    """Write comparison.json.

    `validation_loss` by model and `best_dnn` and `best_cnn`, which have the lowest; `compared`, the five models;
    `baselines`, by name their test AUC with interval; `no_skill`, the test metrics of `metrics.no_skill` and the
    `validation_loss` of giving all validation patients the share of severe among them;
    `differences`, every pair of the compared models and the mean density; `against_oracle`, every compared model minus the oracle,
    None where there is none;
    `sample_sizes`, how many test patients would tell these pairs apart, as of `sample_sizes`;
    `differences_of_runs`, in the same order their spread over the runs, None for a single run;
    `cohort`, who the patients of each split are; `subgroups`, the compared models among the test patients of either sex, and among
    younger and older ones; `single_slices`, what the mean of a patient's slices brings the compared models over one of them;
    `without_images`, how patients are ranked by what is known without them; `involvement`, by compared model, None where no true share
    is known.
    """
    dataset = load_dataset(layout)
    losses = {model: _validation_loss(layout, model, settings.seeds > 1) for model in DNN_MODELS + CNN_MODELS}
    dnn, cnn = (min(models, key=lambda model: np.inf if losses[model] is None else losses[model]) for models in (DNN_MODELS, CNN_MODELS))
    compared = [*reversed(RESNET_MODELS), cnn, dnn]
    baselines = baseline_scores(dataset, dataset.members("test"))
    scores = {**{model: read_scores(layout, model, "test") for model in compared}, "density": baselines["density"]}
    aucs = {name: auc_with_interval(_test_labels(dataset), values) for name, values in baselines.items()}
    differences = compare_aucs(_test_labels(dataset), scores)
    pairs = [(one.first, one.second) for one in differences]
    patients = read_csv(layout.patients, "data")
    write_json(layout.comparison, {
        "validation_loss": losses, "best_dnn": dnn, "best_cnn": cnn, "compared": compared,
        "baselines": aucs,
        "no_skill": no_skill(_test_labels(dataset)) | {"validation_loss": _loss_without_skill(dataset)},
        "differences": [asdict(difference) for difference in differences],
        "sample_sizes": sample_sizes(_test_labels(dataset), scores, pairs),
        "against_oracle": _against_oracle(_test_labels(dataset), scores, compared, baselines),
        "differences_of_runs": differences_of_runs(layout, pairs, settings.seeds, {"density": aucs["density"]["auc"]}),
        "cohort": describe_cohort(patients),
        "subgroups": by_subgroup([row for row in patients if row["split"] == "test"], {model: scores[model] for model in compared}),
        "single_slices": against_single_slices(
            _test_labels(dataset), {model: read_slice_scores(layout, model, "test") for model in compared}),
        "without_images": rank_without_images(patients),
        "involvement": {model: _involvement(layout, dataset, model, scores[model]) for model in compared},
    })
    return [layout.comparison]


def differences_of_runs(layout: Layout, pairs: Sequence[tuple[str, str]], runs: int,
                        baselines: Mapping[str, float]) -> list[dict[str, float]] | None:
    """Per pair the spread of the difference of test AUCs between runs of the same number; None where there is one run.

    baselines: AUCs of those in the pairs that need no training.
    """
    if runs == 1:
        return None
    models = {name for pair in pairs for name in pair} - set(baselines)
    aucs = {model: [read_json(layout.evaluation(model, "metrics.json", run), "evaluate")["auc"] for run in range(runs)] for model in models}
    aucs |= {name: [auc] * runs for name, auc in baselines.items()}
    return [spread(np.subtract(aucs[first], aucs[second])) for first, second in pairs]


def _validation_loss(layout: Layout, model: str, repeated: bool) -> float | None:
    """Of the one run, or the mean of the repeated ones."""
    if not repeated:
        return read_json(layout.evaluation(model, "metrics.json"), "evaluate")["validation_loss"]
    found = read_json(layout.evaluation(model, "spread.json"), "evaluate")["validation_loss"]
    return found and found["mean"]


def _against_oracle(labels: np.ndarray, scores: Mapping[str, np.ndarray], compared: Sequence[str],
                    baselines: Mapping[str, np.ndarray]) -> list[dict] | None:
    if "oracle" not in baselines:
        return None
    pairs = [(model, "oracle") for model in compared]
    return [asdict(one) for one in compare_aucs(labels, {**scores, "oracle": baselines["oracle"]}, pairs=pairs)]


def _loss_without_skill(dataset: Dataset) -> float:
    labels = dataset.labels[dataset.members("validation")]
    return log_loss(labels, np.full(labels.shape, labels.mean()))


def _test_labels(dataset: Dataset) -> np.ndarray:
    return dataset.labels[dataset.members("test")]


def read_scores(layout: Layout, model: str, split: str, run: int = 0) -> np.ndarray:
    """Probabilities of a split's patients in a run, (patient,) in the dataset's order."""
    return np.array([float(row["probability"]) for row in _scored(layout, model, split, run)])


def read_slice_scores(layout: Layout, model: str, split: str, run: int = 0) -> np.ndarray:
    """Probabilities of each slice of a split's patients in a run, (patient, slice) in the dataset's order."""
    return np.array([[float(cell) for name, cell in row.items() if name.startswith("slice_")]
                     for row in _scored(layout, model, split, run)])


def _scored(layout: Layout, model: str, split: str, run: int) -> list[dict[str, str]]:
    """The rows of scores.csv of a split."""
    return [row for row in read_csv(layout.evaluation(model, "scores.csv", run), "evaluate") if row["split"] == split]


def _involvement(layout: Layout, dataset: Dataset, model: str, scores: np.ndarray) -> dict | None:
    """With the decisions at the threshold by G-mean."""
    threshold = read_json(layout.evaluation(model, "confusion.json"), "evaluate")["gmean"]["threshold"]
    return involvement(_test_labels(dataset), scores, dataset.lesion_fraction[dataset.members("test")], threshold)


def baseline_scores(dataset: Dataset, patients: np.ndarray) -> dict[str, np.ndarray]:
    """The mean lung density of these patients and, where all of them have one, the share of their lungs that is lesion.

    patients: indices (n,); the scores are float64 (n,). The share is called `oracle` where labels were made by it, as synthetic ones
    are, else `involvement`.
    """
    scores = {"density": mean_density(dataset.slices[patient] for patient in patients)}
    if np.isfinite(dataset.lesion_fraction).all():
        scores["oracle" if dataset.synthetic else "involvement"] = dataset.lesion_fraction[patients]
    return scores


def mean_density(stacks: Iterable[np.ndarray]) -> np.ndarray:
    """Mean value of the pixels above 0 (the lungs) of each patient: by patient (slice, y, x) -> float64 (patient,)."""
    return np.array([stack[stack > 0].astype(np.float64).mean() if (stack > 0).any() else 0.0 for stack in map(np.asarray, stacks)])
