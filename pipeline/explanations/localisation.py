"""How much of an attribution falls into lesions whose exact masks are known."""

from collections.abc import Mapping

import numpy as np

from pipeline.explanations.attribution import points_at_lesion, relevance_in_lesions


def localise(maps: Mapping[str, np.ndarray], slices: np.ndarray, lesions: np.ndarray | None) -> dict | None:
    """Over the slices that show lesions, per kind of map: `mass`, `pointing` and `outside`; beside them `slices` and `chance`.

    maps: by kind, attributions (n, y, x); slices: (n, y, x), 0 outside the lungs; lesions: (n, y, x), None where not known.
    `chance` is the share of the lungs that is lesion: what an attribution spread evenly over the lungs would reach.
    None where no lesion is known.
    """
    shown = [] if lesions is None else np.flatnonzero(lesions.any(axis=(1, 2)))
    if not len(shown):
        return None
    lungs, masks = slices[shown] > 0, lesions[shown]
    result = {"slices": len(shown), "chance": float(np.mean([m[k].mean() for m, k in zip(masks, lungs, strict=True)]))}
    return result | {kind: _shares(values[shown], lungs, masks) for kind, values in maps.items()}


def _shares(values: np.ndarray, lungs: np.ndarray, masks: np.ndarray) -> dict[str, float | None]:
    """Only the lungs can hold lesions: relevance on the background is reported apart, as `outside`."""
    shares = [relevance_in_lesions(value * lung, mask) for value, lung, mask in zip(values, lungs, masks, strict=True)]
    known = [share for share in shares if share is not None]
    outside = [float((value * ~lung).sum() / value.sum()) for value, lung in zip(values, lungs, strict=True) if value.sum() > 0]
    return {
        "mass": float(np.mean(known)) if known else None,
        "pointing": float(np.mean([points_at_lesion(v, m) for v, m in zip(values, masks, strict=True)])),
        "outside": float(np.mean(outside)) if outside else None,
    }
