"""Scans from files: refused where they are not whole, and masks on the voxels they were drawn on, however a file runs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.make import Load
from pipeline.data.patient import Patient
from pipeline.data.prepare import prepare
from pipeline.data.reading import SCAN_MEMORY, Scan, read_picture, read_scan
from pipeline.data.sources.synthetic import SyntheticSource
from pipeline.data.sources.volumes import VolumesSource, read_mask
from pipeline.data.synthetic.scanner import scan_patient
from pipeline.data.synthetic.severity import draw_cohort
from pipeline.errors import UnreadableFile
from pipeline.settings import load_settings
from tests.dicom import write_series
from tests.long_runs import ROOT

DICOM = ROOT / "tests" / "data" / "chest-ct-slice.dcm"


@pytest.fixture
def image(rng):
    """A volume of noise on an uneven grid, away from the origin."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(rng.integers(-1000, 400, (6, 20, 24)).astype(np.int16))
    image.SetSpacing((0.7, 0.8, 2.0))
    image.SetOrigin((-100.0, -120.0, 30.0))
    return image


def write(image, path: Path, packed: bool = False) -> Path:
    import SimpleITK

    SimpleITK.WriteImage(image, str(path), packed)
    return path


@pytest.mark.parametrize(("suffix", "packed"), [(".nii", False), (".nii.gz", True), (".mha", False), (".mha", True), (".nrrd", False),
                                                (".nrrd", True)])
@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_scan_that_was_cut_off_is_refused(image, tmp_path, suffix, packed, kept):
    whole = write(image, tmp_path / f"scan{suffix}", packed)
    assert read_scan(whole).volume.shape == (6, 20, 24)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[:int(kept * whole.stat().st_size)])
    with pytest.raises(UnreadableFile, match=rf"cut{suffix} cannot be read .*; copy or fetch it anew"):
        read_scan(cut)


@pytest.mark.parametrize(("stored", "read"), [
    (np.int16, np.int16), (np.uint8, np.uint8), (np.float64, np.float32), (np.float32, np.float32),
])
@pytest.mark.parametrize("suffix", [".nii.gz", ".npy"])
def test_whole_numbers_of_a_scan_take_no_more_memory_than_in_the_file(image, tmp_path, stored, read, suffix):
    import SimpleITK

    array = SimpleITK.GetArrayFromImage(image).clip(0).astype(stored)
    path = tmp_path / f"scan{suffix}"
    if suffix == ".npy":
        np.save(path, array)
    else:
        write(SimpleITK.GetImageFromArray(array), path)
    volume = read_scan(path).volume
    assert volume.dtype == read
    np.testing.assert_array_equal(volume, array)


def test_a_scan_counts_with_more_memory_than_other_patients(tmp_path):
    settings = load_settings("tiny")
    assert Load(VolumesSource(settings, tmp_path, {}), "a").memory == SCAN_MEMORY > Load(SyntheticSource.open(settings), 0).memory


def test_the_size_of_voxels_does_not_hang_on_how_a_format_rounds_it(tmp_path):
    import SimpleITK

    scanned = scan_patient(1, draw_cohort(12, 4), 128, 4)
    image = SimpleITK.GetImageFromArray(scanned.volume)
    image.SetSpacing((0.7031, 0.7031, 8.1))
    found = []
    for suffix in (".nii", ".mha"):
        scan = read_scan(write(image, tmp_path / f"scan{suffix}"))
        patient = prepare(Patient("a", 0, scan.volume, scan.spacing), 10, 128, (-1000, 400))
        found.append((patient.voxel, patient.planes, patient.side))
    assert found[0] == found[1] == ((8.1, 0.703), *scanned.volume.shape[:2])


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_dicom_file_that_was_cut_off_is_refused(tmp_path, kept):
    (tmp_path / "cut.dcm").write_bytes(DICOM.read_bytes()[:int(kept * DICOM.stat().st_size)])
    with pytest.raises(UnreadableFile, match="cut.dcm"):
        read_scan(tmp_path / "cut.dcm")


def test_of_a_pair_of_header_and_data_the_data_may_be_cut_off(image, tmp_path):
    header, data = write(image, tmp_path / "scan.hdr"), tmp_path / "scan.img"
    np.testing.assert_array_equal(read_scan(header).volume, read_scan(write(image, tmp_path / "scan.nii")).volume)
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(UnreadableFile, match=r"scan.img cannot be read \(it ends after 5759 of 5760 bytes\)"):
        read_scan(header)


def test_a_nifti_file_whose_compression_is_damaged_is_refused(rng, tmp_path):
    import SimpleITK

    path = write(SimpleITK.GetImageFromArray(rng.integers(-1000, 400, (40, 64, 64)).astype(np.int16)), tmp_path / "scan.nii.gz")
    damaged = bytearray(path.read_bytes())
    damaged[-6] ^= 1  # of the check sum
    path.write_bytes(damaged)
    with pytest.raises(UnreadableFile, match="scan.nii.gz cannot be read .CRC check failed"):
        read_scan(path)


def test_a_key_that_is_no_ascii_does_not_hide_the_others(image, tmp_path):
    image.SetMetaData("PatientAge", "061Y")
    path = write(image, tmp_path / "scan.mha")
    path.write_bytes(path.read_bytes().replace(b"PatientAge", b"Starost \xbe = 1\nPatientAge", 1))
    assert read_scan(path).header["PatientAge"] == "061Y"


@pytest.mark.parametrize("suffix", [".bmp", ".png", ".tif"])
def test_a_picture_that_claims_to_be_huge_is_refused(tmp_path, monkeypatch, suffix):
    from PIL import Image

    Image.new("L", (40, 40)).save(tmp_path / f"slice{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(UnreadableFile, match=f"slice{suffix} cannot be read .Image size .1600 pixels. exceeds limit"):
        read_picture(tmp_path / f"slice{suffix}")


@pytest.mark.parametrize(("places", "told"), [
    (range(6), ""), ((0, 1, 2, 4, 5), "1 to 2 mm"), ((4, 0, 2, 1, 5), "1 to 2 mm"), ((0, 1, 3), "1 to 2 mm"), ((0, 2, 4), ""),
    ((0, 1.0, 2.04, 3), ""), ((0, 3), ""), ((5,), ""),
])
def test_gaps_in_a_dicom_series_are_noticed(tmp_path, capsys, places, told):
    write_series(tmp_path, "1.2.1", [(0, 0, place) for place in places], 0)
    assert len(read_scan(tmp_path).volume) == len(places)
    notice = f"notice: {tmp_path}: its slices lie {told} apart; some may be missing\n"
    assert capsys.readouterr().err == (notice if told else "")


def test_an_axial_series_goes_before_a_longer_coronal_one(tmp_path):
    write_series(tmp_path / "axial", "1.2.1", [(0, 0, place) for place in range(4)], 4)
    write_series(tmp_path / "coronal", "1.2.2", [(0, place, 0) for place in range(7)], 7, "1\\0\\0\\0\\0\\-1")
    write_series(tmp_path / "turned", "1.2.3", [(0, 0, place) for place in range(3)], 3, "0.8\\0.6\\0\\-0.6\\0.8\\0")
    for folder, value, shape in (("axial", 4, (4, 8, 8)), ("turned", 3, (3, 8, 8)), ("coronal", 7, (8, 7, 8))):
        volume = read_scan(tmp_path).volume
        assert (volume == value).all() and volume.shape == shape
        shutil.rmtree(tmp_path / folder)


@pytest.mark.parametrize("instead", [b"?00", b"inf", b"\\00", b"   "])
def test_slices_whose_headers_tell_no_numbers_of_their_place_are_taken_by_their_own(tmp_path, capsys, instead):
    for number in range(4):
        write_series(tmp_path, "1.2.1", [(0, 0, 100 + number)], number, first=number)
        damage(tmp_path / f"{number}.dcm", b"0\\0\\10%d" % number, b"0\\0\\" + instead)
        damage(tmp_path / f"{number}.dcm", b"1\\0\\0\\0\\1\\0", b"1\\0\\?\\0\\1\\0")
    assert read_scan(tmp_path).volume[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert capsys.readouterr().err == ""


def damage(file: Path, text: bytes, instead: bytes) -> None:
    """Put another text of the same length in place of one that a DICOM file holds once."""
    content = file.read_bytes()
    assert content.count(text) == 1 and len(text) == len(instead)
    file.write_bytes(content.replace(text, instead))


def test_slices_lie_by_their_place_whatever_they_are_called(tmp_path):
    for number, place in enumerate((3, 0, 7.5, 1.5, 4.5, 6)):
        write_series(tmp_path, "1.2.1", [(0, 0, place)], int(2 * place), first=number)
    scan = read_scan(tmp_path)
    assert scan.volume[:, 0, 0].tolist() == [0, 3, 6, 9, 12, 15] and scan.spacing == (1.5, 1, 1)


def test_a_series_that_is_spread_over_folders_is_one_scan(tmp_path):
    for number, folder in enumerate(("a", "b/c", "b")):
        write_series(tmp_path / folder, "1.2.1", [(0, 0, 2 * number), (0, 0, 2 * number + 1)], number, first=2 * number)
    write_series(tmp_path / "d", "1.2.2", [(0, 0, place) for place in range(5)], 9)
    assert read_scan(tmp_path).volume[:, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_slices_that_are_there_twice_are_read_once(tmp_path, capsys):
    write_series(tmp_path / "scan", "1.2.1", [(0, 0, place) for place in range(5)], 5)
    once = read_scan(tmp_path)
    shutil.copytree(tmp_path / "scan", tmp_path / "copy")
    twice = read_scan(tmp_path)
    np.testing.assert_array_equal(twice.volume, once.volume)
    assert twice.spacing == once.spacing and capsys.readouterr().err == ""


def test_a_damaged_slice_is_named_unless_its_series_is_not_read(tmp_path):
    write_series(tmp_path, "1.2.1", [(0, 0, place) for place in range(5)], 5)
    write_series(tmp_path / "scouts", "1.2.2", [(0, 0, place) for place in range(2)], 2)
    for file in (tmp_path / "4.dcm", tmp_path / "scouts" / "1.dcm"):
        assert read_scan(tmp_path).volume.shape == (5, 8, 8)
        whole = file.read_bytes()
        damage(file, b"\x28\0\x00\x01\x02\0\0\0\x10", b"\x28\0\x00\x01\x02\0\0\0\x11")  # bits of a pixel
        if file.parent == tmp_path:
            with pytest.raises(UnreadableFile, match="4.dcm cannot be read .it holds no image, as the rest .*, or take it out of the"):
                read_scan(tmp_path)
            file.write_bytes(whole)
    assert read_scan(tmp_path).volume.shape == (5, 8, 8)


def test_different_slices_in_the_same_place_are_refused(tmp_path):
    write_series(tmp_path, "1.2.1", [(0, 0, place) for place in range(5)], 5)
    write_series(tmp_path, "1.2.1", [(0, 0, 2)], 7, first=5)
    with pytest.raises(UnreadableFile, match=r"\(2.dcm and 5.dcm are different slices in the same place\); leave one scan of the patient"):
        read_scan(tmp_path)


@pytest.mark.parametrize("tags", [{}, {"t0008_0060": "PT"}])
def test_a_scout_under_the_number_of_its_scan_is_left_out(tmp_path, tags):
    write_series(tmp_path, "1.2.1", [(0, 0, place) for place in range(5)], 5)
    write_series(tmp_path, "1.2.1", [(0, 0, 99)], 7, "1\\0\\0\\0\\0\\-1", first=5, **tags)
    scan = read_scan(tmp_path)
    assert scan.volume.shape == (5, 8, 8) and scan.spacing == (1, 1, 1)


def test_a_ct_goes_before_a_longer_series_of_another_kind(tmp_path):
    write_series(tmp_path / "ct", "1.2.1", [(0, 0, place) for place in range(4)], 4)
    write_series(tmp_path / "pet", "1.2.2", [(0, 0, place) for place in range(9)], 9, t0008_0060="PT")
    assert (read_scan(tmp_path).volume == 4).all()
    shutil.rmtree(tmp_path / "ct")
    assert (read_scan(tmp_path).volume == 9).all()


def test_a_scan_in_one_dicom_file_reads_alike_from_its_folder(image, tmp_path):
    image.SetMetaData("0008|0060", "CT")
    (tmp_path / "folder").mkdir()
    file = write(image, tmp_path / "folder" / "scan.dcm")
    alone, inside = read_scan(file), read_scan(tmp_path / "folder")
    assert alone.volume.shape == (6, 20, 24) and alone.spacing == inside.spacing == pytest.approx((2.0, 0.8, 0.7))
    np.testing.assert_array_equal(inside.volume, alone.volume)
    write_series(tmp_path / "folder" / "more", "1.2.1", [(0, 0, place) for place in range(5)], 5)
    assert read_scan(tmp_path / "folder").volume.shape == (6, 20, 24)  # of more planes


def test_a_scan_that_is_stored_turned_to_its_negative_is_refused(tmp_path):
    write_series(tmp_path, "1.2.1", [(0, 0, place) for place in range(3)], 5)
    for file in tmp_path.iterdir():
        damage(file, b"MONOCHROME2", b"MONOCHROME1")
    for path in (tmp_path, tmp_path / "0.dcm"):
        with pytest.raises(UnreadableFile, match="stored as MONOCHROME1, black for the highest value.; store it as MONOCHROME2"):
            read_scan(path)


@pytest.mark.parametrize("of_the_scan", ["LPS", "RAS", "LAS", "PIL"])
@pytest.mark.parametrize("of_the_mask", ["LPS", "RAS", "LAS"])
def test_a_mask_that_runs_in_other_directions_than_its_scan_lies_on_the_same_voxels(image, tmp_path, of_the_scan, of_the_mask):
    import SimpleITK

    scan = read_scan(write(SimpleITK.DICOMOrient(image, of_the_scan), tmp_path / "scan.nii.gz"))
    mask = write(SimpleITK.Cast(SimpleITK.DICOMOrient(image, of_the_mask) > 0, SimpleITK.sitkUInt8), tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(scan.volume, SimpleITK.GetArrayFromImage(image))
    np.testing.assert_array_equal(read_mask(mask, scan), scan.volume > 0)


@pytest.mark.parametrize(("axes", "fits"), [("LPS", True), ("RAS", False), ("LAS", False)])
@pytest.mark.parametrize("suffix", [".npy", ".nii.gz"])
def test_a_mask_without_directions_fits_only_a_scan_that_is_not_turned(image, tmp_path, axes, fits, suffix):
    import SimpleITK

    image = SimpleITK.DICOMOrient(image, axes)
    scan, mask = read_scan(write(image, tmp_path / "scan.nii.gz")), tmp_path / f"mask{suffix}"
    array = (SimpleITK.GetArrayFromImage(image) > 0).astype(np.uint8)
    if suffix == ".npy":
        np.save(mask, array)
    else:
        write(SimpleITK.GetImageFromArray(array), mask)
    if fits:
        np.testing.assert_array_equal(read_mask(mask, scan), scan.volume > 0)
    else:
        with pytest.raises(UnreadableFile, match=f"mask{suffix} cannot be read .*would lay it on its scan mirrored.*format of its scan"):
            read_mask(mask, scan)


def test_a_mask_that_would_be_turned_fits_no_scan_without_directions(image, tmp_path):
    import SimpleITK

    volume = SimpleITK.GetArrayFromImage(image)
    scan = Scan(volume.astype(np.float32), (1.0, 1.0, 1.0), {})
    np.testing.assert_array_equal(read_mask(write(image > 0, tmp_path / "mask.mha"), scan), volume > 0)
    with pytest.raises(UnreadableFile, match="mirrored"):
        read_mask(write(SimpleITK.DICOMOrient(image, "RAS") > 0, tmp_path / "turned.mha"), scan)
