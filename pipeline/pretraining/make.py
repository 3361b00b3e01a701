"""The pretraining stage: finds or makes the weights that ResNet18 and ResNet18og start from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipeline.data.dataset import new_array
from pipeline.device import Backend
from pipeline.engine import Engine, core_count
from pipeline.errors import NoImageNet
from pipeline.layout import Layout
from pipeline.models.pretrained import fetch_imagenet, read_weights
from pipeline.pretraining.images import ImageJob, make_images
from pipeline.pretraining.train import PretrainJob, pretrain
from pipeline.progress import Progress
from pipeline.records import write_csv, write_json
from pipeline.settings import Settings
from pipeline.weights import write_weights

HISTORY_COLUMNS = ("epoch", "train_loss", "held_out_accuracy")


# A job makes so many images at a time.
IMAGES_A_JOB = 200


def make_pretrained(settings: Settings, layout: Layout, backend: Backend, engine: Engine, cores: Engine,
                    progress: Progress) -> list[Path]:
    """Write pretraining/{weights.safetensors, settings.json, history.csv}; settings.json says which kind it is.

    cores: an engine that makes the images, while `engine` trains on them.
    """
    kind, weights, history = _find(settings, progress)
    if weights is None:
        with _image_set(settings, layout, cores, progress) as images, progress.bar("pretrain", 1) as bar:
            for _, result in engine.run(pretrain, [PretrainJob(images, settings, backend, core_count())], [core_count()]):
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


@contextmanager
def _image_set(settings: Settings, layout: Layout, cores: Engine, progress: Progress) -> Iterator[Path]:
    """A file with the images for as long as they are wanted: uint8 (image, channel, y, x), the classes in turn."""
    path, count, size = layout.unfinished / "images.npy", settings.pretrain_images, settings.pretrain_size
    jobs = [ImageJob(first, min(first + IMAGES_A_JOB, count), settings.pretrain_classes, size, settings.seed)
            for first in range(0, count, IMAGES_A_JOB)]
    try:
        images = new_array(path, np.uint8, (count, 3, size, size))
        with progress.bar("images", len(jobs)) as bar:
            for index, made in cores.run(make_images, jobs):
                images[jobs[index].first : jobs[index].last] = made
                bar.advance()
        images.flush()
        del images
        yield path
    finally:
        path.unlink(missing_ok=True)


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
