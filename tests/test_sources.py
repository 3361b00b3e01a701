"""Real input: DICOM, NIfTI, NPY and PNG, and the tables that name them; each mistake in one line."""

import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipeline.data.lungs import segment_lungs
from pipeline.data.make import make_dataset, pseudonyms
from pipeline.data.prepare import prepare
from pipeline.data.preview import preview
from pipeline.data.reading import read_picture, read_scan, read_stack
from pipeline.data.sources.registry import open_source
from pipeline.data.synthetic.scanner import scan_patient
from pipeline.data.synthetic.severity import draw_cohort
from pipeline.data.tables import read_table
from pipeline.engine import Engine
from pipeline.errors import BadTable, MissingPath, NoLungs, TooFewSlices, UnreadableFile, UserError
from pipeline.layout import Layout
from pipeline.ledger import Ledger
from pipeline.progress import Progress
from pipeline.records import read_csv, read_json
from pipeline.settings import load_settings
from pipeline.units import all_units, unit_digest
from tests.dicom import write_series
from tests.long_runs import ROOT

DICOM = ROOT / "tests" / "data" / "chest-ct-slice.dcm"


def test_a_real_dicom_slice_is_read_windowed_and_segmented():
    scan = read_scan(DICOM)
    assert scan.volume.shape == (1, 512, 512)
    assert scan.spacing == pytest.approx((1.0, 0.625, 0.625), abs=0.5)
    assert (scan.volume.min(), scan.volume.max()) == (-2048, 1502)
    lungs = segment_lungs(scan.volume, scan.spacing)[0]
    assert 0.15 < lungs.mean() < 0.22
    assert lungs[300, 150] and lungs[300, 420]  # right and left lung
    assert not lungs[300, 300] and not lungs[50, 250]  # heart; air in front of the body
    assert preview(DICOM).shape == (512, 3 * 512, 3)


def test_a_preview_shows_the_middle_slice_in_the_window_of_the_study(tmp_path):
    np.save(tmp_path / "scan.npy", np.stack([np.full((16, 20), hu, np.int16) for hu in (-900, 50, 300)]))
    picture = preview(tmp_path / "scan.npy")
    assert picture.shape == (16, 60, 3) and (picture[:, :40] == round(255 * 1050 / 1400)).all()
    assert not picture[:, 40:].any()  # no lungs there


def test_a_dicom_folder_is_a_series(tmp_path):
    (tmp_path / "slice.dcm").write_bytes(DICOM.read_bytes())
    np.testing.assert_array_equal(read_scan(tmp_path).volume, read_scan(DICOM).volume)


def test_a_dicom_folder_tells_of_its_patient_as_a_file_does(tmp_path):
    (tmp_path / "slice.dcm").write_bytes(DICOM.read_bytes())
    header = read_scan(tmp_path).header
    assert header and header == read_scan(DICOM).header


@pytest.mark.parametrize("below", ["", "study/of a patient"])
def test_of_several_series_in_a_folder_the_longest_is_read(tmp_path, below):
    for series, slices in (("1.2.1", 2), ("1.2.2", 5), ("1.2.3", 1)):
        written = tmp_path / below / series
        write_series(written, series, [(0, 0, place) for place in range(slices)], slices)
        if not below:  # all in one folder
            for file in written.iterdir():
                file.rename(tmp_path / f"{series}-{file.name}")
            written.rmdir()
    assert read_scan(tmp_path).volume.shape == (5, 8, 8) and (read_scan(tmp_path).volume == 5).all()


@pytest.mark.parametrize("wrong", [lambda volume: volume + 1024, lambda volume: np.full_like(volume, 40)])
def test_a_scan_that_is_not_in_hounsfield_units_is_told_as_such(scanned, wrong):
    volume = wrong(scanned.volume)
    with pytest.raises(NoLungs, match=f"air about -1000 .here they reach from {volume.min():g} to {volume.max():g}."):
        prepare(replace(scanned, volume=volume, lung_mask=None), 10, 128, (-1000, 400))


@pytest.fixture(scope="module")
def scanned():
    return scan_patient(1, draw_cohort(12, 4), 128, 4)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".npy"])
def test_volumes_of_every_format_give_the_same_slices(tmp_path, scanned, suffix):
    import SimpleITK

    path = tmp_path / f"scan{suffix}"
    if suffix == ".npy":
        np.save(path, scanned.volume)
    else:
        image = SimpleITK.GetImageFromArray(scanned.volume)
        image.SetSpacing(tuple(float(size) for size in reversed(scanned.spacing)))
        SimpleITK.WriteImage(image, str(path))
    mask = tmp_path / "mask.npy"
    np.save(mask, scanned.lung_mask.astype(np.uint8))
    table = tmp_path / "patients.csv"
    table.write_text(f"id,path,label,mask\np1,scan{suffix},1,mask.npy\n")
    settings = load_settings("tiny", ["source=volumes", f"source_path={table}"])
    patient = open_source(settings).load("p1")
    assert patient.label == 1 and patient.slices.shape == (10, 128, 128)
    assert patient.slices[5].max() > 0.3
    assert patient.lesions is None


@pytest.mark.parametrize("lungs", ["lungs.npy", ""])
def test_marked_lesions_come_with_their_slices_and_their_share_of_the_lungs(tmp_path, scanned, lungs):
    for name, array in {"scan": scanned.volume, "lungs": scanned.lung_mask, "lesions": 3 * scanned.lesion_mask.astype(np.uint8)}.items():
        np.save(tmp_path / f"{name}.npy", array)
    table = tmp_path / "patients.csv"
    table.write_text(f"id,path,label,mask,lesions\np1,scan.npy,1,{lungs},lesions.npy\n")
    patient = open_source(load_settings("tiny", ["source=volumes", f"source_path={table}"])).load("p1")
    known = prepare(replace(scanned, lung_mask=scanned.lung_mask if lungs else None, spacing=(1.0, 1.0, 1.0)), 10, 128, (-1000, 400))
    np.testing.assert_array_equal(patient.lesions, known.lesions)
    assert patient.lesions.any() and patient.lesion_fraction == known.lesion_fraction > 0
    assert patient.lungs_given == bool(lungs)
    if lungs:
        assert patient.lesion_fraction == (scanned.lesion_mask & scanned.lung_mask).sum() / scanned.lung_mask.sum()
    else:  # of the lungs in the ten slices, which are the lungs that were looked for
        assert patient.lesion_fraction == pytest.approx(patient.lesions.sum() / (patient.slices > 0).sum(), rel=0.1)


def test_lesions_are_marked_for_every_patient_or_for_none(tmp_path, scanned):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", scanned.volume)
    np.save(tmp_path / "lesions.npy", scanned.lesion_mask[1:])
    table = tmp_path / "patients.csv"
    table.write_text("id,path,label,lesions\np1,a.npy,1,lesions.npy\np2,b.npy,0,\n")
    settings = load_settings("tiny", ["source=volumes", f"source_path={table}"])
    with pytest.raises(BadTable, match="line 3 has no lesions while others have; name a mask"):
        open_source(settings)
    table.write_text("id,path,label,lesions\np1,a.npy,1,lesions.npy\np2,b.npy,0,none.npy\n")
    with pytest.raises(MissingPath, match="none.npy.*correct the column lesions"):
        open_source(settings)
    table.write_text("id,path,label,lesions\np1,a.npy,1,lesions.npy\np2,b.npy,0,lesions.npy\n")
    with pytest.raises(UnreadableFile, match="differ in shape"):
        open_source(settings).load("p1")


def test_lesions_marked_on_slices_come_with_them(tmp_path):
    stack, lesions = np.zeros((12, 128, 128), np.uint8), np.zeros((12, 128, 128), np.uint8)
    stack[:, 32:96, 32:96] = 100
    lesions[:, 24:64, 32:64] = 255  # a fifth of it outside the lungs
    np.save(tmp_path / "anna.npy", stack)
    (tmp_path / "marks").mkdir()
    for index, plane in enumerate(lesions):
        Image.fromarray(plane).save(tmp_path / "marks" / f"{index}.png")
    table = tmp_path / "labels.csv"
    table.write_text("id,label,lesions\nanna,1,marks\n")
    settings = load_settings("tiny", ["source=slices", f"source_path={tmp_path}"])
    patient = open_source(settings).load("anna")
    np.testing.assert_array_equal(patient.lesions[3], (lesions & stack)[3] > 0)
    assert patient.lesions.shape == (10, 128, 128) and patient.lesion_fraction == 0.25
    table.write_text("id,label,lesions\nanna,1,marks/1.png\n")
    with pytest.raises(UnreadableFile, match="neither a folder nor an array"):
        open_source(settings).load("anna")
    np.save(tmp_path / "few.npy", lesions[:10])
    table.write_text("id,label,lesions\nanna,1,few.npy\n")
    with pytest.raises(UnreadableFile, match="lesions .10, 128, 128. and slices .12, 128, 128. differ in shape"):
        open_source(settings).load("anna")


def test_age_and_sex_of_the_table_go_before_those_of_the_header(tmp_path, scanned, monkeypatch):
    from pipeline.data.sources import volumes

    np.save(tmp_path / "scan.npy", scanned.volume)
    np.save(tmp_path / "lungs.npy", scanned.lung_mask)
    table = tmp_path / "patients.csv"
    table.write_text("id,path,label,mask,Age,Sex\np1,scan.npy,1,lungs.npy,61.5,f\np2,scan2.npy,0,lungs.npy,,\n")
    np.save(tmp_path / "scan2.npy", scanned.volume)
    monkeypatch.setattr(volumes, "read_age_and_sex", lambda header: (40.0, "M"))
    source = open_source(load_settings("tiny", ["source=volumes", f"source_path={table}"]))
    assert [(patient.age, patient.sex) for patient in map(source.load, ("p1", "p2"))] == [(61.5, "F"), (40.0, "M")]


def test_slices_come_with_the_age_and_sex_of_their_table(tmp_path):
    for name in ("anna", "bor"):
        np.save(tmp_path / f"{name}.npy", np.full((10, 16, 16), 100, np.uint8))
    (tmp_path / "labels.csv").write_text("id,label,age,sex\nanna,0,70,F\nbor,1,,\n")
    source = open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"]))
    assert [(patient.age, patient.sex) for patient in map(source.load, ("anna", "bor"))] == [(70.0, "F"), (None, None)]


def test_an_age_may_have_a_decimal_comma(tmp_path):
    np.save(tmp_path / "anna.npy", np.full((10, 16, 16), 100, np.uint8))
    (tmp_path / "labels.csv").write_text("id;label;age\nanna;0;61,5\n")
    assert open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"])).load("anna").age == 61.5


def test_a_name_tells_of_a_patients_place_and_of_nothing_else():
    assert pseudonyms(["train", "test", "train"]) == ["p001", "p002", "p003"]
    assert pseudonyms(["external"] * 2) == ["e001", "e002"]
    many = pseudonyms(["train"] * 12345)
    assert (many[0], many[-1], len(set(many))) == ("p00001", "p12345", 12345)


@pytest.mark.parametrize(("age", "sex", "what"), [
    ("old", "F", "line 2 has age 'old'; give it in years"), ("-1", "", "line 2 has age '-1'"), ("nan", "", "line 2 has age 'nan'"),
    ("50", "x", "line 2 has sex 'x'; use F or M, or leave it empty"),
])
def test_an_age_or_sex_that_cannot_be_is_told(tmp_path, age, sex, what):
    np.save(tmp_path / "anna.npy", np.full((10, 16, 16), 100, np.uint8))
    (tmp_path / "labels.csv").write_text(f"id,label,age,sex\nanna,0,{age},{sex}\n")
    with pytest.raises(BadTable, match=what):
        open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"]))


def test_columns_that_are_not_used_are_named(tmp_path, capsys):
    np.save(tmp_path / "anna.npy", np.full((10, 16, 16), 100, np.uint8))
    (tmp_path / "labels.csv").write_text("id,label,Lesion,ward\nanna,0,x,3\n")
    open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"]))
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "not used: lesion, ward; the columns known are id, label, path, lesions, age, sex" in told
    (tmp_path / "labels.csv").write_text("id,label\nanna,0\n")
    open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"]))
    assert not capsys.readouterr().err


def test_a_volume_with_too_few_slices_is_named(tmp_path):
    (tmp_path / "patients.csv").write_text(f"id,path,label\nanna,{DICOM},0\n")
    settings = load_settings("tiny", ["source=volumes", f"source_path={tmp_path / 'patients.csv'}"])
    with pytest.raises(TooFewSlices, match="anna has 1 usable slices and the study takes 10"):
        open_source(settings).load("anna")


def test_pictures_are_scaled_by_their_type(tmp_path):
    Image.fromarray(np.array([[0, 255], [51, 102]], np.uint8)).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_picture(tmp_path / "a.png"), [[0, 1], [0.2, 0.4]])
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(tmp_path / "b.png")
    np.testing.assert_allclose(read_picture(tmp_path / "b.png"), [[0, 1]])


def test_slices_from_pictures_arrays_and_archives(tmp_path, rng):
    stack = (rng.random((12, 20, 20)) * 255).astype(np.uint8)
    (tmp_path / "anna").mkdir()
    for index, plane in enumerate(stack):
        Image.fromarray(plane).save(tmp_path / "anna" / f"{index:02}.png")
    np.save(tmp_path / "bor.npy", stack)
    np.savez(tmp_path / "cene.npz", slices=stack)
    (tmp_path / "labels.csv").write_text("id,label\nanna,0\nbor,1\ncene,1\n")
    source = open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"]))
    patients = [source.load(key) for key in source.keys()]
    assert [patient.label for patient in patients] == [0, 1, 1]
    for patient in patients:
        np.testing.assert_array_equal(patient.slices, patients[0].slices)
    assert patients[0].slices.shape == (10, 128, 128)


def test_pictures_come_in_the_order_of_their_numbers_and_hidden_files_are_left_out(tmp_path):
    for number in range(1, 13):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / f"slice {number}.png")
    (tmp_path / "._slice 1.png").write_bytes(b"not a picture")
    assert (255 * read_stack(tmp_path)[:, 0, 0]).round().tolist() == list(range(1, 13))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_of_a_spreadsheet_may_have_semicolons_or_tabs(tmp_path, separator):
    lines = ["id,label,path", "Ana Č.,0,scans/1", "bor,1,scans/2", ",,", " ,,"]
    (tmp_path / "labels.csv").write_text("\n".join(lines).replace(",", separator), encoding="utf-8-sig")
    rows = read_table(tmp_path / "labels.csv", ("id", "label"))
    assert [row["id"] for row in rows] == ["Ana Č.", "bor"] and rows[1] == {"id": "bor", "label": "1", "path": "scans/2"}


def test_spaces_around_a_cell_do_not_count_and_a_scan_has_to_be_named(tmp_path):
    np.save(tmp_path / "scan.npy", np.zeros((2, 4, 4)))
    table = tmp_path / "scans.csv"
    table.write_text("id,path,label\n a , scan.npy, 1 \n")
    settings = load_settings("tiny", ["source=volumes", f"source_path={table}"])
    assert open_source(settings).keys() == ["a"]
    table.write_text("id,path,label\na, ,1\n")
    with pytest.raises(BadTable, match="line 2 has no path; name every patient's scan"):
        open_source(settings)


def test_columns_are_known_in_large_and_small_letters(tmp_path):
    (tmp_path / "labels.csv").write_text(" ID;PATIENTID;Label;Path\n1;2;0;a\n")
    assert read_table(tmp_path / "labels.csv", ("id", "PatientID", "label")) == [{"id": "1", "PatientID": "2", "label": "0", "path": "a"}]


def test_a_folder_in_place_of_a_table_and_a_scan_in_place_of_slices_are_told_apart(tmp_path):
    with pytest.raises(BadTable, match="this is a folder; name the CSV with the columns id, path, label"):
        open_source(load_settings("tiny", ["source=volumes", f"source_path={tmp_path}"]))
    (tmp_path / "scan.mha").touch()
    with pytest.raises(UnreadableFile, match="neither a folder nor an array.*; scans in HU go with source=volumes"):
        read_stack(tmp_path / "scan.mha")


@pytest.mark.parametrize(("kind", "suffix"), [
    (np.uint8, ".png"), (np.uint16, ".png"), (np.uint16, ".tif"), (">u2", ".tif"), (np.int32, ".tif")])
def test_pictures_of_8_and_16_bits_are_scaled_by_their_range(tmp_path, kind, suffix):
    largest = 255 if kind is np.uint8 else 65535
    values = np.array([[0, largest // 5], [largest // 3, largest]])
    Image.fromarray(values.astype(kind)).save(tmp_path / f"a{suffix}")
    assert read_picture(tmp_path / f"a{suffix}").ravel() == pytest.approx([0, 1 / 5, 1 / 3, 1], abs=1e-6)


def test_a_changed_scan_makes_the_data_stale_whatever_separates_the_cells(tmp_path):
    (tmp_path / "scan.npy").write_bytes(b"1")
    table = tmp_path / "scans.csv"
    settings = load_settings("tiny", ["source=volumes", f"source_path={table}", "external=none"])
    (data, *_), ledger = all_units(settings), Ledger(Layout(tmp_path / "out"))
    for separator in (",", ";"):
        table.write_text(separator.join(["id", "path", "label"]) + "\n" + separator.join(["a", " scan.npy", "1"]) + "\n")
        before = unit_digest(data, settings, ledger)
        (tmp_path / "scan.npy").write_bytes((tmp_path / "scan.npy").read_bytes() + b"2")
        assert unit_digest(data, settings, ledger) != before


def test_a_patient_of_black_slices_is_named(tmp_path):
    np.save(tmp_path / "anna.npy", np.zeros((10, 4, 4), np.float32))
    (tmp_path / "labels.csv").write_text("id,label\nanna,0\n")
    source = open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"]))
    with pytest.raises(UnreadableFile, match="anna.npy cannot be read .all its slices are black.; give slices that show lungs"):
        source.load("anna")


@pytest.mark.parametrize(("given", "taken"), [
    ([1] * 10, list(range(10))),
    ([1] * 9 + [0], list(range(10))),  # a black one counts where there are no others
    ([1] * 12, list(range(1, 11))),
    ([1] * 46, list(range(9, 37, 3))),  # every third one of the central three fifths
    ([0] * 20 + [1] * 46 + [0] * 9, list(range(29, 57, 3))),
])
def test_of_many_slices_those_are_taken_that_a_scan_would_give(tmp_path, given, taken):
    np.save(tmp_path / "anna.npy", np.array([np.full((4, 4), shows * number, np.uint8) for number, shows in enumerate(given, start=1)]))
    (tmp_path / "labels.csv").write_text("id,label\nanna,0\n")
    settings = load_settings("tiny", ["source=slices", f"source_path={tmp_path}", "image_size=128", "slices=10"])
    found = open_source(settings).load("anna").slices[:, 64, 64]
    assert (255 * found).round().astype(int).tolist() == [given[index] * (index + 1) for index in taken]


@pytest.mark.parametrize("array", [
    np.array([["a"]]), np.zeros(5), np.zeros((3, 4, 4), complex), np.zeros((0, 4, 4)), np.zeros((2, 3, 4, 4))])
def test_arrays_that_are_no_scan_and_no_slices_are_refused(tmp_path, array):
    path = tmp_path / "odd.npy"
    np.save(path, array)
    for read in (read_scan, read_stack, read_picture):
        with pytest.raises(UnreadableFile, match=re.escape(f"shape {array.shape}")):
            read(path)


def test_colours_are_no_scan_and_several_volumes_are_not_one(tmp_path):
    import SimpleITK as itk

    volume = itk.GetImageFromArray(np.zeros((3, 8, 8), np.int16))
    itk.WriteImage(itk.Compose(volume, volume, volume), tmp_path / "colours.mha")
    with pytest.raises(UnreadableFile, match="its pixels hold 3 values each, as colours do, not one in Hounsfield units.; "
                                             "give the scan itself"):
        read_scan(tmp_path / "colours.mha")
    itk.WriteImage(itk.JoinSeries(volume, volume), tmp_path / "two.mha")
    with pytest.raises(UnreadableFile, match=re.escape("(2, 3, 8, 8)")):
        read_scan(tmp_path / "two.mha")
    itk.WriteImage(itk.JoinSeries(volume), tmp_path / "one.mha")
    assert read_scan(tmp_path / "one.mha").volume.shape == (3, 8, 8)


@pytest.mark.parametrize(("largest", "lit", "told"), [
    (4095, 0.4, "no pixel of all slices is above 0.06"), (65535, 0.9, "90% of all pixels are above 0"), (65535, 0.4, "")])
def test_odd_slices_are_noticed(tmp_path, capsys, largest, lit, told):
    rng = np.random.default_rng(0)
    rows = ["id,label", *(f"p{number},{number % 2}" for number in range(20))]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    settings = load_settings("tiny", ["source=slices", f"source_path={tmp_path}", "batch_size=2", "image_size=128"])
    for number in range(20):
        planes = rng.integers(1, largest, (10, 128, 128), np.uint16, endpoint=True)
        planes[:, :, round(lit * 128) :] = 0
        np.save(tmp_path / f"p{number}.npy", planes)
    make_dataset(settings, Layout(tmp_path / "study"), Engine(0), Progress(quiet=True))
    found = capsys.readouterr().err
    assert told in found and found.count("notice") == bool(told)


def test_what_is_no_number_is_air(tmp_path):
    volume = np.full((3, 8, 8), 40.0)
    volume[1, 2, 3:6] = np.nan, np.inf, -np.inf
    np.save(tmp_path / "scan.npy", volume)
    found = read_scan(tmp_path / "scan.npy").volume
    assert found[1, 2, 3:6].tolist() == [-1000.0] * 3 and (np.delete(found.ravel(), np.s_[64 + 19 : 64 + 22]) == 40).all()


def test_stoic_takes_a_balanced_sample_of_covid_patients(tmp_path):
    (tmp_path / "metadata").mkdir()
    (tmp_path / "data" / "mha").mkdir(parents=True)
    rows = [(i, int(i >= 10), int(i >= 30)) for i in range(50)]
    (tmp_path / "metadata" / "reference.csv").write_text(
        "PatientID,probCOVID,probSevere\n" + "".join(f"{i},{covid},{severe}\n" for i, covid, severe in rows))
    for i, _, _ in rows:
        (tmp_path / "data" / "mha" / f"{i}.mha").touch()
    source = open_source(load_settings("tiny", ["source=stoic", f"source_path={tmp_path}", "patients=24"]))
    assert sorted(source.labels()) == [0] * 12 + [1] * 12
    assert all(int(patient) >= 10 for patient in source.keys())
    with pytest.raises(BadTable, match="lower the number with --set patients=40"):
        open_source(load_settings("tiny", ["source=stoic", f"source_path={tmp_path}", "patients=60"]))


@pytest.mark.parametrize(("text", "message"), [
    ("id,label\n", "no rows"),
    ("id,path\na,b\n", "the columns label are missing"),
    ("id,label\na,2\n", "line 2 has label '2'"),
    ("id,label\na,0\na,1\n", "patient a stands in it twice"),
    ("id,label\n,1\n", "line 2 has no id"),
    ("id,label,path\na,0,x.npy\nb,1,\nc,1,\nd,1,x.npy\n", "patients a and d have the same path; give each a scan of their own"),
])
def test_a_table_that_breaks_the_contract_is_refused(tmp_path, text, message):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(BadTable, match=message):
        open_source(load_settings("tiny", ["source=slices", f"source_path={tmp_path}"]))


def test_unreadable_and_missing_files_are_named(tmp_path):
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(UnreadableFile, match="broken.png"):
        read_picture(tmp_path / "broken.png")
    (tmp_path / "broken.mha").write_text("no scan")
    with pytest.raises(UnreadableFile, match="broken.mha"):
        read_scan(tmp_path / "broken.mha")
    with pytest.raises(MissingPath, match="nowhere"):
        read_stack(tmp_path / "nowhere")
    np.save(tmp_path / "hu.npy", np.full((10, 4, 4), -500.0))
    with pytest.raises(UnreadableFile, match="source=volumes for HU"):
        read_stack(tmp_path / "hu.npy")


def split_table(folder, splits: list[str], source: str = "slices") -> list[str]:
    """Patients with slices, their labels in turn, and these splits in a table; the words that name it."""
    rng = np.random.default_rng(4)
    for number in range(len(splits)):
        np.save(folder / f"p{number}.npy", rng.random((10, 128, 128)) < 0.5)
    rows = [f"p{number},p{number}.npy,{number % 2},{split}\n" for number, split in enumerate(splits)]
    path = folder / "labels.csv"
    path.write_text("id,path,label,Split\n" + "".join(rows))
    return [f"source={source}", f"source_path={folder if source == 'slices' else path}", "batch_size=4"]


THIRDS = ["test", "Test", "train", "train", "validation", "VALIDATION"] * 2


def test_a_split_that_the_table_gives_is_taken(tmp_path):
    layout = Layout(tmp_path / "study")
    settings = load_settings("tiny", [*split_table(tmp_path, THIRDS), "split=0.8,0.1,0.1"])
    make_dataset(settings, layout, Engine(0), Progress(quiet=True))
    assert [row["split"] for row in read_csv(layout.patients, "data")] == [split.lower() for split in THIRDS]
    assert read_json(layout.dataset, "data")["split_given"] is True
    make_dataset(load_settings("tiny", split_table(tmp_path, [""] * 12)), layout, Engine(0), Progress(quiet=True))
    assert read_json(layout.dataset, "data")["split_given"] is False


@pytest.mark.parametrize("source", ["slices", "volumes"])
@pytest.mark.parametrize(("splits", "told"), [
    (["training", *THIRDS], "line 2 has split 'training'; use train, validation, test"),
    ([*THIRDS, ""], "line 14 has no split while others have; give every patient one of train, validation, test, or leave the column out"),
])
def test_splits_that_cannot_be_taken_are_refused(tmp_path, source, splits, told):
    with pytest.raises(BadTable, match=told):
        open_source(load_settings("tiny", split_table(tmp_path, splits, source)))


@pytest.mark.parametrize(("splits", "told"), [
    (THIRDS[:6] + ["train"] * 5 + ["test"], None),
    (["train"] * 8 + ["test"] * 2 + ["validation", "test"], "the validation set has no patient with label 1; .* change the column split"),
    (THIRDS[:6] + ["test"] * 6, "batch_size=4 is not possible: the training set has 2 patients"),
])
def test_sets_that_cannot_be_used_are_refused_before_anything_is_read(tmp_path, monkeypatch, splits, told):
    settings = load_settings("tiny", split_table(tmp_path, splits))

    def unread(self, key):
        raise AssertionError

    monkeypatch.setattr("pipeline.data.sources.slices.SlicesSource.load", unread)
    error = UserError if told else AssertionError
    with pytest.raises(error, match=told):
        make_dataset(settings, Layout(tmp_path / "study"), Engine(0), Progress(quiet=True))


def test_the_commands_for_mosmeddata_make_a_table(tmp_path):
    for level, name in enumerate(("study_0001", "study_0255", "study_0939", "study_1064", "study_1109")):
        folder = tmp_path / "studies" / f"CT-{level}"
        folder.mkdir(parents=True)
        (folder / f"{name}.nii.gz").touch()
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    commands = text.partition("## MosMedData")[2].split("```")[1]
    subprocess.run(["bash", "-e", "-c", commands], cwd=tmp_path, check=True)
    source = open_source(load_settings("tiny", ["source=volumes", f"source_path={tmp_path / 'mosmed.csv'}"]))
    assert {key: row["label"] for key, row in source.rows.items()} == {
        "study_0255": "0", "study_0939": "1", "study_1064": "1", "study_1109": "1"}
