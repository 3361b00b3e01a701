"""Makes an SVG of matplotlib's smaller without a difference one could see, since a page holds thirty of them."""

import base64
import io
import re

from PIL import Image

# A hundredth of a point is far below a pixel of any screen or printer; matplotlib writes millionths.
LONG_NUMBER = re.compile(r"(\d\.\d{2})\d+")
KEPT = r"\1"
PLACES = re.compile(r' (d|x|y)="([^"]*)"')
# What stands between the commands of a path, and between tags, is for those who read the file.
AROUND_COMMAND = re.compile(r"\s*([A-Za-z])\s*")
COMMENT = re.compile(r"<!--.*?-->", re.S)
BETWEEN_TAGS = re.compile(r">\s+<")
MARKS = re.compile(r'<g( clip-path="[^"]*")?>\n((?:<use [^>]*/>\n)+)</g>')
REFERENCE = re.compile(r'(?:xlink:)?href="#([^"]+)"|url\(#([^)]+)\)')
NAME = re.compile(r'(xlink:)?( id="|href="#|url\(#)([^")]+)')
STYLE = re.compile(r' style="[^"]*"')
PICTURE = re.compile(r'data:image/png;base64,([^"]+)"')
COLOURS = 256
QUALITY = 70  # of JPEG, in percent


def compact(svg: str) -> str:
    """The same drawing with shorter numbers for its places, nothing but tags, and smaller pictures.

    A picture under one colour map has at most COLOURS colours and loses nothing. Pictures laid over each other have more; they
    become a palette of that many or a JPEG, whichever is smaller: the first for speckles, the second for soft clouds.
    """
    svg = PLACES.sub(lambda places: f' {places[1]}="{AROUND_COMMAND.sub(KEPT, LONG_NUMBER.sub(KEPT, places[2])).strip()}"', svg)
    svg = BETWEEN_TAGS.sub(">\n<", COMMENT.sub("", svg))
    svg = _with_short_names(MARKS.sub(_with_one_style, svg))
    return PICTURE.sub(lambda picture: f'{_smallest(picture[1])}"', svg)


def _with_one_style(group: re.Match) -> str:
    """Marks that all look alike, with their style told once, by the group they stand in."""
    styles = STYLE.findall(group[2])
    if len(styles) < 2 or len(set(styles)) > 1:
        return group[0]
    return f"<g{group[1] or ''}{styles[0]}>\n{STYLE.sub('', group[2])}</g>"


def _with_short_names(svg: str) -> str:
    """Letters, marks and frames under one of two or three signs: every use of theirs tells it."""
    told = dict.fromkeys(first or second for first, second in REFERENCE.findall(svg))
    short = {name: f"s{index}" for index, name in enumerate(told)}
    return NAME.sub(lambda place: place[2] + short.get(place[3], place[3]), svg)


def _smallest(encoded: str) -> str:
    """The shortest data address that shows a base64 PNG."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    addresses = [f"data:image/png;base64,{encoded}"]
    if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):  # see-through pictures keep their soft rims
        flat = picture.convert("RGB")
        addresses.append(_address(flat.quantize(COLOURS, dither=Image.Dither.NONE), "png", optimize=True))
        if flat.getcolors(COLOURS) is None:
            addresses.append(_address(flat, "jpeg", quality=QUALITY, subsampling=0))  # Pillow optimises no noise: its buffer is too small
    return min(addresses, key=len)


def _address(picture: Image.Image, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
