"""Example slices of a mild and a severe training patient, kept small so that the report needs no dataset."""

from pathlib import Path

import numpy as np

from pipeline.data.dataset import load_dataset
from pipeline.layout import Layout
from pipeline.records import write_npz

SLICES_SHOWN = 5


def write_examples(layout: Layout) -> list[Path]:
    """Write examples.npz: `mild`, `severe` float16 (slice, y, x) in [0, 1]; `<label>.lesions` uint8 where known."""
    dataset = load_dataset(layout)
    shown = np.linspace(0, dataset.slices.shape[1] - 1, min(SLICES_SHOWN, dataset.slices.shape[1])).round().astype(int)
    arrays: dict[str, np.ndarray] = {}
    for label, name in enumerate(("mild", "severe")):
        patient = next(index for index in dataset.members("train") if dataset.labels[index] == label)
        arrays[name] = np.asarray(dataset.slices[patient, shown])
        if dataset.lesions is not None:
            arrays[f"{name}.lesions"] = np.asarray(dataset.lesions[patient, shown])
    write_npz(layout.examples, arrays)
    return [layout.examples]
