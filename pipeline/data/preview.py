"""Shows what the preparation does to one scan: `python -m pipeline.data.preview SCAN OUT.png`.

Writes the middle one of the slices that show lung three times side by side: windowed, with the lung mask in colour, and as the networks
see it.
"""

import sys
from pathlib import Path

import numpy as np

from pipeline.data.lungs import lung_area, segment_lungs
from pipeline.data.prepare import slices_with_lung
from pipeline.data.reading import read_scan
from pipeline.data.window import apply_window
from pipeline.errors import UserError
from pipeline.records import write_atomically

WINDOW = (-1000.0, 400.0)
MASK_COLOUR = np.array([0.0, 0.65, 0.81])


def preview(scan_path: Path) -> np.ndarray:
    """The three pictures as one: uint8 (y, 3 x, colour)."""
    scan = read_scan(scan_path)
    with_lung = slices_with_lung(lung_area(scan.volume, scan.spacing))
    middle = with_lung[len(with_lung) // 2] if len(with_lung) else len(scan.volume) // 2
    plane = scan.volume[middle : middle + 1]
    lungs = segment_lungs(plane, scan.spacing)[0]
    grey = apply_window(plane[0], *WINDOW)[..., None].repeat(3, axis=2)
    coloured = np.where(lungs[..., None], 0.6 * grey + 0.4 * MASK_COLOUR, grey)
    return (np.hstack([grey, coloured, grey * lungs[..., None]]) * 255).round().astype(np.uint8)


def main(arguments: list[str]) -> int:
    """Write the preview; 0 on success, 2 for a user's mistake."""
    from PIL import Image

    if len(arguments) != 2:
        print("usage: python -m pipeline.data.preview SCAN OUT.png", file=sys.stderr)
        return 2
    try:
        scan, target = map(Path, arguments)
        if target.suffix.lower() not in Image.registered_extensions():
            raise UserError(f"{target} names no kind of picture; end it in .png or .jpg")
        write_atomically(target, Image.fromarray(preview(scan)).save)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
