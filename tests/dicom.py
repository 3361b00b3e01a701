"""Writes DICOM series for tests."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

AXIAL = "1\\0\\0\\0\\1\\0"


def write_series(folder: Path, series: str, positions: Iterable[tuple[float, float, float]], value: int, directions: str = AXIAL,
                 *, first: int = 0, **tags: str) -> None:
    """Slices of 8 x 8 pixels of one value at these places (x, y, z), mm, one file each, as 0.dcm and so on in a folder.

    first: number of the first of them; tags: text by tag, written `t0008_0060`.
    """
    import SimpleITK

    folder.mkdir(parents=True, exist_ok=True)
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index, position in enumerate(positions, start=first):
        image = SimpleITK.GetImageFromArray(np.full((1, 8, 8), value, np.int16))[:, :, 0]
        for tag, text in {"0008|0060": "CT", "0020|000e": series, "0020|000d": "1.2", "0008|0018": f"{series}.{index + 1}",
                          "0020|0032": "\\".join(map(str, position)), "0020|0037": directions, "0020|0013": str(index),
                          **{tag[1:].replace("_", "|"): text for tag, text in tags.items()}}.items():
            image.SetMetaData(tag, text)
        writer.SetFileName(str(folder / f"{index}.dcm"))
        writer.Execute(image)
