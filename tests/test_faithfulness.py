"""Whether maps mark what moves the logit: networks one can compute, the smoothing by hand, and what the pages make of it."""

import csv
import io

import numpy as np
import pytest

from pipeline.explanations.faithfulness import FEWEST, REPLACED, _ratio, _variance, faithfulness, smooth_first
from pipeline.explanations.inpainting import SQUARES, by_squares, grid_of, mean_by_square, smooth_over
from report.behind import file_text
from report.headlines import headlines
from report.tables import TABLES
from tests.test_limits import EN, SL, said

SIDE = 4 * SQUARES


def lungs(rng, count: int) -> np.ndarray:
    """Slices whose lungs are a disc of noise."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return (0.3 + 0.1 * rng.random((count, SIDE, SIDE))) * (np.hypot(y, x) < SIDE / 2 - 2)


def test_the_grid_covers_images_that_its_squares_do_not_divide():
    assert grid_of((64, 64)) == (16, 16) and grid_of((130, 130)) == (17, 17) and grid_of((8, 8)) == (8, 8)


def test_means_by_square_are_those_of_what_is_inside(rng):
    values, inside = rng.random((66, 66)), rng.random((66, 66)) > 0.5
    inside[:4, :4] = False
    found = mean_by_square(values, inside)
    assert found.shape == grid_of(values.shape) == (17, 17) and found[0, 0] == 0
    assert found[1, 2] == pytest.approx(values[4:8, 8:12][inside[4:8, 8:12]].mean())
    assert found[16, 16] == pytest.approx(values[64:, 64:][inside[64:, 64:]].mean())


def test_the_squares_of_the_lowest_numbers_come_first_and_the_last_one_in_part():
    order = np.arange(256.0).reshape(16, 16)[::-1, ::-1]
    chosen = by_squares(np.ones((SIDE, SIDE), bool), 40, order)
    assert chosen.sum() == 40 and chosen[-4:, -8:].all() and chosen[:, :-12].sum() == 0


def test_smoothing_takes_the_lung_around_and_nothing_of_what_was_there(rng):
    (plane,) = lungs(rng, 1)
    region = np.zeros(plane.shape, bool)
    region[28:36, 28:36] = True
    for inside in (0.9, 0.1):  # whatever was there, the same comes out
        changed = np.where(region, inside, plane)
        smooth = smooth_over(changed, region)
        np.testing.assert_array_equal(smooth[~region], plane[~region])
        np.testing.assert_array_equal(smooth[region], smooth_over(plane, region)[region])
    assert smooth[region].std() < 0.1 * plane[region].std() and smooth[region].mean() == pytest.approx(0.35, abs=0.01)


def test_a_ramp_stays_one():
    plane = np.tile(np.linspace(0.2, 0.8, SIDE), (SIDE, 1))
    region = np.zeros(plane.shape, bool)
    region[30:34, 30:34] = True
    np.testing.assert_allclose(smooth_over(plane, region), plane, atol=0.01)


def test_without_lung_near_it_is_the_mean_of_all_and_without_any_nothing():
    plane = np.zeros((SIDE, SIDE), np.float16)
    plane[:2, :2], plane[-8:, -8:] = 0.25, 0.5
    region = np.zeros(plane.shape, bool)
    region[:2, :2] = True
    smooth = smooth_over(plane, region)
    assert smooth.dtype == np.float16 and (smooth[:2, :2] == 0.5).all() and (smooth[2:] == plane[2:]).all()
    np.testing.assert_array_equal(smooth_over(plane, plane > 0), plane)


def test_a_tenth_of_the_lungs_is_replaced_and_the_background_stays(rng):
    (plane,) = lungs(rng, 1)
    changed = smooth_first(plane, rng.random(grid_of(plane.shape))) != plane
    assert changed.sum() == round(REPLACED * (plane > 0).sum()) and not changed[plane == 0].any()


@pytest.fixture
def ill(rng) -> tuple[np.ndarray, np.ndarray]:
    """Slices with one bright lesion each, and their masks."""
    slices, lesions = lungs(rng, 12), np.zeros((12, SIDE, SIDE), np.uint8)
    for plane, mask in zip(slices, lesions, strict=True):
        top, left = rng.integers(20, 36, 2)
        mask[top : top + 8, left : left + 8] = 1
        plane[mask > 0] = 0.8
    return slices, lesions


def bright(slices: np.ndarray) -> np.ndarray:
    """The logit of a network that counts what is bright."""
    return np.maximum(slices.astype(np.float64) - 0.5, 0).sum(axis=(1, 2))


def test_a_map_of_what_the_network_uses_moves_it_and_one_of_what_it_does_not_use_does_not(ill):
    slices, lesions = ill
    wrong = np.where(slices > 0.5, 0.0, slices)
    maps = {"right": (slices > 0.5).astype(float), "wrong": wrong, "empty": np.zeros_like(slices)}
    found = faithfulness(maps, slices, lesions, bright)
    assert found["replaced"] == REPLACED and found["random"] > 0
    assert found["chance"]["right"]["low"] > 3 and found["chance"]["lesions"] == pytest.approx(found["chance"]["right"])
    assert found["chance"]["wrong"]["ratio"] < 0.01
    assert found["chance"]["empty"] == {"ratio": None, "low": None, "high": None}
    assert set(found["contrast"]) == {"right", "wrong", "empty", "lesions"} and set(found["chance"]) == {*found["contrast"], "contrast"}
    assert "lesions" not in faithfulness(maps, slices, None, bright)["chance"]


def test_what_a_map_holds_outside_the_lungs_does_not_count(ill, rng):
    slices, _ = ill
    inside = rng.random(slices.shape) * (slices > 0)
    found = faithfulness({"inside": inside, "beyond": np.where(slices > 0, inside, 100)}, slices, None, bright)
    assert found["chance"]["beyond"] == found["chance"]["inside"]


def test_the_contrast_of_a_square_is_the_variance_of_its_lung(ill):
    plane = ill[0][0]
    found = _variance(plane)
    assert found[8, 8] == pytest.approx(plane[32:36, 32:36].var())
    rim = plane[4:8, 16:20]
    assert 0 < (rim > 0).sum() < rim.size and found[1, 4] == pytest.approx(rim[rim > 0].var())


def test_the_contrast_of_a_slice_finds_the_rim_of_a_lesion_without_any_network(ill):
    found = faithfulness({}, ill[0], None, bright)
    assert found["chance"]["contrast"]["low"] > 1 and found["contrast"] == {}


def test_a_network_that_answers_nothing_has_no_ratio(ill):
    found = faithfulness({"saliency": ill[0]}, *ill, lambda slices: np.zeros(len(slices)))
    assert found["random"] == 0 and all(one["ratio"] is None for part in ("chance", "contrast") for one in found[part].values())


def test_the_ratio_and_its_interval_by_hand(rng):
    other = rng.uniform(1, 2, 4000)
    assert _ratio(3 * other, other) == {"ratio": pytest.approx(3), "low": pytest.approx(3), "high": pytest.approx(3)}  # goes along wholly
    moved = rng.uniform(2, 6, 4000)
    found = _ratio(moved, other)
    # independent: the squares of both relative errors add up
    error = ((16 / 12) / 16 + (1 / 12) / 2.25) ** 0.5 / 4000**0.5
    assert found["ratio"] == pytest.approx(4 / 1.5, rel=0.02)
    assert np.log(found["high"] / found["ratio"]) == pytest.approx(1.96 * error, rel=0.05) == np.log(found["ratio"] / found["low"])
    assert _ratio(moved[: FEWEST - 1], other[: FEWEST - 1])["low"] is None and _ratio(moved[:FEWEST], other[:FEWEST])["low"] is not None
    assert _ratio(np.zeros(20), np.ones(20)) == {"ratio": 0, "low": None, "high": None}
    assert _ratio(np.array([]), np.array([])) == {"ratio": None, "low": None, "high": None}


def test_the_stored_check_is_shown_in_the_table_and_its_data(study):
    rows = TABLES["tbl-faithfulness"](study, SL)
    assert [row[0] for row in rows[1:]] == ["ResNet18og", "ResNet18", "ResNet18_nowig", "CNN1", "CNN2"]
    assert rows[0][1:] == ["Izpostavljenost", "Grad-CAM", "Kontrast rezine", "Znane spremembe"]
    stored = list(csv.DictReader(io.StringIO(file_text("tbl-faithfulness", study))))
    assert len(stored) == 5 * (4 + 3)
    for row in rows[1:]:
        found = study.faithfulness(row[0])
        assert headlines(study)["models"][row[0]]["faithfulness"] == found
        assert row[1].startswith(SL.decimal(found["chance"]["saliency"]["ratio"], 1))


def times(ratio: float | None, low: float | None = None, high: float | None = None) -> dict:
    return {"ratio": ratio, "low": low, "high": high}


@pytest.fixture
def found(study, monkeypatch) -> dict:
    """What every network's maps are found to be worth: nothing beyond the contrast of the slice, and Grad-CAM nothing beyond chance."""
    one = {"replaced": 0.1, "chance": {"saliency": times(3, 2, 4), "gradcam": times(1.5, 0.5, 2), "contrast": times(3.5, 3, 4)},
           "contrast": {"saliency": times(0.875, 0.5, 1.5), "gradcam": times(0.5, 0.25, 0.75)}}
    values = {model: {name: dict(part) if isinstance(part, dict) else part for name, part in one.items()} for model in study.convolutional}
    monkeypatch.setattr(study, "faithfulness", values.get)
    return values


def test_the_sentence_says_what_maps_are_worth(study, found):
    best, cnn, everyone = study.compared[0], study.best_cnn, list(study.convolutional)
    english, slovenian = said(study, "faithfulness")
    assert english.startswith("@tbl-faithfulness tells how far the logits move. With 10\u00a0% of the lungs smoothed over, the logit of "
                              f"{best} moves 3.0 (2.0 to 4.0) times as far where its saliency")
    assert "1.5 (0.5 to 2.0) times where its Grad-CAM is" in english and "The known lesions" not in english
    assert "these come to 3.5 (3.0 to 4.0) and 3.5 (3.0 to 4.0). No network has a map that goes further than that" in english
    assert english.endswith(f"No further than chance, or not surely, goes the Grad-CAM of {EN.list(everyone)}.")
    assert "premakne 3,0-krat (od 2,0 do 4,0) toliko kot tam, kjer izbira naključje" in slovenian and "Nobena mreža nima mape" in slovenian
    assert slovenian.endswith(f"Dlje od naključja ne seže, vsaj ne zanesljivo, Grad-CAM modelov {SL.list(everyone)}.")
    found[cnn]["contrast"]["saliency"] = times(1.5, 1.25, 2)
    for one in found.values():
        one["chance"]["gradcam"] = times(1.5, 1.25, 2)
        one["chance"]["lesions"] = times(5, 4, 6)
    english, slovenian = said(study, "faithfulness")
    assert "The known lesions come to 5.0 (4.0 to 6.0) and 5.0 (4.0 to 6.0). But" in english
    assert "Pri znanih spremembah je to 5,0-krat (od 4,0 do 6,0) in 5,0-krat" in slovenian
    assert english.endswith(f"Further than that, with its whole interval, goes the saliency of {cnn}.")
    assert slovenian.endswith(f"Dlje od tega s celim intervalom seže izpostavljenost modela {cnn}.")
    found[best]["contrast"]["gradcam"] = times(1.5, 1.25, 2)
    english, slovenian = said(study, "faithfulness")
    assert english.endswith(f"goes the saliency of {cnn} and the Grad-CAM of {best}.")
    assert slovenian.endswith(f"izpostavljenost modela {cnn} in Grad-CAM modela {best}.")


def test_of_a_grad_cam_that_is_0_everywhere_no_distance_is_told(study, found):
    best, cnn = study.compared[0], study.best_cnn
    found[best]["chance"]["gradcam"] = found[best]["contrast"]["gradcam"] = times(None)
    english, slovenian = said(study, "faithfulness")
    assert f"intervals); that of {cnn} moves 3.0 (2.0 to 4.0) and 1.5 (0.5 to 2.0) times as far. A Grad-CAM" in english
    assert "as where chance chose (in" in english and "that is 0 everywhere chooses no squares. But no map" in english
    assert f"pri modelu {cnn} je to 3,0-krat (od 2,0 do 4,0) in 1,5-krat (od 0,5 do 2,0) toliko. Grad-CAM, ki" in slovenian
    assert "kot tam, kjer izbira naključje (v" in slovenian and "ki je povsod 0, ne izbere nobenega kvadrata. Vendar za" in slovenian
    found[cnn]["chance"]["gradcam"] = found[cnn]["contrast"]["gradcam"] = times(None)
    english, slovenian = said(study, "faithfulness")
    assert f"that of {cnn} moves 3.0 (2.0 to 4.0) times as far. A Grad-CAM" in english
    assert f"pri modelu {cnn} je to 3,0-krat (od 2,0 do 4,0) toliko. Grad-CAM, ki" in slovenian
    for text in (english, slovenian):
        assert "–" not in text


def test_few_slices_tell_ratios_and_no_more_and_an_older_study_nothing(study, found, monkeypatch):
    for one in found.values():
        one["chance"] = {kind: times(2) for kind in ("saliency", "gradcam", "contrast")}
        one["contrast"] = {kind: times(1) for kind in ("saliency", "gradcam")}
    english, slovenian = said(study, "faithfulness")
    assert "moves 2.0 times as far" in english and english.endswith("too few to tell such ratios from chance.")
    assert "premakne 2,0-krat toliko" in slovenian and slovenian.endswith("ločili od naključja.")
    monkeypatch.setattr(study, "faithfulness", lambda model: None)
    assert "before the program asked" in said(study, "faithfulness")[0] and "preden je program" in said(study, "faithfulness")[1]
    assert [row[1:] for row in TABLES["tbl-faithfulness"](study, EN)[1:]] == [["–"] * 3]
    assert len(file_text("tbl-faithfulness", study).splitlines()) == 2
