"""Patients are read once: a run that was killed or refused goes on from them; a changed split, table or file costs what it must."""

import csv
import errno
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.dataset import new_array
from pipeline.data.fingerprint import fingerprint
from pipeline.data.kept import patient_marks
from pipeline.data.make import make_dataset
from pipeline.data.sources.registry import open_source
from pipeline.data.sources.synthetic import LowDoseSource
from pipeline.engine import Engine
from pipeline.errors import CannotWrite, UserError
from pipeline.layout import Layout
from pipeline.progress import Progress
from pipeline.settings import load_settings
from pipeline.status import status_rows
from pipeline.training.unfinished import run_missing

PATIENTS = 14
DAMAGED = b"no array"


class Killed(BaseException):
    """What ends a process without its knowing."""


class Counting(Engine):
    """Runs jobs in this process, notes which patients they read, and is killed after `last` of them."""

    def __init__(self, last: int = 1000):
        super().__init__(0)
        self.read: list[str] = []
        self.last = last

    def run(self, function, jobs, width=None):
        for index, job in enumerate(jobs):
            if len(self.read) == self.last:
                raise Killed
            self.read.append(job.key)
            yield index, function(job)


@pytest.fixture
def folder(tmp_path):
    """Slices of patients and their lesions, each pixel another number, and a table of them."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "own"
    folder.mkdir()
    for name in names():
        np.save(folder / f"{name}.npy", rng.random((10, 128, 128)).astype(np.float32))
        np.save(folder / f"{name}-lesions.npy", rng.random((10, 128, 128)) < 0.3)
    write_table(folder, names())
    return folder


def names(count: int = PATIENTS) -> list[str]:
    return [f"patient-{number}" for number in range(count)]


def write_table(folder: Path, patients: list[str], lesions: bool = True) -> None:
    rows = [(name, int(name[-1]) % 2, *([f"{name}-lesions.npy"] if lesions else [])) for name in patients]
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "label", "lesions")[: len(rows[0])], *rows])


def settings_of(folder: Path, *more: str):
    return load_settings("tiny", ["source=slices", f"source_path={folder}", "batch_size=4", *more])


def make(folder: Path, root: Path, *more: str, last: int = 1000) -> list[str]:
    """Make the dataset below `root`; return the patients that were read for it."""
    engine = Counting(last)
    with suppress(Killed):
        make_dataset(settings_of(folder, *more), Layout(root), engine, Progress(quiet=True))
    return engine.read


def contents(root: Path) -> dict[str, bytes]:
    """What a reader of the dataset sees."""
    return {path.name: path.read_bytes() for path in (root / "data").iterdir() if not path.name.startswith(".")}


def assert_as_made_at_once(folder: Path, root: Path, *more: str) -> None:
    fresh = root.with_name("fresh")
    make(folder, fresh, *more)
    assert contents(root) == contents(fresh) and not Layout(root).reading.exists()


@pytest.mark.parametrize("kills", [[1], [13], [5, 4]])
def test_a_killed_run_reads_the_patients_it_had_not_read(folder, tmp_path, kills):
    root = tmp_path / "study"
    for last in kills:
        make(folder, root, last=last)
        assert not contents(root)
    assert make(folder, root) == names()[sum(kills):]
    assert_as_made_at_once(folder, root)


def test_the_status_tells_how_many_patients_an_unfinished_run_has_read(folder, tmp_path):
    root, settings = tmp_path / "study", settings_of(folder, "external=slices", f"external_path={folder}")
    assert status_rows(settings, Layout(root))[:2] == [("data", "missing", "", ""), ("data/external", "missing", "", "")]
    make(folder, root, last=5)
    make(folder, Layout(root).elsewhere.root, last=3)
    assert status_rows(settings, Layout(root))[:2] == [("data", "begun", "", "5 read"), ("data/external", "begun", "", "3 read")]
    make(folder, root)
    assert status_rows(settings, Layout(root))[0][1] == "missing"  # its stage has not written that it is done


def test_a_run_that_was_refused_reads_those_who_could_not_be_used(folder, tmp_path):
    root = tmp_path / "study"
    good = (folder / "patient-3.npy").read_bytes()
    for name in ("patient-3", "patient-8"):
        (folder / f"{name}.npy").write_bytes(DAMAGED)
    with pytest.raises(UserError, match=r"patient-3.npy[^\n]*\n[^\n]*patient-8.npy"):
        make(folder, root)
    (folder / "patient-3.npy").write_bytes(good)
    write_table(folder, [name for name in names() if name != "patient-8"])  # patients 9 to 13 move up by a place
    assert make(folder, root) == ["patient-3"]
    assert_as_made_at_once(folder, root)


def test_a_run_that_is_killed_again_after_its_table_changed_has_lost_nothing(folder, tmp_path):
    root = tmp_path / "study"
    assert make(folder, root, last=6) == names()[:6]
    write_table(folder, names()[2:])
    assert make(folder, root, last=1) == names()[6:7]
    assert make(folder, root) == names()[7:]
    assert_as_made_at_once(folder, root)


def test_where_nobody_can_be_used_nothing_is_left(folder, tmp_path):
    for name in names():
        (folder / f"{name}.npy").write_bytes(DAMAGED)
    with pytest.raises(UserError, match="patient-0.npy"):
        make(folder, tmp_path / "study")
    assert not list((tmp_path / "study" / "data").iterdir())


def test_of_a_dataset_that_is_there_only_new_and_changed_patients_are_read(folder, tmp_path):
    root = tmp_path / "study"
    assert make(folder, root) == names()
    assert make(folder, root, "split=0.5,0.25,0.25") == [] == make(folder, root, "seed=5")
    header, *rows = (folder / "labels.csv").read_text().split()
    splits = ["train"] * 6 + ["validation", "validation", "test", "test"] * 2
    (folder / "labels.csv").write_text("\n".join([f"{header},split", *map(",".join, zip(rows, splits, strict=True))]))
    assert make(folder, root) == []
    np.save(folder / "patient-2.npy", np.load(folder / "patient-2.npy")[::-1])
    np.save(folder / "patient-4-lesions.npy", np.load(folder / "patient-4-lesions.npy")[::-1])
    np.save(folder / "another-1.npy", 1 - np.load(folder / "patient-5.npy"))
    np.save(folder / "another-1-lesions.npy", np.load(folder / "patient-5-lesions.npy"))
    write_table(folder, ["another-1", *names(PATIENTS - 1)])
    assert make(folder, root, last=2) == ["another-1", "patient-2"]  # killed: the dataset stays, and so does what it has read
    assert make(folder, root) == ["patient-4"]
    assert_as_made_at_once(folder, root)
    assert make(folder, root, "window=-900,300") == ["another-1", *names(PATIENTS - 1)]


def test_slices_and_lesions_that_change_places_are_read_again(folder, tmp_path):
    root = tmp_path / "study"
    rows = [f"{name},{int(name[-1]) % 2},{name}.npy,{name}-lesions.npy" for name in names()]
    (folder / "labels.csv").write_text("\n".join(["id,label,path,lesions", *rows]))
    make(folder, root)
    turned = rows[6].replace("patient-6.npy,patient-6-lesions.npy", "patient-6-lesions.npy,patient-6.npy")
    (folder / "labels.csv").write_text("\n".join(["id,label,path,lesions", *rows[:6], turned, *rows[7:]]))
    assert make(folder, root) == ["patient-6"]
    assert_as_made_at_once(folder, root)


def test_lesions_that_are_no_longer_named_are_gone(folder, tmp_path):
    root = tmp_path / "study"
    make(folder, root)
    write_table(folder, names(), lesions=False)
    assert make(folder, root) == names() and "lesions.npy" not in contents(root)
    assert_as_made_at_once(folder, root)
    assert make(folder, root, "seed=5") == []


def zero_a_row(path: Path) -> None:
    array = np.load(path, mmap_mode="r+")
    array[4] = 0
    array.flush()


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


@pytest.mark.parametrize(("damaged", "damage", "again"), [
    ("slices.npy", zero_a_row, [4]), ("lesions.npy", zero_a_row, [4]), ("slices.npy", cut_off, range(9)),
    ("lesions.npy", cut_off, range(9)), ("slices.npy", Path.unlink, range(9)), ("lesions.npy", Path.unlink, range(9)),
    (".read.jsonl", cut_off, [8]), (".read.jsonl", Path.unlink, range(9)), (".read.jsonl", lambda path: path.write_text("[]\n"), range(9)),
])
def test_what_was_damaged_since_is_read_again(folder, tmp_path, damaged, damage, again):
    root = tmp_path / "study"
    make(folder, root, last=9)
    damage(Layout(root).reading / damaged)
    assert make(folder, root) == names()[min(again):max(again) + 1] + names()[9:]
    assert_as_made_at_once(folder, root)


@pytest.mark.parametrize("array", [np.float16, np.uint8])
def test_where_the_disk_has_no_room_for_a_changed_table_what_was_read_stays(folder, tmp_path, monkeypatch, array):
    root = tmp_path / "study"
    make(folder, root, last=9)
    write_table(folder, names()[1:])
    before = {path: path.stat().st_size for path in Layout(root).reading.iterdir()}

    def full(path, dtype, shape):
        if dtype is array:
            raise CannotWrite(path, OSError(errno.ENOSPC, "No space left on device"))
        return new_array(path, dtype, shape)

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.data.kept.new_array", full)
        with pytest.raises(CannotWrite):
            make(folder, root)
    assert {path: path.stat().st_size for path in Layout(root).reading.iterdir()} == before
    assert make(folder, root) == names()[9:]
    assert_as_made_at_once(folder, root)


def test_patients_that_were_read_before_are_told(folder, tmp_path, capsys):
    make(folder, tmp_path / "study", last=5)
    make_dataset(settings_of(folder), Layout(tmp_path / "study"), Engine(0), Progress())
    assert "5 of 14 patients were read before" in capsys.readouterr().out


class Watched(Progress):
    """Counts what its bars are told."""

    def __init__(self):
        super().__init__(quiet=True)
        self.bars: list[list[int]] = []

    def bar(self, title, total):
        told = [total, 0]
        self.bars.append(told)

        class Bar:
            def __enter__(self):
                return self

            def __exit__(self, *exception):
                pass

            def advance(self, steps=1):
                told[1] += steps

        return Bar()


def test_bars_reach_their_end_also_where_work_goes_on(folder, tmp_path):
    make(folder, tmp_path / "study", last=5)
    progress = Watched()
    make_dataset(settings_of(folder), Layout(tmp_path / "study"), Engine(0), progress)
    paths = [tmp_path / f"{number}.json" for number in range(4)]
    paths[1].touch()
    run_missing(paths, lambda missing: ((place, missing[place]) for place in (2, 0, 1)), progress, "trials")
    assert progress.bars == [[14, 14], [4, 4]]
    assert [path.read_text() for path in paths] == ["0\n", "", "2\n", "3\n"]


def marks(*words: str) -> list[str]:
    settings = load_settings("tiny", words)
    return patient_marks(open_source(settings), settings)


def test_synthetic_patients_follow_from_seed_number_scanner_and_preparation():
    own = marks()
    assert len(set(own)) == len(own) == 24 and own == marks("split=0.5,0.25,0.25", "batch_size=2")
    for other in (["seed=1"], ["patients=30"], ["image_size=160"], ["slices=5"], ["window=-900,300"]):
        assert not set(own) & set(marks(*other)), other
    settings = load_settings("tiny")
    assert not set(own) & set(patient_marks(LowDoseSource.open(settings), settings))


@pytest.mark.parametrize("source", ["volumes", "stoic"])
def test_a_changed_scan_or_row_changes_the_mark_of_its_patient_alone(tmp_path, source):
    scans = tmp_path / "data" / "mha"
    scans.mkdir(parents=True)
    for name in names():
        (scans / f"{name}.mha").write_bytes(name.encode())
        (scans / f"{name}-mask.mha").write_bytes(name.encode())
    (tmp_path / "metadata").mkdir()
    table = tmp_path / "patients.csv" if source == "volumes" else tmp_path / "metadata" / "reference.csv"
    header = "id,path,label,mask,age" if source == "volumes" else "PatientID,probCOVID,probSevere,path,age"
    middle = "{0},data/mha/{0}.mha,{1},data/mha/{0}-mask.mha,{2}" if source == "volumes" else "{0},1,{1},,{2}"

    def write(age: int) -> None:
        rows = [middle.format(name, number % 2, age if number == 4 else 50) for number, name in enumerate(names())]
        table.write_text("\n".join([header, *rows]) + "\n")

    def changed() -> list[str]:
        nonlocal before
        settings = load_settings("tiny", [f"source={source}", f"source_path={table if source == 'volumes' else tmp_path}", "patients=14"])
        opened = open_source(settings)
        now = dict(zip(opened.keys(), patient_marks(opened, settings), strict=True))
        different = [name for name in now if now[name] != before.get(name)]
        before = now
        return different

    before: dict[str, str] = {}
    write(50)
    assert sorted(changed()) == sorted(names()) and changed() == []
    (scans / "patient-3.mha").write_bytes(b"another")
    assert changed() == ["patient-3"]
    if source == "volumes":
        (scans / "patient-5-mask.mha").write_bytes(b"another")
        assert changed() == ["patient-5"]
        write(51)
        assert changed() == ["patient-4"]


def test_a_fingerprint_names_each_file_once_however_deep_it_lies(tmp_path):
    for name in ("scan/a.dcm", "scan/more/deep/b.dcm", "table.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "scan" / "linked.dcm").symlink_to(tmp_path / "table.csv")
    (tmp_path / "scan" / "gone.dcm").symlink_to(tmp_path / "nothing")
    (tmp_path / "scan" / "round").symlink_to(tmp_path / "scan")
    found = fingerprint([tmp_path / "table.csv", tmp_path / "scan", tmp_path / "scan" / "a.dcm", tmp_path / "missing"])
    files = [tmp_path / name for name in ("scan/a.dcm", "scan/linked.dcm", "scan/more/deep/b.dcm", "table.csv")]
    assert found == [[path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
