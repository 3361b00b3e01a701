"""How time and memory grow with the number of patients."""

import gc
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.layout import Layout
from pipeline.ledger import Ledger
from pipeline.settings import Settings
from pipeline.study import Study, run_stages
from pipeline.training.loop import Hyperparameters
from pipeline.training.trial import run_training
from pipeline.training.tune import plan_jobs

FEWEST, FACTORS = 24, (1, 4, 16)
MODEL = "CNN1"


@dataclass(frozen=True)
class Growth:
    """patients, seconds of the data stage and of one epoch of MODEL, megabytes this process took in addition."""

    patients: int
    data_s: float
    epoch_s: float
    memory_mb: float


def measure_growth(study: Study) -> list[Growth]:
    """Make and train on FEWEST patients times each of FACTORS, in a folder that is thrown away."""
    found = []
    for factor in FACTORS:
        with tempfile.TemporaryDirectory() as folder:
            found.append(_one(replace(study, layout=Layout(Path(folder)), ledger=Ledger(Layout(Path(folder))),
                                      settings=_settings(study.settings, FEWEST * factor))))
    return found


def _settings(settings: Settings, patients: int) -> Settings:
    return replace(settings, patients=patients, source="synthetic", source_path="", external="none",
                   batch_size=min(settings.batch_size, 8))


def _one(study: Study) -> Growth:
    gc.collect()
    before = _resident_mb()
    start = time.perf_counter()
    run_stages(study, "data")
    data = time.perf_counter() - start
    (job,) = plan_jobs([(MODEL, Hyperparameters(1e-4, 0.0, 1.0))], 1, study.settings, study.layout, study.backend, False)
    run_training(job)  # a warm-up, and the page cache is filled
    start = time.perf_counter()
    run_training(job)
    return Growth(study.settings.patients, data, time.perf_counter() - start, max(_resident_mb() - before, 0.0))


def _resident_mb() -> float:
    """Memory of this process now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return 0.0
    import os

    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
