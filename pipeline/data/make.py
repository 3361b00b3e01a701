"""The data stage: reads or makes every patient, splits them, and writes the dataset."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.dataset import PATIENT_COLUMNS
from pipeline.data.kept import ReadPatients, lesions_hash, patient_marks
from pipeline.data.patient import PreparedPatient
from pipeline.data.sources.registry import open_source
from pipeline.data.split import EXTERNAL, SPLITS, check_classes, check_leakage, slice_hashes, split_patients
from pipeline.engine import Engine
from pipeline.errors import BadSetting, UserError
from pipeline.layout import Layout
from pipeline.memory import WORKING
from pipeline.progress import Progress
from pipeline.records import sha256_of, write_csv, write_json
from pipeline.settings import Settings

# Vessels of windowed lungs come to about 0.75; where nothing comes near, the values were hardly scaled to [0, 1].
FAINT = 0.25
# Lungs alone light less than half of a slice; where much more is lit, they were not cut out of the body.
MOSTLY_LIT = 0.75
# Patients who cannot be used, each of whom is told before the rest is left unread.
MOST_TOLD = 20

Check = Callable[[Sequence, Sequence[dict]], None]


@dataclass(frozen=True)
class Load:
    """One job: load patient `key` of the source the settings name."""

    source: object
    key: object

    @property
    def memory(self) -> float:
        """Bytes counted for it."""
        return getattr(self.source, "memory", WORKING)


def _load(job: Load) -> tuple[PreparedPatient, dict] | UserError:
    """The patient, and what is told of it: to find that takes longer than to store the slices, so it is part of the job.
    The error where the patient cannot be used, as there may be others."""
    try:
        patient = job.source.load(job.key)
    except UserError as error:
        return error
    voxel_z, voxel_xy = patient.voxel or (None, None)
    lungs_given = None if patient.lungs_given is None else int(patient.lungs_given)
    return patient, {
        "label": patient.label, "age": patient.age, "sex": patient.sex, "lesions_hash": lesions_hash(patient.lesions),
        "lesion_fraction": patient.lesion_fraction, "voxel_z": voxel_z, "voxel_xy": voxel_xy, "planes": patient.planes,
        "side": patient.side, "lungs_given": lungs_given, "hashes": slice_hashes(patient.slices),
        "brightest": float(patient.slices.max()), "lit": float((patient.slices > 0).mean()),
    }


def make_dataset(settings: Settings, layout: Layout, engine: Engine, progress: Progress) -> list[Path]:
    """Write patients.csv, slices.npy, lesions.npy (where known) and dataset.json; return their paths."""
    source = open_source(settings)
    if len(source.keys()) < 10:
        raise UserError(f"the data hold {len(source.keys())} patients; bring at least 10, so that every split holds both classes")
    splits = split_source(source, settings)

    def check(keys: Sequence, patients: Sequence[dict]) -> None:
        check_leakage(keys, splits, [patient["hashes"] for patient in patients])

    return write_dataset(source, settings, layout, engine, progress, splits, check)


def split_source(source, settings: Settings) -> list[str]:
    """The split of every patient of an opened source: as it is given, or drawn.

    Raises ClassMissing and BadSetting, before anything is read.
    """
    splits = source.splits()
    if splits:
        check_classes(source.labels(), splits, "change the column split of the table")
    else:
        splits = split_patients(source.labels(), settings.split, settings.seed)
    if settings.batch_size > splits.count("train"):
        raise BadSetting("batch_size", settings.batch_size,
                         f"the training set has {splits.count('train')} patients; give at most that many")
    return splits


def write_dataset(source, settings: Settings, layout: Layout, engine: Engine, progress: Progress, splits: Sequence[str],
                  check: Check) -> list[Path]:
    """Write the same files of all patients of an opened source.

    splits: of the patients, in the source's order; check: raises an error where what is known of the patients, which it gets with
    their keys in the source, forbids to write them.
    """
    keys = source.keys()
    shape = (len(keys), settings.slices, settings.image_size, settings.image_size)
    read = ReadPatients(layout, patient_marks(source, settings), shape)
    _read_missing(source, keys, read, engine, progress)
    check(keys, read.told)
    _notice_odd(max(patient["brightest"] for patient in read.told), float(np.mean([patient["lit"] for patient in read.told])))
    read.finish(with_lesions=all(patient["lesions_hash"] for patient in read.told))
    return _write_tables(settings, layout, read.told, splits, given=splits == source.splits())


def _read_missing(source, keys: Sequence, read: ReadPatients, engine: Engine, progress: Progress) -> None:
    """Read the patients that have not been read yet; those that can be used are kept, also where others cannot."""
    refused: dict[int, UserError] = {}
    missing = read.missing()
    if len(missing) < len(keys):
        progress.say(f"{len(keys) - len(missing)} of {len(keys)} patients were read before")
    with progress.bar("data", len(keys)) as bar:
        bar.advance(len(keys) - len(missing))
        for place, loaded in engine.run(_load, [Load(source, keys[row]) for row in missing]):
            if isinstance(loaded, UserError):
                refused[place] = loaded
                if len(refused) == MOST_TOLD:
                    break
            else:
                read.keep(missing[place], *loaded)
            bar.advance()
    if refused:
        if not any(read.told):
            read.discard()
        raise UserError("\nerror: ".join(dict.fromkeys(str(refused[place]) for place in sorted(refused))))


def _notice_odd(brightest: float, lit: float) -> None:
    """Say what is odd about slices that can be learned from all the same."""
    if brightest < FAINT:
        print(f"notice: no pixel of all slices is above {brightest:.2f} of the range from 0 to 1; if these are 12 bits in files of 16, "
              "scale them to the full range", file=sys.stderr)
    if lit > MOSTLY_LIT:
        print(f"notice: {lit:.0%} of all pixels are above 0, where lungs alone would leave most of a slice black; a network may learn "
              "from the body around them, so cut the lungs out, or give scans in HU with source=volumes", file=sys.stderr)


def pseudonyms(splits: Sequence[str]) -> list[str]:
    """A name for each patient, of these splits in the source's order: `p001` is the first, `e001` the first from elsewhere.

    It follows from the place alone. A digest of the id would give the id away to whoever tries all that may be.
    """
    digits = max(3, len(str(len(splits))))
    return [f"{'e' if split == EXTERNAL else 'p'}{place:0{digits}}" for place, split in enumerate(splits, start=1)]


def _write_tables(settings: Settings, layout: Layout, patients, splits, given: bool) -> list[Path]:
    rows = [
        {"id": name, "split": split, "source": settings.source,
         **{column: patient[column] for column in PATIENT_COLUMNS if column in patient}}
        for name, patient, split in zip(pseudonyms(splits), patients, splits, strict=True)
    ]
    write_csv(layout.patients, rows, PATIENT_COLUMNS)
    paths = [layout.patients, layout.slices, *([layout.lesions] if layout.lesions.exists() else [])]
    labels, masks = ([patient[name] for patient in patients] for name in ("label", "lungs_given"))
    write_json(layout.dataset, {
        "source": settings.source,
        "patients": len(patients), "slices": settings.slices, "image_size": settings.image_size,
        "window_hu": list(settings.window), "split_fractions": list(settings.split), "split_given": given, "seed": settings.seed,
        "counts": {name: {"mild": sum(s == name and y == 0 for s, y in zip(splits, labels, strict=True)),
                          "severe": sum(s == name and y == 1 for s, y in zip(splits, labels, strict=True))}
                   for name in sorted(set(splits), key=(*SPLITS, EXTERNAL).index)},
        "lesion_masks": layout.lesions in paths,
        "lung_masks": None if None in masks else sum(masks),
        "sha256": {path.name: sha256_of(path) for path in paths},
        "versions": {"numpy": np.__version__},
    })
    return [*paths, layout.dataset]
