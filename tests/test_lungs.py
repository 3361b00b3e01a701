"""Lungs found without a mask: as exact as they are known, and in scans with tables, blankets, bowels and narrow fields of view."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.body import find_body, lies_beside
from pipeline.data.lungs import lung_area, segment_lungs
from pipeline.data.prepare import choose_slices, prepare
from pipeline.data.preview import preview
from pipeline.data.synthetic.scanner import LOW_DOSE, STANDARD, scan_patient
from pipeline.data.synthetic.severity import draw_cohort
from pipeline.data.synthetic.thorax import FIELD_OF_VIEW
from pipeline.errors import NoLungs
from tests.long_runs import ROOT

SIZE = 128
ABDOMEN = 12  # slices


@pytest.fixture(scope="module")
def cohort():
    return draw_cohort(452, 2023)


@pytest.fixture(scope="module")
def patient(cohort):
    return scan_patient(3, cohort, SIZE, 2023)


def places(size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Millimetres to the back (y, 1) and to the left (1, x) of the middle of a synthetic slice."""
    along = ((np.arange(size) + 0.5) / size - 0.5) * FIELD_OF_VIEW
    return along[:, None], along[None, :]


def noisy(shape: tuple[int, ...], hu: float) -> np.ndarray:
    return (hu + 20 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def with_table(patient, foam):
    """On a table of foam in a closed shell that touches the back."""
    y, x = places()
    volume = patient.volume.copy()
    back = float(y[(volume[15] > -300).any(axis=1)].max())
    shell = (y > back) & (y < back + 25) & (np.abs(x) < 160)
    filled = (y > back + 4) & (y < back + 21) & (np.abs(x) < 156)
    volume[:, shell] = noisy((len(volume), shell.sum()), -100)
    volume[:, filled] = noisy((len(volume), filled.sum()), foam)
    return volume, patient.lung_mask


def with_blanket(patient):
    y, x = places()
    volume = patient.volume.copy()
    folds = (y < -128) & (y > -150) & (np.abs(x) < 120)
    volume[:, folds] = noisy((len(volume), folds.sum()), -900)
    return volume, patient.lung_mask


def with_abdomen(patient):
    """With slices below the lungs, where gas fills more of the bowel than a lung's base fills of its slice."""
    y, x = places()
    belly = np.where(patient.lung_mask[0], 40, patient.volume[0])[None].repeat(ABDOMEN, axis=0)
    for side, depth, radius in ((-60, -40, 22), (10, -50, 25), (60, -45, 28), (-20, -20, 15), (40, 0, 18)):
        belly[:, (x - side) ** 2 + (y - depth) ** 2 < radius**2] = -990
    nothing = np.zeros((ABDOMEN, *patient.lung_mask.shape[1:]), bool)
    belly += noisy(belly.shape, 0)
    return np.concatenate([belly, patient.volume]), np.concatenate([nothing, patient.lung_mask])


def with_stomach(patient):
    y, x = places()
    volume, lungs = patient.volume.copy(), patient.lung_mask.copy()
    for z in range(5):
        volume[z, (x - 60) ** 2 + (y + 14) ** 2 < 30**2] = -990
        lungs[z, (x - 60) ** 2 + (y + 14) ** 2 < 34**2] = False
    return volume, lungs


def in_a_round_field(patient, radius, filled_with):
    """As reconstructed within a circle, which may cut both lungs."""
    y, x = places()
    seen = y**2 + x**2 <= radius**2
    return np.where(seen, patient.volume, np.float32(filled_with)), patient.lung_mask & seen


def cut_at_a_side(patient):
    return patient.volume[:, :, 24:], patient.lung_mask[:, :, 24:]


def joined_lungs(patient):
    """With lungs that touch in front of the heart and behind it, as they do where they are wide."""
    y, x = places()
    volume = patient.volume.copy()
    volume[10:22, (np.abs(x) < 60) & ((np.abs(y + 60) < 5) | (np.abs(y - 40) < 5))] = -860
    return volume, patient.lung_mask


SCANS = {
    "as it is": lambda patient: (patient.volume, patient.lung_mask),
    "whole numbers": lambda patient: (np.clip(patient.volume, -1024, 3071).astype(np.int16), patient.lung_mask),
    "clipped": lambda patient: (np.clip(patient.volume, -900, 400), patient.lung_mask),
    "table": lambda patient: with_table(patient, -940),
    "table of light foam": lambda patient: with_table(patient, -980),
    "blanket": with_blanket,
    "abdomen": with_abdomen,
    "stomach": with_stomach,
    "circle": lambda patient: in_a_round_field(patient, 165, -3024),
    "circle filled as air": lambda patient: in_a_round_field(patient, 165, -1024),
    "circle that cuts": lambda patient: in_a_round_field(patient, 125, -2048),
    "circle that cuts much": lambda patient: in_a_round_field(patient, 105, -3024),
    "cut at a side": cut_at_a_side,
    "joined lungs": joined_lungs,
}


@pytest.mark.parametrize("name", SCANS)
def test_lungs_are_found_in_scans_as_scanners_make_them(patient, name):
    volume, lungs = SCANS[name](patient)
    wanted = choose_slices(lungs.sum(axis=(1, 2)), 10)
    chosen = choose_slices(lung_area(volume, patient.spacing), 10)
    np.testing.assert_allclose(chosen, wanted, atol=1)
    assert overlap(segment_lungs(volume[wanted], patient.spacing), lungs[wanted]) > 0.97


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Dice's coefficient of two masks."""
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("foam", [-940, -980])
def test_a_table_alone_is_no_lung(patient, foam):
    volume, _ = with_table(replace(patient, volume=np.where(patient.lung_mask, 40, patient.volume)), foam)
    assert not segment_lungs(volume, patient.spacing).any()


@pytest.mark.parametrize("scanner", [STANDARD, LOW_DOSE])
def test_most_of_what_is_sick_stays_in_the_lungs(cohort, scanner):
    """Dense lesions at the pleura are the known weakness of the method."""
    order = np.argsort(cohort.involvement)
    lost, found = [], []
    for index in order[[40, 200, 320, 400, 440]]:
        scan = scan_patient(int(index), cohort, 256, 2023, scanner)
        chosen = choose_slices(scan.lung_mask.sum(axis=(1, 2)), 10)
        lungs = segment_lungs(scan.volume[chosen], scan.spacing)
        lost.append((scan.lesion_mask[chosen] & ~lungs).sum() / scan.lesion_mask[chosen].sum())
        found.append(overlap(lungs, scan.lung_mask[chosen]))
    assert np.mean(lost) < 0.08 and min(found) > 0.96


def test_ground_glass_along_the_back_of_a_real_slice_is_lung():
    picture = preview(ROOT / "tests" / "data" / "chest-ct-slice.dcm")
    seen = picture[:, 1024:].any(axis=2)
    assert seen[417, 161] and seen[416, 361]  # right and left, along the ribs
    assert not seen[350, 300] and not seen[300, 290] and not seen[495:].any()  # aorta, heart, table


def test_the_real_slice_in_the_documentation_is_what_the_preview_makes_of_it():
    from PIL import Image

    made = Image.fromarray(preview(ROOT / "tests" / "data" / "chest-ct-slice.dcm")).resize((960, 320), Image.Resampling.LANCZOS)
    with Image.open(ROOT / "docs" / "lung-mask.png") as shown:
        difference = np.abs(np.asarray(made, float) - np.asarray(shown.convert("RGB"), float))
    assert difference.mean() < 4 and (difference > 60).mean() < 0.001


def test_a_preview_shows_the_slices_that_a_study_would_take(patient, tmp_path):
    volume, lungs = with_abdomen(patient)
    np.save(tmp_path / "scan.npy", volume.repeat(2, axis=1).repeat(2, axis=2))  # NPY has voxels of 1 mm
    picture = preview(tmp_path / "scan.npy")
    assert picture.shape == (10 * 256, 3 * 256, 3)
    wanted = lungs[choose_slices(lungs.sum(axis=(1, 2)), 10)].repeat(2, axis=1).repeat(2, axis=2).reshape(-1, 256)
    assert overlap(picture[:, 512:].any(axis=2), wanted) > 0.95
    np.save(tmp_path / "mask.npy", lungs.repeat(2, axis=1).repeat(2, axis=2) & (np.arange(256) < 128))
    half = preview(tmp_path / "scan.npy", tmp_path / "mask.npy")
    assert half.shape == picture.shape and not half[:, 640:].any()
    np.testing.assert_array_equal(half[:, :256], picture[:, :256])
    assert (half[:, 384:512] == half[:, 128:256]).all() and (half[:, 256:384] != half[:, :128]).any()


def test_a_preview_shows_as_many_slices_as_show_lung(patient, tmp_path):
    np.save(tmp_path / "scan.npy", patient.volume[10:14].repeat(2, axis=1).repeat(2, axis=2))
    assert preview(tmp_path / "scan.npy").shape == (4 * 256, 3 * 256, 3)


def test_a_coarse_look_at_the_lungs_chooses_the_same_slices_or_their_neighbours(cohort):
    scan = scan_patient(3, cohort, 512, 2023)
    exact = segment_lungs(scan.volume, scan.spacing).sum(axis=(1, 2))
    coarse = lung_area(scan.volume, scan.spacing)
    np.testing.assert_allclose(coarse, exact, rtol=0.1)
    np.testing.assert_allclose(choose_slices(coarse, 10), choose_slices(exact, 10), atol=1)


def test_large_pixels_are_all_looked_at(patient):
    exact = segment_lungs(patient.volume, patient.spacing).sum(axis=(1, 2))
    np.testing.assert_array_equal(lung_area(patient.volume, patient.spacing), exact)


def test_a_small_pocket_of_air_is_no_lung():
    body = np.full((1, 64, 64), 40.0, np.float32)
    body[0, 20:40, 10:30], body[0, 30:36, 45:51] = -850, -850
    lungs = segment_lungs(body, (8.0, 2.0, 2.0))[0]  # 1600 and 144 square millimetres
    assert lungs[20:40, 10:30].mean() > 0.9 and not lungs[:, 40:].any()
    assert segment_lungs(body, (8.0, 4.0, 4.0))[0, 30:36, 45:51].any()  # 576


def test_a_large_hole_stays_and_a_small_one_is_filled():
    body = np.full((1, 128, 128), 40.0, np.float32)
    body[0, 14:114, 14:114] = -850
    body[0, 30:98, 20:70], body[0, 60:66, 90:96] = 40, 40  # 13600 and 144 square millimetres
    lungs = segment_lungs(body, (8.0, 2.0, 2.0))[0]
    assert not lungs[40:88, 30:60].any() and lungs[60:66, 90:96].all()


def test_gas_with_no_tissue_in_it_is_no_lung():
    body = np.full((1, 64, 64), 40.0, np.float32)
    body[0, 20:40, 10:30], body[0, 20:40, 40:60] = -960, -985
    lungs = segment_lungs(body, (8.0, 2.0, 2.0))[0]
    assert lungs[20:40, 10:30].mean() > 0.9 and not lungs[:, 35:].any()


def test_a_slice_of_air_or_of_one_value_holds_no_lungs():
    for hu in (-3024, -1000, -850, 0):
        assert not segment_lungs(np.full((1, 32, 32), hu, np.float32), (8.0, 2.0, 2.0)).any()


def test_too_little_lung_is_told_of_a_scan_of_the_abdomen_alone(patient):
    volume, _ = with_abdomen(patient)
    with pytest.raises(NoLungs):
        prepare(replace(patient, volume=volume[:ABDOMEN], lung_mask=None, lesion_mask=None), 10, 128, (-1000.0, 400.0))


def test_a_scan_cut_out_along_its_lungs_shows_them(patient):
    """Its vessels are all the tissue there is."""
    volume = np.where(patient.lung_mask, patient.volume, -1024)
    chosen = choose_slices(patient.lung_mask.sum(axis=(1, 2)), 10)
    assert overlap(segment_lungs(volume[chosen], patient.spacing), patient.lung_mask[chosen]) > 0.95


def test_a_body_is_the_largest_piece_of_tissue_that_is_not_thin():
    tissue = np.zeros((80, 80), bool)
    tissue[20:50, 20:60], tissue[70:72], tissue[60:66, 0:10] = True, True, True
    body = find_body(tissue, 2.0)
    inside = np.stack(np.mgrid[22:48, 22:58], axis=-1).reshape(-1, 2)
    for down, beside in ((0, False), (13, False), (24, True), (40, True)):
        assert lies_beside(body, inside + [down, 0]) is beside
    assert find_body(tissue[55:], 2.0) is not None and find_body(tissue[67:], 2.0) is None


def test_what_is_larger_than_the_tissue_does_not_lie_beside_it():
    tissue = np.zeros((80, 80), bool)
    tissue[5:15, 5:15] = True
    body = find_body(tissue, 2.0)
    large = np.stack(np.mgrid[20:70, 20:70], axis=-1).reshape(-1, 2)
    assert not lies_beside(body, large) and lies_beside(body, large[:50]) and not lies_beside(None, large)
