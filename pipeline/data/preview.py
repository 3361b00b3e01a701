"""Shows what the preparation does to one scan: `python -m pipeline.data.preview SCAN OUT.png [MASK]`.

Writes a row for each slice that a study would take, three times side by side: windowed, with the lungs in colour, as the networks see it.
The lungs are those of the mask, if one is given.
"""

import sys
from pathlib import Path

import numpy as np

from pipeline.data.prepare import area_of_lungs, choose_slices, fit, fit_mask, lungs_in, slices_with_lung
from pipeline.data.reading import read_scan
from pipeline.data.sources.volumes import read_mask
from pipeline.data.window import apply_window
from pipeline.errors import UserError
from pipeline.records import write_atomically

WINDOW = (-1000.0, 400.0)
SLICES = 10
SIDE = 256  # pixels of a slice that is one of several
MASK_COLOUR = np.array([0.0, 0.65, 0.81])


def preview(scan_path: Path, mask_path: Path | None = None) -> np.ndarray:
    """The pictures as one: uint8 (slice y, 3 x, colour).

    Fewer than SLICES slices where no more show lung, the middle one where none does. A single one keeps its size.
    """
    scan = read_scan(scan_path)
    given = None if mask_path is None else read_mask(mask_path, scan)
    area = area_of_lungs(scan.volume, scan.spacing, given)
    count = min(SLICES, len(slices_with_lung(area)))
    chosen = choose_slices(area, count) if count else np.array([len(scan.volume) // 2])
    lungs = lungs_in(chosen, scan.volume, scan.spacing, given)
    grey = apply_window(scan.volume[chosen], *WINDOW)
    if len(chosen) > 1:
        pixel = scan.spacing[1:]
        grey, lungs = np.stack([fit(plane, SIDE, pixel) for plane in grey]), fit_mask(lungs, SIDE, pixel)
    return np.vstack([_side_by_side(*row) for row in zip(grey, lungs, strict=True)])


def _side_by_side(grey: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    plain = grey[..., None].repeat(3, axis=2)
    coloured = np.where(lungs[..., None], 0.6 * plain + 0.4 * MASK_COLOUR, plain)
    return (np.hstack([plain, coloured, plain * lungs[..., None]]) * 255).round().astype(np.uint8)


def main(arguments: list[str]) -> int:
    """Write the preview; 0 on success, 2 for a user's mistake."""
    from PIL import Image

    if len(arguments) not in (2, 3):
        print("usage: python -m pipeline.data.preview SCAN OUT.png [MASK]", file=sys.stderr)
        return 2
    try:
        scan, target, *mask = map(Path, arguments)
        if target.suffix.lower() not in Image.registered_extensions():
            raise UserError(f"{target} names no kind of picture; end it in .png or .jpg")
        write_atomically(target, Image.fromarray(preview(scan, *mask)).save)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
