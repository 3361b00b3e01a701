"""The explanation stage of one convolutional model: filters, activations, saliency, and how far the maps can be trusted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.device import Backend
from pipeline.explanations.cases import Case, choose_cases, outcomes_of
from pipeline.explanations.extent import write_extents
from pipeline.explanations.faithfulness import faithfulness
from pipeline.explanations.gabor import describe_filters
from pipeline.explanations.inpainting import fill_patient
from pipeline.explanations.layers import deepest, layer_outputs
from pipeline.explanations.localisation import localise
from pipeline.explanations.maps import attributions, enlarged, logits_of, output_maps, rounded
from pipeline.explanations.resemblance import mean_resemblance, resemblance
from pipeline.layout import Layout
from pipeline.models.placing import place
from pipeline.models.registry import build_model, first_convolution
from pipeline.models.trained import load_trained
from pipeline.records import read_csv, read_json, write_json, write_npz
from pipeline.spread import spread_of
from pipeline.training.predict import as_input

CHANNELS_KEPT = 8
# Of the random weights that maps are compared with.
RANDOM_SEED = 0


@dataclass(frozen=True)
class ExplainJob:
    """Look into the first run of one trained model of the dataset under `root`, in fp32; check its maps with all `runs`."""

    root: Path
    model: str
    runs: int
    backend: Backend
    threads: int


def explain_model(job: ExplainJob) -> list[Path]:
    """Write filters.npz, filters.json, activations.npz, saliency.npz, extent.csv and cases.json of one model; return their paths."""
    torch.set_num_threads(job.threads)
    layout = Layout(job.root)
    dataset = load_dataset(layout)
    networks = [place(load_trained(layout, job.model, dataset.slices.shape[-1], run), job.backend).requires_grad_(False)
                for run in range(job.runs)]
    network = networks[0]
    scores = _test_scores(layout, job.model)
    decided = _decisions(layout, job.model, scores)
    cases = choose_cases(*decided)
    path = lambda name: layout.explanation(job.model, name)  # noqa: E731
    filters = first_convolution(job.model, network).weight.detach().cpu().numpy()
    write_npz(path("filters.npz"), {"first": filters})
    write_json(path("filters.json"), describe_filters(filters))
    write_npz(path("activations.npz"), _activations(job, network, dataset, cases))
    write_npz(path("saliency.npz"), _saliency(job, network, dataset, cases))
    looked = _look(job, network, dataset)
    patients = [{"id": row["id"], "outcome": outcome} for row, outcome in zip(scores, outcomes_of(*decided), strict=True)]
    write_extents(path("extent.csv"), patients, {"saliency": looked.maps["saliency"], "output": looked.output}, looked.planes)
    write_json(path("cases.json"), {
        "cases": [_describe(case, scores) for case in cases],
        "output_map": list(looked.output.shape[1:]),
        **_checks(job, networks, dataset, looked),
    })
    return [path(name) for name in ("filters.npz", "filters.json", "activations.npz", "saliency.npz", "extent.csv", "cases.json")]


def _test_scores(layout: Layout, model: str) -> list[dict[str, str]]:
    return [row for row in read_csv(layout.evaluation(model, "scores.csv"), "evaluate") if row["split"] == "test"]


def _decisions(layout: Layout, model: str, rows: list[dict[str, str]]) -> tuple[np.ndarray, np.ndarray, float]:
    """The parameters of `choose_cases`."""
    by_slice = np.array([[float(value) for name, value in row.items() if name.startswith("slice_")] for row in rows])
    threshold = read_json(layout.evaluation(model, "confusion.json"), "evaluate")["gmean"]["threshold"]
    return np.array([int(row["label"]) for row in rows]), by_slice, threshold


def _describe(case: Case, rows: list[dict[str, str]]) -> dict:
    row = rows[case.position]
    return {"outcome": case.outcome, "patient": row["id"], "slice": case.slice, "label": int(row["label"]),
            "probability": float(row["probability"])}


def _image(dataset: Dataset, case: Case) -> np.ndarray:
    return np.asarray(dataset.slices[dataset.members("test")[case.position], case.slice])


def _activations(job: ExplainJob, network, dataset: Dataset, cases: list[Case]) -> dict[str, np.ndarray]:
    """Per right case `<outcome>.input` (y, x), `<outcome>.<layer>` (channel, y, x) of the strongest channels, and
    `<outcome>.output` (y, x), the mean of the deepest layer with a map worth seeing over all channels, as `halved`
    stores them; the input float32."""
    arrays: dict[str, np.ndarray] = {}
    for case in (case for case in cases if case.outcome in ("tp", "tn")):
        image = _image(dataset, case).astype(np.float32)
        arrays[f"{case.outcome}.input"] = image
        maps = layer_outputs(job.model, network, as_input(torch.from_numpy(image[None, None]), job.backend))
        for name, value in maps.items():
            strongest = np.argsort(-value.reshape(len(value), -1).std(axis=1), kind="stable")[:CHANNELS_KEPT]
            arrays[f"{case.outcome}.{name}"] = halved(value[np.sort(strongest)])
        arrays[f"{case.outcome}.output"] = halved(maps[deepest(maps)].mean(axis=0))
    return arrays


@dataclass(frozen=True)
class Looked:
    """The test patients' central slices, (patient, y, x), their lesions where known, and what a network makes of them: its attributions
    by kind, (patient, y, x), and the mean of its last feature map, (patient, map y, map x)."""

    planes: np.ndarray
    lesions: np.ndarray | None
    maps: dict[str, np.ndarray]
    output: np.ndarray


def _look(job: ExplainJob, network, dataset: Dataset) -> Looked:
    test = dataset.members("test")
    planes, lesions = (None if array is None else np.asarray(array[test, dataset.central]) for array in (dataset.slices, dataset.lesions))
    maps, output = (function(job.model, network, planes, job.backend) for function in (attributions, output_maps))
    return Looked(planes, lesions, maps, output)


def _checks(job: ExplainJob, networks, dataset: Dataset, own: Looked) -> dict:
    """`localisation`, `resemblance` and `faithfulness` of the maps of the test patients' central slices; with several runs also the spread
    of the first.

    networks: one per run; the first is compared with its own kind at random weights and with the others.
    """
    at_random = attributions(job.model, _at_random(job, dataset), own.planes, job.backend)
    localisations, found = [_graded(own)], {"random": resemblance(own.maps, at_random, own.planes)}
    moved = faithfulness(own.maps, own.planes, own.lesions, lambda slices: logits_of(networks[0], slices, job.backend))
    checked = {"resemblance": found, "faithfulness": moved}
    others = []
    for network in networks[1:]:
        other = _look(job, network, dataset)
        localisations.append(_graded(other))
        others.append(resemblance(own.maps, other.maps, own.planes))
    if not others:
        return {"localisation": localisations[0], **checked}
    found["runs"] = mean_resemblance(others)
    return {"localisation": localisations[0], "localisation_spread": spread_of(localisations) if localisations[0] else None, **checked}


def _graded(looked: Looked) -> dict | None:
    """`localise` of a network's attributions and of its last feature map."""
    return localise({**looked.maps, "output": enlarged(looked.output, looked.planes.shape[-1])}, looked.planes, looked.lesions)


def _at_random(job: ExplainJob, dataset: Dataset) -> torch.nn.Module:
    """The same network with random weights in every layer."""
    torch.manual_seed(RANDOM_SEED)
    return place(build_model(job.model, dataset.slices.shape[-1]).eval(), job.backend).requires_grad_(False)


def _saliency(job: ExplainJob, network, dataset: Dataset, cases: list[Case]) -> dict[str, np.ndarray]:
    """Per case `<outcome>.input`, `.saliency`, `.gradcam` and, where lesions are known, `.lesions` and `.filled`, each (y, x)."""
    arrays: dict[str, np.ndarray] = {}
    for case in cases:
        image = _image(dataset, case)
        arrays[f"{case.outcome}.input"] = image
        for name, value in attributions(job.model, network, image[None], job.backend).items():
            arrays[f"{case.outcome}.{name}"] = rounded(value[0])
        if dataset.lesions is not None:
            patient = dataset.members("test")[case.position]
            (filled, _), _ = fill_patient(np.asarray(dataset.slices[patient]), np.asarray(dataset.lesions[patient]), patient)
            arrays[f"{case.outcome}.lesions"] = np.asarray(dataset.lesions[patient, case.slice])
            arrays[f"{case.outcome}.filled"] = filled[case.slice]
    return arrays


def halved(maps: np.ndarray) -> np.ndarray:
    """The same maps as float16, or as float32 where a network's values leave the range of float16, as diverging ones do."""
    return maps.astype(np.float16 if np.abs(maps).max(initial=0) <= np.finfo(np.float16).max else np.float32)
