"""The settings of a study: a TOML profile, changed by `--set key=value`, checked before any work starts."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from pipeline.errors import BadSetting, UnknownName
from pipeline.layout import RESNET_MODELS, TUNED_MODELS, expand_home

PROFILES = ("tiny", "quick", "paper")
SOURCES = ("synthetic", "stoic", "volumes", "slices")
SYNTHETIC = ("synthetic", "synthetic-low-dose")  # need no path
EXTERNAL = ("none", *SYNTHETIC, *SOURCES[1:])
WEIGHTS = ("auto", "imagenet", "procedural")
SEARCHED = ("lr", "wd", "mp")
SEARCHES = ("coordinate", "grid")

# Below 128 pixels CNN1 and CNN2 have no feature map left in front of their first linear layer.
SMALLEST_IMAGE = 128
# Beyond these only a slip of the finger asks for more; the seed has to fit into the generators of numpy and torch.
MOST_PATIENTS, FURTHEST_HU, LARGEST_SEED = 100_000, 100_000, 2**32 - 1
# Slices watched after each epoch where the setting leaves the number to the machine and it has no fast arithmetic.
FEW_SLICES = 2
# Of settings that stored ones may lack, having been written before these were thought of.
SINCE = {"learning_curve": 0, "shortcut": False}


@dataclass(frozen=True)
class Grid:
    """Values the coordinate search tries for one model. The first wd and mp are held while lr is searched."""

    lr: tuple[float, ...]
    wd: tuple[float, ...]
    mp: tuple[float, ...]


@dataclass(frozen=True)
class Settings:
    """All settings of one study.

    Attributes
    ----------
    profile: name of the profile the settings started from.
    seed: seeds everything that is random.
    source: one of SOURCES; source_path: folder or CSV it reads (empty for synthetic).
    patients: number of patients drawn (synthetic, stoic); other sources take all they find.
    image_size: side of the square slices, pixels.
    slices: axial slices kept per patient.
    window: lower and upper edge of the HU window, mapped to 0 and 1.
    split: fractions of patients for training, validation and test.
    weights: `auto`, `imagenet`, `procedural`, or the path of a safetensors file.
    external: one of EXTERNAL, the source of other patients on whom the trained networks are tested; where it is not given, a
        synthetic study is tested on another synthetic scanner and any other study on nobody.
    external_path: folder or CSV it reads; external_patients: number of patients drawn (synthetic, stoic).
    batch_size: training slices per step.
    epochs_tuning, epochs_small, epochs_resnet: epochs of a trial, of a final DNN or CNN, of a final ResNet.
    monitor_slices: slices per patient averaged when the validation set is scored after each epoch
        (the final evaluation always averages all of them); 0 is all of them where bfloat16 is computed in hardware, which
        makes it cheap, and FEW_SLICES elsewhere.
    search: `coordinate` (lr, then wd, then mp) or `grid` (every combination).
    seeds: how often every trial and every final training is run, each time with other random weights and another order of
        batches; the data, their split and the pretrained weights stay the same.
    folds: how many folds the patients are dealt into, so that each is tested once; 1 tests the study's own test set alone.
        Validation and test sets hold one fold each, so where `split` is not given it follows from the folds.
    nested: search the hyperparameters anew in every fold, so that no patient helps to choose those he or she is tested with.
    last_epochs: the search compares the mean validation loss of this many last epochs.
    pretrain_*: size of the procedural pretraining.
    controls: trainings on shuffled labels, which must find nothing; 0 for none.
    learning_curve: how often fewer training patients are drawn, to tell what more of them bring; 0 for not at all.
    shortcut: whether networks also learn from marks planted in severe patients, to tell whether maps would show such a shortcut.
    draws: random draws behind each interval of a metric.
    fast: use the fast paths the machine offers (bf16 autocast, channels_last, one process per core).
    grid: per model, the values searched.
    """

    profile: str
    seed: int
    source: str
    source_path: str
    patients: int
    image_size: int
    slices: int
    window: tuple[float, ...]
    split: tuple[float, ...]
    weights: str
    external: str
    external_path: str
    external_patients: int
    batch_size: int
    epochs_tuning: int
    epochs_small: int
    epochs_resnet: int
    monitor_slices: int
    last_epochs: int
    pretrain_images: int
    pretrain_classes: int
    pretrain_size: int
    pretrain_epochs: int
    draws: int
    controls: int
    learning_curve: int
    shortcut: bool
    fast: bool
    search: str
    seeds: int
    folds: int
    nested: bool
    grid: dict[str, Grid]

    def final_epochs(self, model: str) -> int:
        """Epochs of the final training of `model`."""
        return self.epochs_resnet if model in RESNET_MODELS else self.epochs_small

    def watching(self, bf16: bool) -> "Settings":
        """These settings with the number of watched slices settled; bf16: whether the machine computes in bfloat16."""
        if self.monitor_slices:
            return self
        return replace(self, monitor_slices=self.slices if bf16 else min(FEW_SLICES, self.slices))

    def as_json(self) -> dict[str, object]:
        """The settings as plain JSON values."""
        return asdict(self)


def restored(values: Mapping) -> Settings | None:
    """The settings that `as_json` gave these values of; None where another version of the program, or none, wrote them."""
    try:
        grid = {model: Grid(**{name: tuple(tried) for name, tried in one.items()}) for model, one in values["grid"].items()}
        plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return Settings(**SINCE | plain | {"grid": grid})
    except (AttributeError, KeyError, TypeError):
        return None


def load_settings(profile: str, overrides: Sequence[str] = ()) -> Settings:
    """Settings of a profile with `key=value` overrides applied and every value checked.

    `lr`, `wd` and `mp` set the grid of all models; `MODEL.lr` and so on the grid of one.
    Raises UnknownName and BadSetting.
    """
    if profile not in PROFILES:
        raise UnknownName("profile", profile, PROFILES)
    text = (Path(__file__).parent / "profiles" / f"{profile}.toml").read_text(encoding="utf-8")
    settings = _from_table(profile, tomllib.loads(text))
    for override in overrides:
        settings = _apply(settings, override)
    given = {override.partition("=")[0].strip() for override in overrides}
    if settings.folds > 2 and "split" not in given:
        settings = replace(settings, split=((settings.folds - 2) / settings.folds, 1 / settings.folds, 1 / settings.folds))
    if settings.source != "synthetic" and "external" not in given:
        settings = replace(settings, external="none")
    check(settings)
    return settings


def _from_table(profile: str, table: dict) -> Settings:
    grids = {
        model: Grid(**{key: tuple(map(float, grid[key])) for key in SEARCHED}) for model, grid in table.pop("grid").items()
    }
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Settings(profile=profile, fast=True, search="coordinate", seeds=1, folds=1, nested=False, grid=grids, **values)


def _apply(settings: Settings, override: str) -> Settings:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals:
        raise BadSetting(override, "", "write it as key=value, for example --set seed=7")
    if key.rpartition(".")[2] in SEARCHED:
        return _apply_grid(settings, key, text)
    known = [field.name for field in fields(Settings) if field.name not in ("profile", "grid")]
    if key not in known:
        everything = known + list(SEARCHED)
        raise UnknownName("setting", key, difflib.get_close_matches(key, everything, 3, 0.5) or everything)
    return replace(settings, **{key: _parse(key, text.strip(), getattr(settings, key))})


def _apply_grid(settings: Settings, key: str, text: str) -> Settings:
    model, _, coordinate = key.rpartition(".")
    if model and model not in TUNED_MODELS:
        raise UnknownName("model", model, TUNED_MODELS)
    values = _parse(key, text, (0.0,))
    chosen = [model] if model else list(settings.grid)
    changed = {name: replace(settings.grid[name], **{coordinate: values}) for name in chosen}
    return replace(settings, grid=settings.grid | changed)


def _parse(key: str, text: str, example: object) -> object:
    """Read `text` as the type that `example`, the profile's value, has."""
    try:
        if isinstance(example, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(example, int):
            return int(text.replace("_", ""))
        if isinstance(example, tuple):
            kind = type(example[0])
            return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
        return expand_home(text)  # names have no ~, paths may
    except (ValueError, KeyError):
        wanted = {bool: "true or false", int: "a whole number", tuple: "values separated by commas"}[type(example)]
        raise BadSetting(key, text, f"give {wanted}") from None


def check(settings: Settings) -> None:
    """Raise BadSetting or UnknownName at the first value that cannot work."""

    def require(key: str, holds: bool, rule: str) -> None:
        if not holds:
            raise BadSetting(key, getattr(settings, key), rule)

    _check_names(settings)
    require("image_size", settings.image_size >= SMALLEST_IMAGE,
            f"below {SMALLEST_IMAGE} pixels CNN1 and CNN2 have no feature map left; give {SMALLEST_IMAGE} or more")
    require("image_size", settings.image_size <= 1024, "give at most 1024")
    require("patients", settings.patients >= 10, "give at least 10, so that every split holds both classes")
    require("external_patients", settings.external_patients >= 2, "give at least 2, so that both classes are there")
    for key in ("patients", "external_patients"):
        require(key, getattr(settings, key) <= MOST_PATIENTS, f"give at most {MOST_PATIENTS}")
    for key in ("slices", "batch_size", "epochs_tuning", "epochs_small", "epochs_resnet", "last_epochs",
                "seeds", "pretrain_epochs", "draws"):
        require(key, getattr(settings, key) >= 1, "give 1 or more")
    require("pretrain_images", settings.pretrain_images >= 10, "give 10 or more; one in ten is held out")
    for key in ("controls", "learning_curve"):
        require(key, getattr(settings, key) >= 0, "give 1 or more, or 0 for none")
    require("monitor_slices", settings.monitor_slices >= 0, "give 1 or more, or 0 to leave it to the machine")
    require("batch_size", settings.batch_size >= 2, "batch normalisation needs at least 2 images in a batch")
    require("pretrain_classes", 2 <= settings.pretrain_classes <= settings.pretrain_images,
            "give 2 or more, and no more than pretrain_images")
    require("pretrain_size", settings.pretrain_size >= 32, "give 32 pixels or more")
    require("seed", 0 <= settings.seed <= LARGEST_SEED, f"give 0 to {LARGEST_SEED}")
    require("split", len(settings.split) == 3 and min(settings.split) > 0 and abs(sum(settings.split) - 1) < 1e-6,
            "give three positive fractions that add up to 1, for example 0.6,0.2,0.2")
    require("folds", settings.folds == 1 or settings.folds >= 3, "give 1 for none, or 3 or more")
    require("split", settings.folds == 1 or all(abs(part * settings.folds - 1) < 0.1 for part in settings.split[1:]),
            f"validation and test have to hold one of the {settings.folds} folds each; leave split out, and it follows from folds")
    require("nested", settings.folds > 1 or not settings.nested, "it belongs to a cross-validation; add --folds N")
    require("window", len(settings.window) == 2 and settings.window[0] < settings.window[1],
            "give the lower and then the upper edge in HU, for example -1000,400")
    require("window", max(map(abs, settings.window)) <= FURTHEST_HU, f"give edges from {-FURTHEST_HU} to {FURTHEST_HU} HU")
    require("source_path", bool(settings.source_path) or settings.source == "synthetic",
            f"the source '{settings.source}' needs a path; add --set source_path=PATH")
    require("external_path", bool(settings.external_path) or settings.external in ("none", *SYNTHETIC),
            f"the external source '{settings.external}' needs a path; add --set external_path=PATH")
    for model, grid in settings.grid.items():
        _check_grid(model, grid)


def _check_names(settings: Settings) -> None:
    if settings.source not in SOURCES:
        raise UnknownName("source", settings.source, SOURCES)
    if settings.external not in EXTERNAL:
        raise UnknownName("external source", settings.external, EXTERNAL)
    if settings.search not in SEARCHES:
        raise UnknownName("search", settings.search, SEARCHES)
    if settings.weights not in WEIGHTS and not settings.weights.endswith(".safetensors"):
        raise UnknownName("weights", settings.weights, (*WEIGHTS, "FILE.safetensors"))


def _check_grid(model: str, grid: Grid) -> None:
    rules = {
        "lr": (lambda value: 0 < value <= 1, "a learning rate lies above 0 and at most at 1"),
        "wd": (lambda value: 0 <= value <= 1, "a weight decay lies between 0 and 1"),
        "mp": (lambda value: 0 < value <= 1, "the multiplier of the learning rate lies above 0 and at most at 1"),
    }
    for coordinate, (holds, rule) in rules.items():
        values = getattr(grid, coordinate)
        if not values or len(set(values)) != len(values):
            raise BadSetting(f"{model}.{coordinate}", list(values), "give at least one value and none twice")
        for value in values:
            if not holds(value):
                raise BadSetting(f"{model}.{coordinate}", value, rule)
