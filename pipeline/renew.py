"""`python -m pipeline renew`: computes what follows from a shipped study's scores, filters and maps anew, where its networks are gone.

Curves, thresholds, metrics, comparisons, intervals, the test elsewhere, the shapes of filters and the agreement of maps are those of
today's code; the rest stays as it was. What they take of the data beside the scores they take from the study folder, whose data have to be
the same, to the bit.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.evaluation.compare import compare_models, read_slice_scores
from pipeline.evaluation.decisions import write_decisions
from pipeline.evaluation.evaluate import SPLITS
from pipeline.evaluation.external import write_external
from pipeline.evaluation.runs import write_runs
from pipeline.explanations.agreement import compare_maps
from pipeline.explanations.gabor import describe_filters
from pipeline.layout import CONV_MODELS, MODELS, Layout
from pipeline.provenance import date_and_commit
from pipeline.records import read_csv, read_json, read_npz, sha256_of, verify_files, write_json
from pipeline.settings import Settings, restored
from pipeline.ship import in_place_of

ARRAYS = ("slices.npy", "lesions.npy")


@dataclass(frozen=True)
class _WithImages(Layout):
    """A shipped study, which lacks its images, with those of the same data in another folder."""

    data: Layout

    @property
    def slices(self) -> Path:
        return self.data.slices

    @property
    def lesions(self) -> Path:
        return self.data.lesions

    @property
    def elsewhere(self) -> Layout:
        return self.data.elsewhere


def renew_study(data: Layout, shipped: Path) -> None:
    """Replace the study at `shipped` by itself with renewed statistics; `data` holds its data. Raises MissingArtifact, DamagedArtifact,
    and UserError where the data are others, or where what it explains would no longer be what it compares."""
    rows = read_json(shipped / "manifest.json", "ship")
    verify_files(shipped, rows)
    _refuse_other_data(data, Layout(shipped))
    settings = restored(read_json(Layout(shipped).settings, "ship"))
    if settings is None:
        raise UserError(f"{shipped} was made with settings that this program does not know; compute the study anew")
    with in_place_of(shipped) as building:
        shutil.copytree(shipped, building)
        layout = _WithImages(building, data)
        explained = _explained(layout)
        written = {"evaluate": _renew_scores(settings, layout), "explain": [*_renew_filters(layout), *compare_maps(layout)]}
        if _explained(layout) != explained:
            raise UserError(f"{shipped}: other models or decisions would be compared than those that it explains; compute the study anew")
        stages = {path.relative_to(building).as_posix(): stage for stage, paths in written.items() for path in paths}
        _write_provenance(layout, rows, stages)
    print(f"{shipped}: {len(stages)} files computed anew from the scores, filters and maps")


def _write_provenance(layout: Layout, rows: list[dict[str, str]], stages: dict[str, str]) -> None:
    """Add to the provenance when and by which code it was renewed, and write the manifest of all files.

    rows: of the old one; stages: by path of each file that was written, the stage it belongs to.
    """
    write_json(layout.provenance, read_json(layout.provenance, "ship") | {"renewed": date_and_commit()})
    renewed = [{"path": path, "sha256": sha256_of(layout.root / path), "stage": stage} for path, stage in stages.items()]
    kept = [row for row in rows if row["path"] not in stages]
    write_json(layout.manifest, sorted([*kept, *renewed], key=lambda row: row["path"]))


def _refuse_other_data(data: Layout, shipped: Layout) -> None:
    stored, made = (read_json(layout.dataset, "data")["sha256"] for layout in (shipped, data))
    if any(stored.get(name) != made.get(name) for name in ARRAYS):
        raise UserError(f"{data.root} holds other data than {shipped.root}; make them with the data stage and the settings of that study, "
                        "on a processor of the same kind or with its kernels (OPENBLAS_CORETYPE=SkylakeX for Intel's with AVX-512)")


def _explained(layout: Layout) -> list:
    """What the stage `explain` went by, whose pictures stay: the compared models, and every decision's threshold."""
    decisions = [read_json(layout.evaluation(model, "confusion.json"), "ship") for model in MODELS]
    return [read_json(layout.comparison, "ship")["compared"], *decisions]


def _renew_filters(layout: Layout) -> list[Path]:
    """The shapes of every model's filters."""
    written = [layout.explanation(model, "filters.json") for model in CONV_MODELS]
    for model, path in zip(CONV_MODELS, written, strict=True):
        write_json(path, describe_filters(read_npz(layout.explanation(model, "filters.npz"), "ship")["first"]))
    return written


def _renew_scores(settings: Settings, layout: Layout) -> list[Path]:
    """Everything that is computed from scores, in the order in which a study computes it; paths of what was written."""
    written = []
    for model in MODELS:
        by_run = [{split: read_slice_scores(layout, model, split, run) for split in SPLITS} for run in range(settings.seeds)]
        written += write_runs(layout, model, by_run)
    written += compare_models(settings, layout)
    if layout.external("csv").exists() and settings.seeds == 1:  # of several runs only the first one's scores are stored
        patients = read_csv(layout.external("csv"), "evaluate")
        if [row["label"] for row in patients] != [row["label"] for row in read_csv(layout.elsewhere.patients, "data")]:
            raise UserError(f"{layout.elsewhere.root} holds other patients than were scored; make them with the settings of that study")
        written += write_external(settings, layout, {model: [np.array([[float(row[model])] for row in patients])] for model in MODELS})
    return written + write_decisions(settings, layout)
