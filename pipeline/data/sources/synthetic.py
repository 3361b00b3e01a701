"""The embedded default: patients made by formula. No data needed, no claim about real patients."""

from dataclasses import asdict, dataclass
from typing import ClassVar

from pipeline.data.patient import PreparedPatient
from pipeline.data.prepare import prepare
from pipeline.data.synthetic.scanner import LOW_DOSE, STANDARD, Scanner, scan_patient
from pipeline.data.synthetic.severity import Cohort, draw_cohort
from pipeline.settings import Settings


@dataclass(frozen=True)
class SyntheticSource:
    """Draws the cohort once and makes each patient on its own."""

    scanner: ClassVar[Scanner] = STANDARD
    settings: Settings
    cohort: Cohort

    @classmethod
    def open(cls, settings: Settings) -> "SyntheticSource":
        return cls(settings, draw_cohort(settings.patients, settings.seed))

    def keys(self) -> list[int]:
        return list(range(self.settings.patients))

    def labels(self) -> list[int]:
        """The label of every patient: 0 mild, 1 severe."""
        return self.cohort.labels.tolist()

    def splits(self) -> None:
        """None: nobody has given the patients one."""

    def inputs(self, key: int) -> list:
        """What `load` makes a patient of: plain values."""
        return [key, self.settings.patients, self.settings.seed, asdict(self.scanner)]

    def load(self, key: int) -> PreparedPatient:
        settings = self.settings
        patient = scan_patient(key, self.cohort, settings.image_size, settings.seed, self.scanner)
        return prepare(patient, settings.slices, settings.image_size, settings.window)


class LowDoseSource(SyntheticSource):
    """The same kind of patients, scanned with more noise: patients from elsewhere for a synthetic study."""

    scanner = LOW_DOSE
