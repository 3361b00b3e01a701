"""Everything that lies beside the pages of a site: data and code of the figures, pictures of the explorers, study.json."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import numpy as np

from report import tables
from report.addresses import complete_addresses
from report.behind import NESTED, ROWS, file_name, file_text
from report.cover import COVER, draw_cover
from report.figures.registry import FIGURES, code_of
from report.headlines import headlines
from report.links import CODE_FOLDER, DATA_FOLDER, code_file
from report.study import ROOT, Study
from report.style import LESION_COLOUR
from report.templating import environment

PICTURES = "explore"
QUALITY = 60  # of WebP, colour and opacity: hardly a difference to be seen at three times the size
EDGE_OPACITY, FILL_OPACITY = 255, 90


def attach(study: Study, site: Path) -> None:
    """Write all of it below `site`, whose pages lie in `report/sl` and `report/en`."""
    folder = site / "report"
    for name in (DATA_FOLDER, CODE_FOLDER, PICTURES):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (site / "study.json").write_text(json.dumps(headlines(study), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for identifier in (*ROWS, *NESTED):
        (folder / DATA_FOLDER / file_name(identifier)).write_text(file_text(identifier, study), encoding="utf-8")
    _write_code(folder / CODE_FOLDER)
    _write_pictures(study, folder / PICTURES)
    draw_cover(study, site / COVER)
    complete_addresses(site)


def _write_code(folder: Path) -> None:
    """One page for each module that draws a figure or makes a table, with a name for every line."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("vs", "github-dark"))
    modules = {code_of(identifier).__module__ for identifier in FIGURES} | {tables.__name__}
    for module in sorted(modules):
        path = Path(*module.split(".")).with_suffix(".py")
        code = highlight((ROOT / path).read_text(encoding="utf-8"), PythonLexer(), HtmlFormatter(linespans="line"))
        page = environment(escape=True).get_template("code.html.j2").render(path=path.as_posix(), code=code, light=light, dark=dark)
        (folder / code_file(module)).write_text(page, encoding="utf-8")


def _write_pictures(study: Study, folder: Path) -> None:
    """Per test patient one strip with all slices side by side: the slices, the lesions, each model's saliency."""
    patients = study.browsed_patients()
    lossy = {"quality": QUALITY, "alpha_quality": QUALITY}
    kinds = {"slices": (patients["slices"], _grey, lossy),
             **{model: (study.browsed_saliency(model), _coloured, lossy) for model in study.compared}}
    if "lesions" in patients:
        kinds["lesions"] = (patients["lesions"], _outlined, {"lossless": True})
    with ThreadPoolExecutor() as pool:  # Pillow encodes without holding the interpreter
        work = []
        for name, (stacks, paint, encoding) in kinds.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            work += [pool.submit(_write_strip, stack, paint, encoding, folder / name / f"{index:03}.webp")
                     for index, stack in enumerate(stacks)]
        for done in work:
            done.result()


def _write_strip(stack: np.ndarray, paint: Callable, encoding: dict, path: Path) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    strip = paint(np.concatenate(list(stack), axis=1))
    Image.fromarray(strip).save(buffer, "WEBP", method=2, **encoding)
    path.write_bytes(buffer.getvalue())


def _grey(strip: np.ndarray) -> np.ndarray:
    return strip


def _coloured(strip: np.ndarray) -> np.ndarray:
    """Saliency as RGBA, as in the figures: colour and opacity grow with it."""
    strength = strip / 255
    colours = (255 * matplotlib.colormaps["inferno"](strength)).astype(np.uint8)
    colours[..., 3] = np.round(255 * np.sqrt(strength))
    return colours


def _outlined(strip: np.ndarray) -> np.ndarray:
    """Lesions as RGBA: a thin veil with a firm edge."""
    inside = strip > 0
    padded = np.pad(inside, 1, mode="edge")
    whole = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    colours = np.zeros((*strip.shape, 4), np.uint8)
    colours[inside, :3] = [int(LESION_COLOUR[place : place + 2], 16) for place in (1, 3, 5)]
    colours[inside, 3] = FILL_OPACITY
    colours[inside & ~whole, 3] = EDGE_OPACITY
    return colours
