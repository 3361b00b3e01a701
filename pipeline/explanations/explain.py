"""The explanation stage of one convolutional model: filters, activations, saliency, localisation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.device import Backend
from pipeline.evaluation.evaluate import load_trained
from pipeline.explanations.attribution import grad_cam, points_at_lesion, relevance_in_lesions, saliency
from pipeline.explanations.cases import Case, choose_cases
from pipeline.layout import Layout
from pipeline.models.placing import place
from pipeline.models.registry import first_convolution, stages_of
from pipeline.records import read_csv, read_json, write_json, write_npz
from pipeline.spread import spread_of
from pipeline.training.predict import as_input

CHANNELS_KEPT = 8
# Below 512 pixels the last maps of the CNNs shrink to a single pixel, which says nothing about places; then the deepest
# map that still has this many pixels a side stands for them.
SMALLEST_MAP = 4
ATTRIBUTIONS = ("saliency", "gradcam")
# Bits that stored attributions keep below their largest value: finer than a picture shows, and they compress to less than half.
KEPT_BITS = 10


@dataclass(frozen=True)
class ExplainJob:
    """Look into the first run of one trained model of the dataset under `root`, in fp32; localise lesions with all `runs`."""

    root: Path
    model: str
    runs: int
    backend: Backend
    threads: int


def explain_model(job: ExplainJob) -> list[Path]:
    """Write filters.npz, activations.npz, saliency.npz and cases.json of one model; return their paths."""
    torch.set_num_threads(job.threads)
    layout = Layout(job.root)
    dataset = load_dataset(layout)
    networks = [place(load_trained(layout, job.model, dataset.slices.shape[-1], run), job.backend).requires_grad_(False)
                for run in range(job.runs)]
    network, localisations = networks[0], [_localisation(job, each, dataset) for each in networks]
    scores = _test_scores(layout, job.model)
    cases = _cases(layout, job.model, scores)
    path = lambda name: layout.explanation(job.model, name)  # noqa: E731
    write_npz(path("filters.npz"), {"first": first_convolution(job.model, network).weight.detach().cpu().numpy()})
    write_npz(path("activations.npz"), _activations(job, network, dataset, cases))
    write_npz(path("saliency.npz"), _saliency(job, network, dataset, cases))
    write_json(path("cases.json"), {
        "cases": [_describe(case, scores) for case in cases],
        "localisation": localisations[0],
        **({"localisation_spread": spread_of(localisations) if localisations[0] else None} if job.runs > 1 else {}),
    })
    return [path(name) for name in ("filters.npz", "activations.npz", "saliency.npz", "cases.json")]


def _test_scores(layout: Layout, model: str) -> list[dict[str, str]]:
    return [row for row in read_csv(layout.evaluation(model, "scores.csv"), "evaluate") if row["split"] == "test"]


def _cases(layout: Layout, model: str, rows: list[dict[str, str]]) -> list[Case]:
    by_slice = np.array([[float(value) for name, value in row.items() if name.startswith("slice_")] for row in rows])
    threshold = read_json(layout.evaluation(model, "confusion.json"), "evaluate")["gmean"]["threshold"]
    return choose_cases(np.array([int(row["label"]) for row in rows]), by_slice, threshold)


def _describe(case: Case, rows: list[dict[str, str]]) -> dict:
    row = rows[case.position]
    return {"outcome": case.outcome, "patient": row["id"], "slice": case.slice, "label": int(row["label"]),
            "probability": float(row["probability"])}


def _image(dataset: Dataset, case: Case) -> np.ndarray:
    return np.asarray(dataset.slices[dataset.members("test")[case.position], case.slice])


def _activations(job: ExplainJob, network, dataset: Dataset, cases: list[Case]) -> dict[str, np.ndarray]:
    """Per right case `<outcome>.input` (y, x), `<outcome>.<layer>` (channel, y, x) of the strongest channels, and
    `<outcome>.output` (y, x), the mean of the deepest layer with a map worth seeing over all channels. float16, except
    the input float32."""
    arrays: dict[str, np.ndarray] = {}
    for case in (case for case in cases if case.outcome in ("tp", "tn")):
        image = _image(dataset, case).astype(np.float32)
        arrays[f"{case.outcome}.input"] = image
        maps = _layer_outputs(job.model, network, as_input(torch.from_numpy(image[None, None]), job.backend))
        for name, value in maps.items():
            strongest = np.argsort(-value.reshape(len(value), -1).std(axis=1), kind="stable")[:CHANNELS_KEPT]
            arrays[f"{case.outcome}.{name}"] = value[np.sort(strongest)].astype(np.float16)
        arrays[f"{case.outcome}.output"] = maps[_deepest(maps)].mean(axis=0).astype(np.float16)
    return arrays


def _layer_outputs(model: str, network, image: torch.Tensor) -> dict[str, np.ndarray]:
    """Output of each stage for one image (1, 1, y, x): float32 (channel, y, x)."""
    outputs: dict[str, np.ndarray] = {}

    def keep(name: str):
        return lambda module, inputs, output: outputs.__setitem__(name, output[0].detach().cpu().numpy())

    hooks = [stage.register_forward_hook(keep(name)) for name, stage in stages_of(model, network).items()]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return outputs


def _deepest(maps: dict[str, np.ndarray]) -> str:
    """The last layer whose maps (channel, y, x) have at least SMALLEST_MAP pixels a side."""
    return [name for name, value in maps.items() if min(value.shape[1:]) >= SMALLEST_MAP][-1]


def _attributions(job: ExplainJob, network, planes: np.ndarray) -> dict[str, np.ndarray]:
    images = as_input(torch.from_numpy(np.array(planes))[:, None], job.backend)  # a copy: the dataset is read-only
    layer = stages_of(job.model, network)[_deepest(_layer_outputs(job.model, network, images[:1]))]
    return {"saliency": saliency(network, images), "gradcam": grad_cam(network, layer, images)}


def _saliency(job: ExplainJob, network, dataset: Dataset, cases: list[Case]) -> dict[str, np.ndarray]:
    """Per case `<outcome>.input`, `.saliency`, `.gradcam` and, where known, `.lesions`, each (y, x)."""
    arrays: dict[str, np.ndarray] = {}
    for case in cases:
        image = _image(dataset, case)
        arrays[f"{case.outcome}.input"] = image
        for name, value in _attributions(job, network, image[None]).items():
            arrays[f"{case.outcome}.{name}"] = rounded(value[0])
        if dataset.lesions is not None:
            arrays[f"{case.outcome}.lesions"] = np.asarray(
                dataset.lesions[dataset.members("test")[case.position], case.slice])
    return arrays


def rounded(attribution: np.ndarray) -> np.ndarray:
    """An attribution (y, x) in steps of 2 to the power of -KEPT_BITS of the power of two at or above its largest value; float32."""
    top = float(attribution.max(initial=0.0))
    step = 2.0 ** (np.ceil(np.log2(top)) - KEPT_BITS) if top > 0 else 1.0
    return (np.round(attribution / step) * step).astype(np.float32)


def _localisation(job: ExplainJob, network, dataset: Dataset) -> dict | None:
    """How much of each attribution falls into lesions, over the central slices of the test patients that show any.

    `chance` is the share of the lungs that is lesion: what an attribution spread evenly over the lungs would reach.
    None where the data hold no lesion masks.
    """
    if dataset.lesions is None:
        return None
    test = dataset.members("test")
    planes, masks = (np.asarray(array[test, dataset.central]) for array in (dataset.slices, dataset.lesions))
    shown = masks.any(axis=(1, 2))
    planes, masks = planes[shown], masks[shown]
    if not len(planes):
        return None
    lungs = planes > 0
    result = {"slices": len(planes), "chance": float(np.mean([m[k].mean() for m, k in zip(masks, lungs, strict=True)]))}
    maps: dict[str, list[np.ndarray]] = {name: [] for name in ATTRIBUTIONS}
    for start in range(0, len(planes), 16):
        for name, values in _attributions(job, network, planes[start : start + 16]).items():
            maps[name].extend(values)
    for name, values in maps.items():
        # Only the lungs can hold lesions: relevance on the background is reported apart, as `outside`.
        shares = [relevance_in_lesions(value * lung, mask) for value, lung, mask in zip(values, lungs, masks, strict=True)]
        known = [share for share in shares if share is not None]
        outside = [float((value * ~lung).sum() / value.sum()) for value, lung in zip(values, lungs, strict=True) if value.sum() > 0]
        result[name] = {
            "mass": float(np.mean(known)) if known else None,
            "pointing": float(np.mean([points_at_lesion(v, m) for v, m in zip(values, masks, strict=True)])),
            "outside": float(np.mean(outside)) if outside else None,
        }
    return result
