"""The synthetic chest CT: the oracle, the HU ranges, the exact masks, and lungs that segmentation finds again."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.data.lungs import segment_lungs
from pipeline.data.prepare import choose_slices, fit, fit_mask, prepare
from pipeline.data.synthetic.scanner import scan_patient
from pipeline.data.synthetic.severity import draw_cohort
from pipeline.errors import TooFewSlices


@pytest.fixture(scope="module")
def cohort():
    return draw_cohort(452, 2023)


@pytest.fixture(scope="module")
def patient(cohort):
    return scan_patient(int(np.argmax(cohort.involvement > 0.2)), cohort, 128, 2023)


def test_the_oracle_lies_where_the_design_wants_it(cohort):
    aucs = [roc_auc_score(c.labels, c.involvement) for c in (draw_cohort(452, seed) for seed in range(20))]
    assert 0.93 <= np.mean(aucs) <= 0.96
    assert 0.93 <= roc_auc_score(cohort.labels, cohort.involvement) <= 0.96
    assert cohort.labels.sum() == 226


def test_the_mask_holds_exactly_the_wanted_share_of_the_lungs(cohort, patient):
    wanted = cohort.involvement[int(patient.id[-4:])]
    assert patient.lesion_mask[patient.lung_mask].mean() == pytest.approx(wanted, abs=1e-4)
    assert not patient.lesion_mask[~patient.lung_mask].any()


def test_tissue_lies_in_the_ranges_of_the_design(patient):
    healthy = patient.lung_mask & ~patient.lesion_mask
    assert -900 < np.median(patient.volume[healthy]) < -780
    assert -750 < np.median(patient.volume[patient.lesion_mask]) < -100


def test_the_same_patient_at_another_size_is_the_same_patient(cohort, patient):
    larger = scan_patient(int(patient.id[-4:]), cohort, 256, 2023)
    small, large = (p.lesion_mask.mean(axis=(1, 2)) for p in (patient, larger))
    np.testing.assert_allclose(small, large, atol=0.02)


def test_a_patient_is_the_same_twice(cohort, patient):
    again = scan_patient(int(patient.id[-4:]), cohort, 128, 2023)
    np.testing.assert_array_equal(patient.volume, again.volume)


def test_a_scan_without_masks_is_prepared_as_its_segmentation_says(patient):
    found = segment_lungs(patient.volume, patient.spacing)
    alone = prepare(replace(patient, lung_mask=None), 10, 128, (-1000.0, 400.0))
    given = prepare(replace(patient, lung_mask=found), 10, 128, (-1000.0, 400.0))
    np.testing.assert_array_equal(alone.slices, given.slices)
    np.testing.assert_array_equal(alone.lesions, given.lesions)
    assert alone.lesion_fraction == pytest.approx(given.lesion_fraction, rel=0.2)  # that of ten slices for that of all


def test_prepared_slices(patient):
    prepared = prepare(patient, 10, 128, (-1000.0, 400.0))
    assert prepared.slices.shape == prepared.lesions.shape == (10, 128, 128)
    assert prepared.slices.dtype == np.float16
    assert 0 <= prepared.slices.min() and prepared.slices.max() <= 1
    assert (prepared.slices[:, 0, 0] == 0).all()


def test_slices_are_spread_evenly_over_the_centre():
    area = np.zeros(40)
    area[5:35] = 100
    np.testing.assert_array_equal(choose_slices(area, 10), [11, 13, 15, 17, 19, 20, 22, 24, 26, 28])
    area[:] = 0
    area[3:13] = 50
    np.testing.assert_array_equal(choose_slices(area, 10), np.arange(3, 13))
    with pytest.raises(TooFewSlices, match="p7 has 10 usable slices"):
        choose_slices(area, 11, "p7")


def test_fit_pads_to_a_square_and_keeps_the_range():
    plane = np.ones((100, 60), np.float32)
    resized = fit(plane, 50)
    assert resized.shape == (50, 50)
    assert resized[:, 0].max() == 0 and resized[25, 25] == pytest.approx(1)
    upright, lying = fit(np.ones((4, 2), np.float32), 4), fit(np.ones((2, 4), np.float32), 4)
    np.testing.assert_array_equal(upright, [[0, 1, 1, 0]] * 4)  # in the middle
    np.testing.assert_array_equal(lying, upright.T)


def test_pixels_that_are_not_square_become_so():
    circle = np.hypot(*np.mgrid[-31.5:32, -31.5:32]) < 20
    for plane, pixel in ((circle[::3], (3.0, 1.0)), (circle[:, ::3], (0.7, 2.1)), (circle[::2, ::2], (2.0, 2.0))):
        kept = fit(plane, 64, pixel)
        assert kept.shape == (64, 64) and np.abs(kept - circle).mean() < 0.03
        assert (fit_mask(plane[None], 64, pixel)[0] != circle).mean() < 0.03
    assert np.abs(fit(circle[::3], 64) - circle).mean() > 0.1
    np.testing.assert_array_equal(fit(circle, 50, (0.801, 0.8)), fit(circle, 50))


def test_a_smaller_image_is_averaged_and_not_sampled():
    stripes = np.tile(np.array([0, 1], np.float32), (32, 16))
    assert np.ptp(fit(stripes, 16)[2:-2, 2:-2]) < 0.2


def test_a_pixel_belongs_to_a_smaller_mask_by_the_half():
    mask = np.zeros((1, 32, 32), bool)
    mask[0, 8:24, 8:16] = True
    expected = np.zeros((1, 16, 16), bool)
    expected[0, 4:12, 4:8] = True
    np.testing.assert_array_equal(fit_mask(mask, 16), expected)


def test_slices_that_show_hardly_any_lung_are_not_taken():
    area = np.full(20, 100)
    area[[0, 1, 18, 19]] = 14
    np.testing.assert_array_equal(choose_slices(area, 16), np.arange(2, 18))
    with pytest.raises(TooFewSlices, match="16 usable"):
        choose_slices(area, 17)
