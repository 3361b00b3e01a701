"""A new site takes the place of the old one whole or not at all, also through a link and in a mounted folder."""

import errno
import shutil
from pathlib import Path

import pytest

from report.placing import put_in_place


@pytest.fixture
def building(tmp_path) -> Path:
    (tmp_path / "building" / "report").mkdir(parents=True)
    (tmp_path / "building" / "index.html").write_text("new")
    return tmp_path / "building"


@pytest.fixture
def site(tmp_path) -> Path:
    (tmp_path / "site" / "gone").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("old")
    return tmp_path / "site"


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_site_takes_the_place_of_the_old_one(building, site):
    put_in_place(building, site)
    assert held(site) == ["index.html", "report"] and (site / "index.html").read_text() == "new"
    assert held(site.parent) == ["site"]


def test_a_first_site_finds_its_folders_made(building, tmp_path):
    put_in_place(building, tmp_path / "a" / "b")
    assert held(tmp_path / "a" / "b") == ["index.html", "report"]


def test_an_old_site_comes_back_where_the_new_one_does_not_fit(building, site, monkeypatch):
    def full(source, target):
        shutil.copytree(source, target)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("report.placing.shutil.move", full)
    with pytest.raises(OSError, match="No space left"):
        put_in_place(building, site)
    assert held(site) == ["gone", "index.html"] and (site / "index.html").read_text() == "old"


def test_a_mounted_folder_is_filled_anew(building, site, monkeypatch):
    rename = Path.rename

    def mounted(path, target):
        if path == site:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", mounted)
    put_in_place(building, site)
    assert held(site) == ["index.html", "report"] and (site / "index.html").read_text() == "new"
