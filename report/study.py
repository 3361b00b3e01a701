"""The only module that reads artifacts: everything a page shows comes through a `Study`."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.errors import MissingPath, UserError
from pipeline.layout import CNN_MODELS, CONV_MODELS, DNN_MODELS, FORMAT, MODELS, RESNET_MODELS, TUNED_MODELS, UNSHOWN, Layout
from pipeline.records import read_csv, read_json, read_npz, sha256_of, verify_files
from report.pictured import as_pictured

STUDY_VARIABLE = "COVID_CT_STUDY"
# What the test patients were scored with: their slices as they are, and with lesions or as much healthy lung filled in.
FILLED = ("original", "lesions", "healthy")
EXPLAINED = (*reversed(RESNET_MODELS), *CNN_MODELS)  # the compared models come in this order, too
EXTENTS = ("saliency", "output")  # the maps whose extent is measured
BEST_CNN = "best CNN"  # stands for the better of CNN1 and CNN2 in a study
ROOT = Path(__file__).parent.parent


def find_study(wanted: Path | None = None) -> Path:
    """The study to show: the one asked for, the one in the environment, the newest whole one, or the one shipped.

    Raises UserError when there is none, MissingPath when the wanted one is absent.
    """
    named = wanted or (Path(os.environ[STUDY_VARIABLE]) if os.environ.get(STUDY_VARIABLE) else None)
    if named:
        if not named.is_dir():
            raise MissingPath(named, "run 'python -m pipeline all' to make a study, or name another with --study DIR")
        if not Layout(named).manifest.exists():
            raise UserError(f"the study in {named} is unfinished; run 'python -m pipeline all --out {named}' to finish it")
        return named
    for folder in ("artifacts", "results"):
        whole = sorted((ROOT / folder).glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
        if whole:
            return whole[-1].parent
    raise UserError("there is no finished study in artifacts/ or results/; run 'python -m pipeline all' first")


@dataclass(frozen=True)
class Trial:
    """One tuning trial: its hyperparameters by name, and per epoch AUC and loss of the validation patients.

    Where trials were repeated, AUC and loss are the means of the runs, and `ranges` holds the lowest and highest of each,
    float64 (2, epoch), by `auc` and `loss`.
    """

    values: dict[str, float]
    epochs: np.ndarray
    auc: np.ndarray
    loss: np.ndarray
    ranges: dict[str, np.ndarray]


@dataclass(frozen=True)
class Phase:
    """One coordinate of a search: its trials in the order of `values`, what was chosen, what AUC would choose."""

    coordinate: str
    values: list[float]
    trials: list[Trial]
    chosen: float
    chosen_by_auc: float


class Study:
    """A finished study, read lazily. Raises MissingArtifact and DamagedArtifact with what to do."""

    def __init__(self, root: Path):
        self.root = root
        self.layout = Layout(root)

    @cached_property
    def settings(self) -> dict:
        return read_json(self.layout.settings, "all")

    @cached_property
    def provenance(self) -> dict:
        return read_json(self.layout.provenance, "all")

    @cached_property
    def manifest(self) -> list[dict]:
        return read_json(self.layout.manifest, "all")

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which names every artifact with its own: one number for the whole study."""
        return sha256_of(self.layout.manifest)

    def verify(self) -> "Study":
        """Compare the files the report reads with the manifest. Raises MissingArtifact, DamagedArtifact or UserError."""
        if self.provenance.get("format") != FORMAT:
            raise UserError(f"the study in {self.root} was made by another version of the pipeline; "
                            f"run 'python -m pipeline all --out {self.root}' to bring it up to date")
        verify_files(self.root, [row for row in self.manifest if not row["path"].endswith(UNSHOWN)])
        return self

    @cached_property
    def dataset(self) -> dict:
        return read_json(self.layout.dataset, "data")

    @cached_property
    def pretraining(self) -> dict:
        return read_json(self.layout.pretraining("settings.json"), "pretrain")

    @cached_property
    def comparison(self) -> dict:
        return read_json(self.layout.comparison, "evaluate")

    @property
    def synthetic(self) -> bool:
        return self.dataset["source"] == "synthetic"

    def examples(self) -> dict[str, np.ndarray]:
        """Slices `mild` and `severe`, float16 (slice, y, x) in [0, 1]; `<label>.lesions` uint8 where known."""
        return as_pictured(read_npz(self.layout.examples, "explain"))

    @property
    def runs(self) -> int:
        """How often every training was run."""
        return self.settings["seeds"]

    @property
    def repeated(self) -> bool:
        """Whether trainings were run more than once, so that the study knows how far runs lie apart."""
        return self.runs > 1

    @property
    def cohort(self) -> dict[str, dict]:
        """Age, sex and involvement of the patients of each split, None where not known."""
        return self.comparison["cohort"]

    @property
    def no_skill(self) -> dict[str, float] | None:
        """The `brier` of giving all test patients the share of severe, the `f1` of calling all severe, and the `validation_loss` of giving
        all validation patients the share of severe; None in a study made before they were stored."""
        return self.comparison.get("no_skill")

    @property
    def single_slices(self) -> dict[str, dict]:
        """By compared model the test AUC of each slice of a patient alone (`aucs`), their mean `auc`, and the `difference` that the mean
        of a patient's slices makes, with `low`, `high` and `p_holm`; empty for one slice, and in a study made before that was asked."""
        return self.comparison.get("single_slices", {})

    @property
    def without_images(self) -> dict[str, dict | None]:
        """How well age and sex (`person`), and number and size of the slices (`scan`), rank the test patients: `columns`, and an `auc` with
        its interval; None where they are not known, empty in a study made before they were tried."""
        return self.comparison.get("without_images", {})

    @property
    def subgroups(self) -> dict | None:
        """Median `median_age` of the test patients, and by `groups` (`women`, `men`, `younger`, `older`, where known) how many are `mild`
        and `severe`, and by `models` the AUC with its interval; None in a study made before they were looked at."""
        return self.comparison.get("subgroups")

    @property
    def groups(self) -> dict[str, dict]:
        """Those `groups`; none where neither sex nor age is known or was looked at."""
        return (self.subgroups or {}).get("groups", {})

    @property
    def differences_of_groups(self) -> list[dict]:
        """How the AUCs of two groups differ; empty also in a study made before they were compared."""
        return (self.subgroups or {}).get("differences", [])

    @property
    def involvement(self) -> dict[str, dict] | None:
        """Per compared model how its test probabilities go along with the true diseased share; None where that is not known."""
        found = self.comparison["involvement"]
        return None if None in found.values() else found

    def involved_shares(self) -> dict[str, float]:
        """The true diseased share of the lungs by patient, in [0, 1]; only where `involvement` is known."""
        return {row["id"]: float(row["lesion_fraction"]) for row in read_csv(self.layout.patients, "data")}

    @property
    def best_dnn(self) -> str:
        return self.comparison["best_dnn"]

    @property
    def best_cnn(self) -> str:
        return self.comparison["best_cnn"]

    def named(self, model: str) -> str:
        """The model a name stands for: `BEST_CNN` for the better CNN, any other for itself."""
        return self.best_cnn if model == BEST_CNN else model

    @property
    def compared(self) -> list[str]:
        """The five compared models: the three ResNets, the best CNN, the best DNN."""
        return self.comparison["compared"]

    def phases(self, model: str) -> dict[str, Phase]:
        """The three phases of a model's search, by coordinate (`lr`, `wd`, `mp`)."""
        rows = read_csv(self.layout.tuning(model), "tune")
        trials: dict[int, list[dict]] = {}
        for row in rows:
            trials.setdefault(int(row["trial"]), []).append(row)
        summary = read_json(self.layout.tuning(model, "json"), "tune")
        return {
            phase["coordinate"]: Phase(
                phase["coordinate"], phase["values"], [_trial(trials[number]) for number in phase["trials"]],
                phase["chosen"], phase["chosen_by_auc"])
            for phase in summary["phases"]
        }

    def search(self, model: str) -> dict:
        """A whole search: `search` (`coordinate` or `grid`), `chosen`, `by_coordinates`, and `trials` with lr, wd, mp,
        val_loss and val_auc, the means of the last epochs; of several runs also the ends of their range, `val_loss_low` and so on."""
        return read_json(self.layout.tuning(model, "json"), "tune")

    def grid(self, model: str) -> dict[str, list[float]]:
        """The values of a model's grid by coordinate."""
        return self.settings["grid"][model]

    @property
    def full_grid(self) -> bool:
        """Whether every combination of every grid was tried."""
        return self.settings["search"] == "grid"

    def chosen(self, model: str) -> dict[str, float]:
        """The hyperparameters a model was finally trained with."""
        return self.model(model)["hyperparameters"]

    def model(self, model: str) -> dict:
        return read_json(self.layout.model(model, "settings.json"), "train")

    def history(self, model: str) -> dict[str, np.ndarray]:
        """Columns of the final training by name, each float64 (epoch,)."""
        return _columns(read_csv(self.layout.model(model, "history.csv"), "train"))

    def history_ranges(self, model: str) -> dict[str, np.ndarray]:
        """Lowest and highest `val_auc` and `val_loss` of the runs by epoch, each float64 (2, epoch); empty for a single run."""
        if not self.repeated:
            return {}
        columns = _columns(read_csv(self.layout.model(model, "spread.csv"), "train"))
        return {name: _range(columns, name) for name in ("val_auc", "val_loss")}

    def spread(self, model: str) -> dict | None:
        """Numbers of `metrics`, `thresholds` and `confusion` as mean, low and high of the runs; None for a single run."""
        return read_json(self.layout.evaluation(model, "spread.json"), "evaluate") if self.repeated else None

    def roc_range(self, model: str) -> dict[str, np.ndarray] | None:
        """`fpr`, and `tpr_mean`, `tpr_low` and `tpr_high` of the runs' test ROC curves, each float64 (point,); None for a single run."""
        return _columns(read_csv(self.layout.evaluation(model, "roc_spread.csv"), "evaluate")) if self.repeated else None

    def validation_loss(self, model: str) -> float | None:
        """What the better DNN and the better CNN were chosen by: that of the one run, or the mean of the runs; None where it diverged."""
        if not self.repeated:
            return self.metrics(model)["validation_loss"]
        found = self.spread(model)["validation_loss"]
        return found and found["mean"]

    @property
    def differences(self) -> list[dict]:
        """Every pair of the compared models and the mean density on the test set: first, second, difference (of their AUCs), low
        and high (95 % interval), p, and p_holm, corrected for all pairs."""
        return self.comparison["differences"]

    @property
    def sample_sizes(self) -> dict | None:
        """How many test patients would tell the same pairs apart: the difference of AUCs `sought`, the `power` to find it, the number of
        `patients` there are, and by pair those `needed`, as patients, low and high, or None; None in a study made before it was asked."""
        return self.comparison.get("sample_sizes")

    @property
    def sizes_known(self) -> bool:
        """Whether any pair's are."""
        return bool(self.sample_sizes and any(self.sample_sizes["needed"]))

    @property
    def against_oracle(self) -> list[dict] | None:
        """The same of every compared model minus the oracle; None where there is none, and in a study made before they were compared."""
        return self.comparison.get("against_oracle")

    @property
    def differences_of_runs(self) -> list[dict] | None:
        """The same pairs' differences as mean, low and high of the runs; None for a single run."""
        return self.comparison["differences_of_runs"]

    def metrics(self, model: str) -> dict:
        return read_json(self.layout.evaluation(model, "metrics.json"), "evaluate")

    def confusion(self, model: str) -> dict[str, dict]:
        return read_json(self.layout.evaluation(model, "confusion.json"), "evaluate")

    def thresholds(self, model: str) -> dict[tuple[str, str], dict[str, float]]:
        """Rows of thresholds.csv by (criterion, set it was chosen on)."""
        rows = read_csv(self.layout.evaluation(model, "thresholds.csv"), "evaluate")
        return {
            (row["criterion"], row["chosen_on"]): {k: _number(v) for k, v in row.items() if k not in ("criterion", "chosen_on")}
            for row in rows
        }

    def roc(self, model: str, split: str = "test") -> dict[str, np.ndarray]:
        """Columns fpr, tpr and threshold of a ROC curve, each float64 (point,)."""
        rows = read_csv(self.layout.evaluation(model, "roc.csv"), "evaluate")
        return _columns([{k: v for k, v in row.items() if k != "split"} for row in rows if row["split"] == split])

    def calibration(self, model: str) -> dict[str, np.ndarray]:
        """Bins of the test patients by rising probability: patients, probability (mean), severe (share), low and high (95 %
        interval), each float64 (bin,)."""
        return _columns(read_csv(self.layout.evaluation(model, "calibration.csv"), "evaluate"))

    def recalibration(self, model: str) -> dict | None:
        """How a model's test probabilities would have to be shifted (`in_the_large`) and stretched (`slope`) to come true, each `value`,
        `low` and `high`, the slope None where it cannot be known; and `recalibrated`, the `brier` score with `intercept` and `slope` of
        the validation patients, None where these give none. None in a study made before that was asked."""
        return self.metrics(model).get("calibration")

    def filters(self, model: str) -> np.ndarray:
        """First-layer filters, float32 (filter, channel, y, x)."""
        return read_npz(self.layout.explanation(model, "filters.npz"), "explain")["first"]

    def filter_shapes(self, model: str) -> dict | None:
        """How many of the `filters` are closer to a Gabor function than nearly all random kernels (`surpassing`), how many would be
        `by_chance`, and `p`, the probability that as many are; `likeness` and `random`, the medians of both. None in a study made before
        that was asked."""
        path = self.layout.explanation(model, "filters.json")
        return read_json(path, "explain") if self._made(path) else None

    def activations(self, model: str) -> dict[str, np.ndarray]:
        return as_pictured(read_npz(self.layout.explanation(model, "activations.npz"), "explain"))

    def saliency(self, model: str) -> dict[str, np.ndarray]:
        return as_pictured(read_npz(self.layout.explanation(model, "saliency.npz"), "explain"))

    def scores(self, model: str, split: str = "test") -> list[dict]:
        """Per patient of a split: id, label (0 mild, 1 severe), probability, and slices, the probability of each."""
        rows = read_csv(self.layout.evaluation(model, "scores.csv"), "evaluate")
        return [{"id": row["id"], "label": int(row["label"]), "probability": float(row["probability"]),
                 "slices": [float(value) for name, value in row.items() if name.startswith("slice_")]}
                for row in rows if row["split"] == split]

    def browsed_patients(self) -> dict[str, np.ndarray]:
        """Test patients in the order of `scores`: `slices` uint8 (patient, slice, y, x), 255 is 1.0; `lesions` where known."""
        return read_npz(self.layout.browsed_patients, "explain")

    def browsed_saliency(self, model: str) -> np.ndarray:
        """Saliency of a compared model, uint8 (patient, slice, y, x), in the order of `scores`."""
        return read_npz(self.layout.browsed_maps(model), "explain")["saliency"]

    def _explained(self, model: str) -> dict:
        return read_json(self.layout.explanation(model, "cases.json"), "explain")

    def cases(self, model: str) -> dict[str, dict]:
        """The explained cases by outcome (`tp`, `tn`, `fp`, `fn`); an outcome that did not occur is absent."""
        stored = self._explained(model)
        return {case["outcome"]: case for case in stored["cases"]}

    def localisation(self, model: str) -> dict | None:
        return self._explained(model)["localisation"]

    def localisation_spread(self, model: str) -> dict | None:
        """The same as mean, low and high of the runs; None for a single run or where lesions are not known."""
        return self._explained(model).get("localisation_spread")

    def resemblance(self, model: str) -> dict[str, dict]:
        """How much a model's maps resemble, by `saliency` and `gradcam`, those of `random` weights and of its other `runs`."""
        return self._explained(model)["resemblance"]

    def faithfulness(self, model: str) -> dict | None:
        """How many times further a logit moves when the `replaced` share of the lungs is smoothed over where a map is highest: against
        where `chance` chose and against where the slice's own `contrast` is highest, by kind of map (and `lesions`, where known) the
        `ratio`, `low` and `high`, None where not known. None in a study made before that was asked."""
        return self._explained(model).get("faithfulness")

    @cached_property
    def agreement(self) -> dict | None:
        """How much saliency maps agree, by rank correlation within the lungs: for the `pairs` of compared models, `first` and `second`, for
        how many `patients` it is known, the `mean` and its interval from `low` to `high`, and in `scores` how much their probabilities
        do; by model, how much its maps agree with the `slice` and, None where they are not known, with the `lesions`. None in a study
        made before that was looked at."""
        return read_json(self.layout.agreement, "explain") if self._made(self.layout.agreement) else None

    def output_map(self, model: str) -> list[int]:
        """How many pixels high and wide the last feature map is; only where `extents` are known."""
        return self._explained(model)["output_map"]

    @cached_property
    def extents(self) -> dict | None:
        """How wide maps are, the smallest share of a map that holds half of its total, by `saliency` and `output`, the last feature map: by
        `models`, kind and outcome how many `patients`, the `mean` and its interval from `low` to `high`; for ResNet18og and the better CNN
        how much wider those of the mild are than those of the severe (`mild`, by model and kind) and those of the latter than those of the
        former (`networks`, by kind), as a `difference` with interval and `p_holm`; and what `noise` comes to. None in a study made before
        that was measured."""
        return read_json(self.layout.extents, "explain") if self._made(self.layout.extents) else None

    def extents_of(self, model: str) -> list[dict]:
        """Per test patient: id, outcome, and the extent of `saliency` and `output`, NaN where a map is 0; only where they are known."""
        rows = read_csv(self.layout.explanation(model, "extent.csv"), "explain")
        return [{"id": row["id"], "outcome": row["outcome"], **{kind: _number(row[kind]) for kind in EXTENTS}} for row in rows]

    @cached_property
    def without_lesions(self) -> dict | None:
        """What became of the test patients' scores when their lesions were filled in: how many `patients` have some, the `shares` of
        the lungs that were filled in; by `models`, for the slices as they are (`original`) and with `lesions` or as much
        `healthy` lung filled in, the `auc` with its 95 % interval and the mean probability of `severe` and `mild` patients, with
        several runs also their `runs`; and by `differences`, by model, how far the AUC with healthy lung filled in lies above that
        with the lesions. None where lesions are not known, and in a study made before that was looked at."""
        path = self.layout.without_lesions("json")
        found = read_json(path, "explain")["found"] if self._made(path) else None
        return found if found and "differences" in found else None

    @cached_property
    def shortcut(self) -> dict[str, dict | None] | None:
        """By model, what became of the study's `own` network and of one that has `learned` from severe patients who carry a mark: the
        `auc` with its interval where `severe`, `nobody` or `mild` test patients carry one, and of the marks, in `maps`, what `localisation`
        gives for lesions; the `difference` of the latter's AUC from the former's where the mild carry them; and in `pointing`, by kind of
        map, `p_holm` of both pointing at marks equally often. None for a model whose training diverged; None for all where the study was
        told to leave it out, and in one made before that."""
        return self._retrained(self.layout.shortcut("json"), "explain")

    @property
    def shortcuts(self) -> dict[str, dict]:
        """The same without the models whose training diverged; empty where there was none."""
        return {model: found for model, found in (self.shortcut or {}).items() if found}

    def shortcut_picture(self, model: str) -> dict[str, np.ndarray]:
        """The central slice of a severe test patient with a mark: `input`, `mark`, and the maps
        `<own or learned>.<saliency or gradcam>`, (y, x)."""
        arrays = read_npz(self.layout.shortcut("npz"), "explain")
        return as_pictured({name.removeprefix(f"{model}."): value for name, value in arrays.items() if name.startswith(f"{model}.")})

    def _retrained(self, path: Path, stage: str) -> dict[str, dict | None] | None:
        """What was found of ResNet18og and then of the better CNN; None where the study did not ask."""
        found = read_json(path, stage)["found"] if self._made(path) else None
        return found and {model: found[model] for model in ("ResNet18og", self.best_cnn)}

    def _made(self, path: Path) -> bool:
        """Whether the study holds a file, which one made before it was thought of does not."""
        return path.relative_to(self.root).as_posix() in {row["path"] for row in self.manifest}

    def probability_without_lesions(self, model: str, patient: str) -> float:
        """A model's probability of severe for a test patient whose lesions are filled in; only where `without_lesions` is known."""
        rows = read_csv(self.layout.without_lesions("csv"), "explain")
        return next(float(row[model]) for row in rows if row["id"] == patient and row["filled"] == "lesions")

    @cached_property
    def running_statistics(self) -> dict | None:
        """The `model` and, by epoch of its trial at the chosen values, its `val_loss` and the one with statistics `renewed`; None in a
        study made before that was looked at."""
        return read_json(self.layout.running_statistics, "evaluate") if self._made(self.layout.running_statistics) else None

    @cached_property
    def learning_curve(self) -> dict[str, dict] | None:
        """By model its `points`, from the fewest training patients to all of them: how many `patients`, the test `aucs` of the draws (of
        all: of the runs) and their mean `auc` with its interval, None where all diverged; and the `rise` of the AUC from the next to last
        point to the last, with `low`, `high` and `p_holm`, and whether `every` draw shows it. None where the study was told to leave it
        out, and in one made before that."""
        return self._retrained(self.layout.learning_curve, "evaluate")

    @cached_property
    def control(self) -> dict | None:
        """The control with shuffled labels; None where the study was told to leave it out."""
        return read_json(self.layout.control, "evaluate")["found"]

    @cached_property
    def folds(self) -> dict | None:
        """The cross-validation: what `over_folds` gives by `models` and `baselines`, `differences`, and in a nested one `chosen`, the
        hyperparameters of each fold by model; None for a single split."""
        return read_json(self.layout.folds("json"), "evaluate") if self.settings["folds"] > 1 else None

    def over_folds(self, name: str) -> dict:
        """The mean `auc` of a model or baseline over all folds, `auc_low` and `auc_high` (95 % interval), and the AUCs
        `by_fold`; for a model also `confusion` and metrics `at`, by criterion, of all patients together."""
        return (self.folds["models"] | self.folds["baselines"])[name]

    @cached_property
    def external(self) -> dict | None:
        """The test on patients from elsewhere: their `source`, how many are `mild` and `severe`, and what `elsewhere` gives by
        `models` and `baselines`; None where there was none."""
        return read_json(self.layout.external("json"), "evaluate") if self.settings["external"] != "none" else None

    def elsewhere(self, name: str) -> dict | None:
        """What a model or baseline reaches on patients from elsewhere: `auc`, `auc_low` and `auc_high` (95 % interval), and the
        `change` from the test set (difference, low, high, p and, for a compared model, p_holm); for a model also the AUCs of its
        `runs`, `brier`, `mean_probability`, and by criterion `confusion`, metrics `at` the study's threshold, their `intervals`, and
        the `best` threshold there with its value. None for a baseline not known there."""
        return (self.external["models"] | self.external["baselines"]).get(name)

    @cached_property
    def _decisions(self) -> dict:
        return read_json(self.layout.decisions, "evaluate")

    def intervals(self, model: str, tested: str = "test") -> dict[str, dict]:
        """By criterion and metric the 95 % interval from `low` to `high`, None where the metric has no value.

        tested: `test` for the test set, `folds` for all patients of a cross-validated study.
        """
        return self._decisions[tested][model]

    @property
    def models(self) -> tuple[str, ...]:
        return MODELS

    @property
    def families(self) -> dict[str, tuple[str, ...]]:
        """The models of which the better one is compared."""
        return {"dnn": DNN_MODELS, "cnn": CNN_MODELS}

    @property
    def convolutional(self) -> tuple[str, ...]:
        return CONV_MODELS

    @property
    def tuned(self) -> tuple[str, ...]:
        """The models whose hyperparameters were searched."""
        return TUNED_MODELS


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _columns(rows: list[dict[str, str]]) -> dict[str, np.ndarray]:
    return {name: np.array([_number(row[name]) for row in rows]) for name in rows[0]}


def _trial(rows: list[dict[str, str]]) -> Trial:
    columns = _columns([{k: v for k, v in row.items() if k != "phase"} for row in rows])
    values = {name: float(columns[name][0]) for name in ("lr", "wd", "mp")}
    ranges = {name: _range(columns, f"val_{name}") for name in ("auc", "loss")} if "val_auc_low" in columns else {}
    return Trial(values, columns["epoch"], columns["val_auc"], columns["val_loss"], ranges)


def _range(columns: dict[str, np.ndarray], name: str) -> np.ndarray:
    return np.stack([columns[f"{name}_low"], columns[f"{name}_high"]])
