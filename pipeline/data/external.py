"""Patients from elsewhere, on whom the trained networks are tested: another hospital's, another scanner's."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.data.dataset import load_dataset
from pipeline.data.make import write_dataset
from pipeline.data.sources.registry import open_source
from pipeline.data.split import EXTERNAL, slice_hashes
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.layout import Layout
from pipeline.progress import Progress
from pipeline.settings import Settings


def external_settings(settings: Settings) -> Settings:
    """The settings with the external source as their own: prepared as the study's patients are, drawn with another seed."""
    return replace(settings, source=settings.external, source_path=settings.external_path, patients=settings.external_patients,
                   seed=settings.seed + 1)


def make_external(settings: Settings, layout: Layout, engine: Engine, progress: Progress) -> list[Path]:
    """Write the dataset of the patients from elsewhere under `layout.elsewhere`; return its paths.

    Raises UserError where a class is missing, or where a slice is also one of the study's own.
    """
    settings = external_settings(settings)
    source = open_source(settings)
    for label in (0, 1):
        if label not in source.labels():
            raise UserError(f"the external data hold no patient with label {label}; add some, "
                            "or leave the test out with --set external=none")

    def check(keys: Sequence, patients: Sequence[dict]) -> None:
        own = {digest for slices in load_dataset(layout).slices for digest in slice_hashes(slices)}
        for key, patient in zip(keys, patients, strict=True):
            if own.intersection(patient["hashes"]):
                raise UserError(f"patient {key} of the external data shares an identical slice with a patient of the study; "
                                "the external data have to be those of others")

    splits = [EXTERNAL] * len(source.keys())
    return write_dataset(source, settings, layout.elsewhere, engine, progress, splits, check)
