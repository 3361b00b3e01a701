"""One synthetic patient, from the seed to the scanned volume."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.data.patient import Patient
from pipeline.data.synthetic.fields import smooth_field
from pipeline.data.synthetic.lesions import make_lesions, paint_lesions
from pipeline.data.synthetic.severity import Cohort
from pipeline.data.synthetic.thorax import Space, Thorax, make_space, make_thorax
from pipeline.data.synthetic.vessels import paint_vessels_and_airways


@dataclass(frozen=True)
class Scanner:
    """blur: standard deviation of the in-plane blur, pixels; noise: range of the noise's standard deviation, HU."""

    blur: float
    noise: tuple[float, float]


STANDARD = Scanner(blur=0.6, noise=(15, 35))
# A quarter of the dose doubles the noise; the smoother reconstruction that often goes with it blurs.
LOW_DOSE = Scanner(blur=0.8, noise=(40, 80))


def _parenchyma(space: Space, rng: np.random.Generator) -> np.ndarray:
    """Healthy lung tissue: float32 (z, y, x), HU around -850, denser to the back as in a lying patient."""
    level = rng.normal(-852, 24)
    gradient = rng.uniform(20, 60) * space.y / 80
    texture = 18 * smooth_field(rng, space.shape, space.extent, 34.0)
    texture += 14 * smooth_field(rng, space.shape, space.extent, 8.0)
    return (level + gradient + texture).astype(np.float32)


def _scan(tissue: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    blurred = ndimage.gaussian_filter(tissue, (0, scanner.blur, scanner.blur))
    noise = rng.standard_normal(tissue.shape, dtype=np.float32)
    return blurred + np.float32(rng.uniform(*scanner.noise)) * noise


def scan_patient(index: int, cohort: Cohort, image_size: int, seed: int, scanner: Scanner = STANDARD) -> Patient:
    """Make patient number `index` of the cohort; depends on nothing but the arguments."""
    rng = np.random.default_rng([seed, 1, index])
    space = make_space(image_size)
    thorax: Thorax = make_thorax(space, rng)
    lungs = _parenchyma(space, rng)
    paint_vessels_and_airways(lungs, space, rng)
    lesions = make_lesions(space, thorax, float(cohort.involvement[index]), rng)
    paint_lesions(lungs, space, lesions, rng)
    tissue = np.where(thorax.lungs, lungs, thorax.soft)
    return Patient(
        id=f"synthetic-{index:04d}", label=int(cohort.labels[index]), volume=_scan(tissue, scanner, rng),
        spacing=space.spacing, lung_mask=thorax.lungs, lesion_mask=lesions.mask,
        age=float(cohort.age[index]), sex=str(cohort.sex[index]),
    )
