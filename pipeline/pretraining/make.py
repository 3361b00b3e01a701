"""The pretraining stage: finds or makes the weights that ResNet18 and ResNet18og start from."""

from pathlib import Path

from pipeline.device import Backend
from pipeline.engine import Engine, core_count
from pipeline.errors import NoImageNet
from pipeline.layout import Layout
from pipeline.models.pretrained import fetch_imagenet, read_weights
from pipeline.pretraining.train import PretrainJob, pretrain
from pipeline.progress import Progress
from pipeline.records import write_csv, write_json
from pipeline.settings import Settings
from pipeline.weights import write_weights

HISTORY_COLUMNS = ("epoch", "train_loss", "held_out_accuracy")


def make_pretrained(settings: Settings, layout: Layout, backend: Backend, engine: Engine, progress: Progress) -> list[Path]:
    """Write pretraining/{weights.safetensors, settings.json, history.csv}; settings.json says which kind it is."""
    kind, weights, history = _find(settings, progress)
    if weights is None:
        job = PretrainJob(settings, backend, core_count())
        with progress.bar("pretrain", 1) as bar:
            for _, result in engine.run(pretrain, [job], [core_count()]):
                kind, weights, history = "procedural", result.weights, result.history
                bar.advance()
    paths = [layout.pretraining(name) for name in ("weights.safetensors", "settings.json", "history.csv")]
    write_weights(paths[0], weights)
    write_json(paths[1], {
        "kind": kind, "wanted": settings.weights,
        **({"images": settings.pretrain_images, "classes": settings.pretrain_classes, "size": settings.pretrain_size,
            "epochs": settings.pretrain_epochs, "held_out_accuracy": history[-1]["held_out_accuracy"],
            "chance": 1 / settings.pretrain_classes} if kind == "procedural" else {}),
    })
    write_csv(paths[2], history, HISTORY_COLUMNS)
    return paths


def _find(settings: Settings, progress: Progress) -> tuple[str, dict | None, list[dict]]:
    """Weights that need no training: a file, or ImageNet; (`procedural`, None, []) where they must be made."""
    if settings.weights.endswith(".safetensors"):
        return "file", _arrays(read_weights(Path(settings.weights))), []
    if settings.weights == "procedural":
        return "procedural", None, []
    try:
        return "imagenet", _arrays(fetch_imagenet()), []
    except NoImageNet as error:
        if settings.weights == "imagenet":
            raise
        progress.say(f"pretrain: no ImageNet weights ({error.__cause__}); training on formula-made images instead")
        return "procedural", None, []


def _arrays(weights: dict) -> dict:
    return {name: value.numpy() for name, value in weights.items()}
