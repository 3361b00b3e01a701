"""Whether this study would notice a shortcut: one is planted, learned, and looked for with the study's own maps.

What goes along with a label without being the disease, such as cables and captions, is learned in its place, and the test set, which has
it too, does not show it (DeGrave et al. 2021, doi:10.1038/s42256-021-00338-7). Maps may show it, or may not (Adebayo et al. 2022, ICLR).
Where the mark has been planted, it is known where they should point, on any data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from torch import nn

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.device import Backend
from pipeline.engine import core_count
from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.compare import read_scores
from pipeline.evaluation.differences import compare_aucs, correct
from pipeline.evaluation.patient_means import patient_mean
from pipeline.evaluation.retrained import better_cnn, plan_again, train_network
from pipeline.evaluation.scoring import score_split
from pipeline.explanations.attribution import points_at_lesion
from pipeline.explanations.localisation import localise
from pipeline.explanations.maps import ATTRIBUTIONS, attributions, rounded
from pipeline.explanations.marks import plant
from pipeline.layout import RESNET_MODELS, Layout
from pipeline.models.placing import place
from pipeline.models.registry import build_model
from pipeline.models.trained import load_trained
from pipeline.records import write_json, write_npz
from pipeline.settings import Settings
from pipeline.training.loop import TrainingData, gather_training_data
from pipeline.training.predict import predict_slices
from pipeline.training.trial import TrainJob

# Whom the marks are planted in when a network is tested, by the label of these patients.
CARRIERS = {"severe": 1, "nobody": None, "mild": 0}
MOST_THREADS = 4  # of a ResNet's training: it has the cores for itself, and a batch of small slices keeps no more of them busy


@dataclass(frozen=True)
class ShortcutJob(TrainJob):
    """A final training on marked patients; own: what the study's own network gives each test patient as they are, (patient,)."""

    own: tuple[float, ...] = ()


@dataclass(frozen=True)
class Planted:
    """What became of one network.

    Attributes
    ----------
    found: for the study's `own` network and for the one that has `learned` from marked patients, the `auc` on the test set by CARRIERS with
        its 95 % interval, and in `maps` what `localise` gives for the marks of the severe test patients' central slices; `difference`, how
        far the AUC of the latter lies from that of the former where the mild carry the marks; and by kind of map, in `pointing`, the `p` of
        their being as likely to point at the mark. None where training diverged.
    picture: of the central slice of the severe patient with the highest probability after such training, `input`, `mark` (uint8), and
        `<own or learned>.<kind>`, (y, x).
    """

    found: dict | None
    picture: dict[str, np.ndarray]


def plan_shortcut(settings: Settings, layout: Layout, backend: Backend) -> list[ShortcutJob]:
    """Final trainings of ResNet18og and of the better CNN; none where the study is told to leave them out."""
    models = ["ResNet18og", better_cnn(layout)] if settings.shortcut else []
    jobs = [job for model in models for job in plan_again(model, settings.final_epochs(model), 1, settings, layout, backend)]
    planned = [ShortcutJob(**vars(job), own=tuple(read_scores(layout, job.model, "test").tolist())) for job in jobs]
    return [replace(job, threads=min(core_count(), MOST_THREADS)) if job.model in RESNET_MODELS else job for job in planned]


def learn_shortcut(job: ShortcutJob) -> Planted:
    """Train with a mark in every severe patient and in no mild one; then test, and look into that network and the study's own."""
    layout = Layout(job.root)
    dataset = load_dataset(layout)
    learned = train_network(job, dataset, with_marks(gather_training_data(dataset, job.monitor_slices), dataset))
    own = place(load_trained(layout, job.model, dataset.slices.shape[-1]), job.backend)
    networks = {"own": own, "learned": learned}
    labels = dataset.labels[dataset.members("test")]
    plain = {"own": np.array(job.own), "learned": patient_mean(score_split(learned, dataset, "test", job.backend))}
    marked = {name: score_marked(network, dataset, job.backend) for name, network in networks.items()}
    if not np.isfinite([*plain.values(), *marked.values()]).all():
        return Planted(None, {})
    scores = {name: {carriers: np.where(labels == label, marked[name], plain[name]) for carriers, label in CARRIERS.items()}
              for name in networks}
    found, picture = _look(job, dataset, networks, marked["learned"])
    for name, by_carriers in scores.items():
        found[name]["auc"] = {carriers: auc_with_interval(labels, values) for carriers, values in by_carriers.items()}
    [difference] = compare_aucs(labels, {name: scores[name]["mild"] for name in ("learned", "own")})
    found["difference"] = {name: getattr(difference, name) for name in ("difference", "low", "high", "p")}
    return Planted(found, picture)


def with_marks(data: TrainingData, dataset: Dataset) -> TrainingData:
    """The same slices, with a mark on those of severe patients."""
    images, watched = data.images.numpy().copy(), data.watched.numpy().copy()
    for stacks, split in ((images, "train"), (watched, "validation")):
        for row, patient in enumerate(dataset.members(split)):
            if dataset.labels[patient]:
                stacks[row], _ = plant(stacks[row], patient)
    return replace(data, images=torch.from_numpy(images), watched=torch.from_numpy(watched))


def score_marked(network: nn.Module, dataset: Dataset, backend: Backend) -> np.ndarray:
    """Probabilities of severe of the test patients, float64 (patient,), with marks in all of them."""
    stacks = (plant(dataset.slices[patient], patient)[0] for patient in dataset.members("test"))
    return np.array([patient_mean(predict_slices(network, torch.from_numpy(stack)[None], backend)).item() for stack in stacks])


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """p of two bool (n,) being true equally often, of the same slices (McNemar 1947, in its exact form).

    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(only_first, only_first + only_second).pvalue) if only_first + only_second else 1.0


def write_shortcut(layout: Layout, models: Sequence[str], planted: Sequence[Planted]) -> list[Path]:
    """Write shortcut.json and, where there is one, shortcut.npz with the pictures, their names after `<model>.`; return the paths.

    `found` is None where the study was told to leave it out. Else it holds what `Planted` describes, by model, with `p_holm` for the number
    of questions beside each `p`.
    """
    summary, pictures = layout.shortcut("json"), layout.shortcut("npz")
    found = {model: one.found for model, one in zip(models, planted, strict=True)}
    known = [one for one in found.values() if one]
    correct([one["difference"] for one in known])
    correct([row for one in known for row in one["pointing"].values()])
    write_json(summary, {"found": found or None})
    if not known:
        pictures.unlink(missing_ok=True)
        return [summary]
    named = zip(models, planted, strict=True)
    write_npz(pictures, {f"{model}.{name}": value for model, one in named for name, value in one.picture.items()})
    return [summary, pictures]


def _look(job: TrainJob, dataset: Dataset, networks: dict[str, nn.Module], scores: np.ndarray) -> tuple[dict, dict[str, np.ndarray]]:
    """`maps` of each network, `pointing`, and the picture; scores: of the test patients, (patient,), by which one is chosen."""
    test = dataset.members("test")
    severe = dataset.labels[test] == 1
    planted = [plant(dataset.slices[patient], patient) for patient in test[severe]]
    planes, marks = (np.stack([arrays[kind][dataset.central] for arrays in planted]) for kind in (0, 1))
    maps = {name: _maps(job, network, planes) for name, network in networks.items()}
    hits = {name: {kind: np.array([points_at_lesion(value, mark) for value, mark in zip(of[kind], marks, strict=True)])
                   for kind in ATTRIBUTIONS} for name, of in maps.items()}
    found = {name: {"maps": localise(of, planes, marks)} for name, of in maps.items()}
    found["pointing"] = {kind: {"p": mcnemar(hits["learned"][kind], hits["own"][kind])} for kind in ATTRIBUTIONS}
    shown = int(np.argmax(scores[severe]))
    return found, {"input": planes[shown], "mark": marks[shown].astype(np.uint8),
                   **{f"{name}.{kind}": rounded(of[kind][shown]) for name, of in maps.items() for kind in ATTRIBUTIONS}}


def _maps(job: TrainJob, network: nn.Module, planes: np.ndarray) -> dict[str, np.ndarray]:
    """In fp32, like those of the study's explanations: by kind, (n, y, x)."""
    backend = job.backend.in_fp32()
    exact = build_model(job.model, planes.shape[-1])
    exact.load_state_dict(network.state_dict())
    return attributions(job.model, place(exact.eval(), backend).requires_grad_(False), planes, backend)
