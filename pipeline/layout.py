"""Where every artifact of a study lies: one place for all paths, shared by the pipeline and the report."""

import os
from dataclasses import dataclass
from pathlib import Path

# Counts up when artifacts change so that a report could not read older ones.
FORMAT = 6
# Images and weights: no page shows them and no shipped study holds them.
UNSHOWN = (".npy", ".safetensors")
STAGES = ("data", "pretrain", "tune", "train", "evaluate", "explain")

DNN_MODELS = ("DNN1", "DNN2")
CNN_MODELS = ("CNN1", "CNN2")
RESNET_MODELS = ("ResNet18_nowig", "ResNet18", "ResNet18og")
MODELS = DNN_MODELS + CNN_MODELS + RESNET_MODELS

# ResNet18og takes ResNet18's hyperparameters, as in the source study, so it is not tuned.
TUNED_MODELS = DNN_MODELS + CNN_MODELS + ("ResNet18_nowig", "ResNet18")
CONV_MODELS = CNN_MODELS + RESNET_MODELS
PRETRAINED_MODELS = ("ResNet18", "ResNet18og")
# Groups of patients that are set against each other.
SUBGROUPS = (("women", "men"), ("younger", "older"))


@dataclass(frozen=True)
class Layout:
    """Paths inside one study folder `root` (by default `artifacts/<profile>`); creates nothing."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance.json"

    @property
    def manifest(self) -> Path:
        """List of {path, sha256, stage}, written last: it exists only when a whole study is done."""
        return self.root / "manifest.json"

    @property
    def records(self) -> Path:
        """One completion record per unit of work; what makes a second run redo nothing."""
        return self.root / ".records"

    @property
    def unfinished(self) -> Path:
        """Finished trials of an unfinished search, finished folds; removed when the study is done."""
        return self.root / ".unfinished"

    @property
    def patients(self) -> Path:
        return self.root / "data" / "patients.csv"

    @property
    def dataset(self) -> Path:
        return self.root / "data" / "dataset.json"

    @property
    def slices(self) -> Path:
        return self.root / "data" / "slices.npy"

    @property
    def lesions(self) -> Path:
        return self.root / "data" / "lesions.npy"

    @property
    def read(self) -> Path:
        """Journal of the patients in `slices`, so that none of them has to be read again."""
        return self.root / "data" / ".read.jsonl"

    @property
    def reading(self) -> Path:
        """What a data stage that is not done has read so far, for the next run to go on from."""
        return self.root / "data" / ".reading"

    @property
    def elsewhere(self) -> "Layout":
        """A folder of the same layout for the data of patients from elsewhere; it holds nothing else."""
        return Layout(self.root / "external")

    def pretraining(self, name: str) -> Path:
        return self.root / "pretraining" / name

    def tuning(self, model: str, suffix: str = "csv") -> Path:
        return self.root / "tuning" / f"{model}.{suffix}"

    def tuning_runs(self, model: str) -> Path:
        """Every run of every trial, where trials were repeated; `tuning` holds their means."""
        return self.root / "tuning" / f"{model}-runs.csv"

    def model(self, model: str, name: str, run: int = 0) -> Path:
        """A file of a trained model; the first run lies in the model's folder, the others in `runs/<run>` of it."""
        return _of_run(self.root / "models" / model, run) / name

    def evaluation(self, model: str, name: str, run: int = 0) -> Path:
        """A file of a model's evaluation, by run like those of `model`."""
        return _of_run(self.root / "evaluation" / model, run) / name

    @property
    def comparison(self) -> Path:
        return self.root / "evaluation" / "comparison.json"

    @property
    def control(self) -> Path:
        """What the training on shuffled labels found."""
        return self.root / "evaluation" / "control.json"

    @property
    def learning_curve(self) -> Path:
        """What networks would have reached that learn from fewer patients."""
        return self.root / "evaluation" / "learning_curve.json"

    @property
    def running_statistics(self) -> Path:
        """How far running statistics lag behind the weights while the better CNN trains."""
        return self.root / "evaluation" / "running_statistics.json"

    def folds(self, suffix: str) -> Path:
        """The cross-validation: probabilities of all patients (`csv`) and what follows from them (`json`)."""
        return self.root / "evaluation" / f"folds.{suffix}"

    def external(self, suffix: str) -> Path:
        """The test on patients from elsewhere: their probabilities (`csv`) and what follows from them (`json`)."""
        return self.root / "evaluation" / f"external.{suffix}"

    @property
    def decisions(self) -> Path:
        """95 % intervals of the metrics of all decisions."""
        return self.root / "evaluation" / "decisions.json"

    @property
    def examples(self) -> Path:
        return self.root / "explanations" / "examples.npz"

    def explanation(self, model: str, name: str) -> Path:
        return self.root / "explanations" / model / name

    @property
    def agreement(self) -> Path:
        """How much the maps of two networks agree."""
        return self.root / "explanations" / "agreement.json"

    @property
    def extents(self) -> Path:
        """How wide the maps of all networks are."""
        return self.root / "explanations" / "extents.json"

    def without_lesions(self, suffix: str) -> Path:
        """The test patients scored with their lesions filled in: their probabilities (`csv`) and what follows from them (`json`)."""
        return self.root / "explanations" / f"without_lesions.{suffix}"

    def shortcut(self, suffix: str) -> Path:
        """Networks that have learned from marks planted in severe patients: what became of them (`json`) and their maps (`npz`)."""
        return self.root / "explanations" / f"shortcut.{suffix}"

    @property
    def browsed_patients(self) -> Path:
        """Small copies of the test patients' slices and lesions."""
        return self.root / "explanations" / "patients.npz"

    def browsed_maps(self, model: str) -> Path:
        """Saliency of a compared model for every test patient."""
        return self.root / "explanations" / "maps" / f"{model}.npz"


def named_path(text: str) -> Path:
    """A path as people write it, where `~` is their home; shells expand it at the beginning of a word alone."""
    return Path(expand_home(text))


def expand_home(text: str) -> str:
    """`text` with the user's home for a leading `~`, unchanged where there is none or nobody knows it."""
    return os.path.expanduser(text)  # noqa: PTH111  # pathlib's raises where the home is not known


def forbidden(folder: Path) -> Path | None:
    """`folder` or, where it is not there yet, the nearest one above it, if the system does not let us write into it; else None."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return None if os.access(nearest, os.W_OK) else nearest


def _of_run(folder: Path, run: int) -> Path:
    return folder / "runs" / str(run) if run else folder
