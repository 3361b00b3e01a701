"""Artifacts on disk: written whole or not at all, read back as they were, and refused where they are damaged."""

import math

import numpy as np
import pytest

from pipeline.errors import CannotWrite, DamagedArtifact, MissingArtifact
from pipeline.records import (
    UNFINISHED,
    finite_or_none,
    read_csv,
    read_json,
    read_npz,
    remove_half_written,
    verify_files,
    write_atomically,
    write_csv,
    write_json,
    write_npz,
)


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "a.json"
    write_json(path, {"old": 1})

    def fail(target):
        target.write_text("half")
        raise OSError("no room")

    with pytest.raises(CannotWrite, match=r"a\.json"):
        write_atomically(path, fail)
    with pytest.raises(ZeroDivisionError):
        write_atomically(path, lambda target: target.write_text(str(1 / 0)))
    assert read_json(path, "data") == {"old": 1} and [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_what_killed_writers_left_is_removed_wherever_it_lies(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in (f"{UNFINISHED}1-a.json", "a.json", f"deep/{UNFINISHED}2-b.npz"):
        (tmp_path / name).write_text("x")
    remove_half_written(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"a.json", "deep"}


def test_equal_values_give_equal_bytes_and_no_number_is_none(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    write_json(first, {"b": 1, "a": "č"})
    write_json(second, {"a": "č", "b": 1})
    assert first.read_bytes() == second.read_bytes() == '{\n "a": "č",\n "b": 1\n}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        write_json(first, {"a": math.nan})
    assert [finite_or_none(value) for value in (math.nan, math.inf, 0.5, 3)] == [None, None, 0.5, 3]


def test_tables_keep_every_digit_and_an_empty_cell_for_none(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, [{"a": 0.1 + 0.2, "b": None, "c": "x, y"}, {"a": np.float32(0.5), "b": 7, "c": ""}], ("a", "b", "c"))
    assert path.read_text() == 'a,b,c\n0.30000000000000004,,"x, y"\n0.5,7,\n'
    assert read_csv(path, "tune") == [{"a": "0.30000000000000004", "b": "", "c": "x, y"}, {"a": "0.5", "b": "7", "c": ""}]


@pytest.mark.parametrize("content", [b"", b"a,b\n1\n", b"a,b\n1,2,3\n", b'a,b\n1,"2\n', b"a,b\n\xff\xfe,1\n", b"a,b\n1,2\n3\n"])
def test_a_damaged_table_is_refused(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DamagedArtifact, match="tune"):
        read_csv(path, "tune")
    path.unlink()
    with pytest.raises(MissingArtifact, match="tune"):
        read_csv(path, "tune")


def test_arrays_come_back_and_pickles_do_not(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, {"x": np.arange(3, dtype=np.float16)})
    found = read_npz(path, "explain")
    assert list(found) == ["x"] and found["x"].dtype == np.float16 and found["x"].tolist() == [0, 1, 2]
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(DamagedArtifact, match="explain"):
        read_npz(path, "explain")


def test_files_are_compared_with_their_manifest(tmp_path):
    (tmp_path / "a").write_text("abc")
    whole = {"path": "a", "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "stage": "data"}
    verify_files(tmp_path, [whole])
    with pytest.raises(DamagedArtifact, match="data"):
        verify_files(tmp_path, [whole, whole | {"sha256": "0" * 64}])
    with pytest.raises(MissingArtifact, match="train"):
        verify_files(tmp_path, [whole | {"path": "b", "stage": "train"}])
