"""The units of work of a study and what each depends on; computes nothing and imports no torch."""

from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.data.fingerprint import fingerprint
from pipeline.data.tables import rows_of
from pipeline.layout import CNN_MODELS, CONV_MODELS, MODELS, PRETRAINED_MODELS, TUNED_MODELS
from pipeline.ledger import Ledger, Record, code_digest, digest_of
from pipeline.settings import Settings

# How the stages read what was written before, and score and train with it.
READING = ("data/dataset.py", "data/split.py", "weights.py")
SCORING = (*READING, "models", "training/predict.py", "training/parts.py", "spread.py", "device.py")
TRAINING = (*READING, "models", "training", "evaluation/patient_means.py", "evaluation/roles.py", "spread.py", "device.py")
# What every stage, and a step of its own, computes with.
CODE = {
    "data": ("data",),
    "pretrain": (*SCORING, "pretraining", "training/adam.py", "training/replay.py"),
    "tune": TRAINING,
    "train": TRAINING,
    "evaluate": (*SCORING, "evaluation"),
    "control": (*TRAINING, "evaluation"),
    "running statistics": (*TRAINING, "evaluation"),
    "learning curve": (*TRAINING, "evaluation"),
    "folds": (*TRAINING, "evaluation"),
    "external test": (*SCORING, "evaluation"),
    "decisions": ("evaluation/decisions.py", "evaluation/metrics.py", "evaluation/thresholds.py"),
    "explain": (*SCORING, "explanations", "evaluation/metrics.py", "evaluation/ranks.py", "evaluation/thresholds.py"),
    "extents": ("explanations/extent.py", "explanations/extents.py", "evaluation/auc.py", "evaluation/differences.py",
                "evaluation/metrics.py", "evaluation/student.py", "evaluation/thresholds.py"),
    "agreement": ("explanations/agreement.py", "data/dataset.py", "data/split.py", "evaluation", "spread.py"),
    "without lesions": (*SCORING, "explanations", "evaluation"),
    "shortcut": (*TRAINING, "explanations", "evaluation"),
}
SETTINGS = {
    "data": ("seed", "source", "source_path", "patients", "image_size", "slices", "window", "split"),
    "pretrain": ("seed", "weights", "pretrain_images", "pretrain_classes", "pretrain_size", "pretrain_epochs", "fast"),
    "tune": ("seed", "batch_size", "epochs_tuning", "monitor_slices", "last_epochs", "fast", "search", "seeds"),
    "train": ("seed", "batch_size", "monitor_slices", "fast", "seeds"),
    "evaluate": ("fast", "seeds"),
    "control": ("seed", "batch_size", "epochs_tuning", "monitor_slices", "fast", "controls"),
    "running statistics": ("seed", "batch_size", "epochs_tuning", "monitor_slices", "fast"),
    "learning curve": ("seed", "batch_size", "epochs_small", "epochs_resnet", "monitor_slices", "fast", "seeds", "learning_curve"),
    "folds": ("seed", "batch_size", "epochs_small", "epochs_resnet", "monitor_slices", "fast", "folds", "nested"),
    "external data": ("seed", "external", "external_path", "external_patients", "image_size", "slices", "window"),
    "external test": ("seed", "draws", "fast", "seeds"),
    "decisions": ("seed", "draws", "folds"),
    "explain": ("seeds",),
    "extents": (),
    "agreement": (),
    "without lesions": ("fast", "seeds"),
    "shortcut": ("seed", "batch_size", "epochs_small", "epochs_resnet", "monitor_slices", "fast", "shortcut"),
}
# Units that are a step of their stage of their own.
STEPS = {
    "data/external": "external data", "evaluate/comparison": "compare", "evaluate/control": "control",
    "evaluate/running_statistics": "running statistics", "evaluate/learning_curve": "learning curve",
    "evaluate/folds": "folds", "evaluate/external": "external test",
    "evaluate/decisions": "decisions",
    "explain/extents": "extents", "explain/agreement": "agreement", "explain/without_lesions": "without lesions",
    "explain/shortcut": "shortcut",
}


@dataclass(frozen=True)
class Unit:
    """One piece of work: its stage, what it works on (a model, or nothing), and the units it reads from."""

    stage: str
    subject: str
    inputs: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.stage}/{self.subject}" if self.subject else self.stage

    @property
    def step(self) -> str:
        """The part of its stage in which it is done."""
        return STEPS.get(self.name, self.stage)


def _pretrain_for(model: str) -> tuple[str, ...]:
    return ("pretrain",) if model in PRETRAINED_MODELS else ()


def _search_of(model: str) -> str:
    return f"tune/{'ResNet18' if model == 'ResNet18og' else model}"


def all_units(settings: Settings) -> list[Unit]:
    """Every unit of a study, in an order in which each comes after its inputs."""
    folds = Unit("evaluate", "folds", ("data", "pretrain", *(f"tune/{model}" for model in TUNED_MODELS),
                                       *(f"evaluate/{model}" for model in MODELS), "evaluate/comparison"))
    folded = [folds] if settings.folds > 1 else []
    elsewhere = settings.external != "none"
    external = Unit("evaluate", "external", ("data", "data/external", *(f"train/{model}" for model in MODELS),
                                             *(f"evaluate/{model}" for model in MODELS), "evaluate/comparison"))
    return [
        Unit("data", "", ()),
        *([Unit("data", "external", ("data",))] if elsewhere else []),
        Unit("pretrain", "", ()),
        *(Unit("tune", model, ("data", *_pretrain_for(model))) for model in TUNED_MODELS),
        *(Unit("train", model, ("data", *_pretrain_for(model), _search_of(model))) for model in MODELS),
        *(Unit("evaluate", model, ("data", f"train/{model}")) for model in MODELS),
        Unit("evaluate", "comparison", ("data", *(f"evaluate/{model}" for model in MODELS))),
        Unit("evaluate", "control", ("data", "evaluate/comparison", *(f"tune/{model}" for model in CNN_MODELS))),
        Unit("evaluate", "running_statistics", ("data", "evaluate/comparison", *(f"tune/{model}" for model in CNN_MODELS))),
        Unit("evaluate", "learning_curve", ("data", "pretrain", *(f"tune/{model}" for model in (*CNN_MODELS, "ResNet18")),
                                            *(f"evaluate/{model}" for model in (*CNN_MODELS, "ResNet18og")), "evaluate/comparison")),
        *folded,
        *([external] if elsewhere else []),
        Unit("evaluate", "decisions", (*(f"evaluate/{model}" for model in MODELS), *(unit.name for unit in folded))),
        Unit("explain", "examples", ("data",)),
        *(Unit("explain", model, ("data", f"train/{model}", f"evaluate/{model}")) for model in CONV_MODELS),
        Unit("explain", "patients", ("data", "evaluate/comparison", *(f"train/{model}" for model in MODELS))),
        Unit("explain", "extents", ("evaluate/comparison", *(f"explain/{model}" for model in CONV_MODELS))),
        Unit("explain", "agreement", ("evaluate/comparison", *(f"evaluate/{model}" for model in MODELS), "explain/patients")),
        Unit("explain", "without_lesions", ("data", *(f"{stage}/{model}" for stage in ("train", "evaluate") for model in MODELS))),
        Unit("explain", "shortcut", ("data", "pretrain", *(f"tune/{model}" for model in (*CNN_MODELS, "ResNet18")),
                                     *(f"{stage}/{model}" for stage in ("train", "evaluate") for model in (*CNN_MODELS, "ResNet18og")),
                                     "evaluate/comparison")),
    ]


def unit_digest(unit: Unit, settings: Settings, ledger: Ledger) -> str | None:
    """Digest of all a unit depends on: settings, code, and the content of its inputs.

    None while an input has no record yet, so that nothing can be said.
    """
    inputs: dict[str, dict[str, str]] = {}
    for name in unit.inputs:
        record: Record | None = ledger.find(name)
        if record is None:
            return None
        inputs[name] = record.content()
    return digest_of({
        "unit": unit.name,
        "code": code_digest(CODE.get(unit.step, CODE[unit.stage])),
        "settings": {key: getattr(settings, key) for key in SETTINGS.get(unit.step, SETTINGS[unit.stage])},
        "more": _particular_settings(unit, settings),
        "inputs": inputs,
    })


def _particular_settings(unit: Unit, settings: Settings) -> object:
    if unit.stage == "tune":
        return asdict(settings.grid[unit.subject])
    if unit.stage == "train":
        return settings.final_epochs(unit.subject)
    if unit.step == "folds" and settings.nested:
        grids = {model: asdict(grid) for model, grid in settings.grid.items()}
        return [settings.epochs_tuning, settings.last_epochs, settings.search, grids]
    path = {"data": settings.source_path, "data/external": settings.external_path}.get(unit.name)
    if path:
        return fingerprint([Path(path), *_listed(Path(path))])
    if unit.stage == "pretrain" and settings.weights.endswith(".safetensors"):
        return fingerprint([Path(settings.weights)])
    return None


def _listed(table: Path) -> list[Path]:
    """The files and folders a CSV names; none where it cannot be read, which the data stage will tell."""
    if table.suffix != ".csv" or not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = list(rows_of(file))
    names = {(row.get(column) or "").strip() for row in rows for column in ("path", "mask", "lesions", "id")} - {""}
    return [table.parent / f"{name}{suffix}" for name in names for suffix in ("", ".npy", ".npz")]
