"""Runs of the command that take a minute each and go on beside the tests: the tiny study, and what needs it alone."""

import csv
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
COMMAND = ("--profile", "tiny", "--device", "cpu")
# Threads that wait for each other leave the cores to the tests meanwhile, which takes half of the time from some of these runs.
os.environ["OMP_WAIT_POLICY"] = "passive"


def run_command(*words: str, module: str = "pipeline", timeout: int = 600) -> subprocess.CompletedProcess:
    """Run `python -m MODULE WORDS` from the project's root and return what it printed."""
    return subprocess.run([sys.executable, "-m", module, *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          timeout=timeout, check=False)


def tiny_with_site(folder: Path) -> Path:
    """One tiny study computed for real by the command a user types, with its site."""
    done = run_command("all", *COMMAND, "--out", folder / "study", "--site", folder / "site", "--renderer", "embedded")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return folder


@dataclass(frozen=True)
class KilledRun:
    """root: of the study; whole: whether a manifest stood there after the kill; status: printed then; done: the run that went on."""

    root: Path
    whole: bool
    status: str
    done: subprocess.CompletedProcess


def kill_and_go_on(folder: Path) -> KilledRun:
    """The tiny study once more, killed with all its workers in the middle of its search, and run again."""
    root = folder / "study"
    words = [sys.executable, "-m", "pipeline", "explain", *COMMAND, "--out", str(root)]
    process = subprocess.Popen(words, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list((root / ".unfinished").glob("*.json")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("it ended before it could be killed")
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    whole = (root / "manifest.json").exists()
    status = run_command("status", *COMMAND, "--out", root).stdout
    return KilledRun(root, whole, status, run_command("explain", *COMMAND, "--out", root))


@dataclass(frozen=True)
class SlicesRun:
    """root: of the study; done: the run."""

    root: Path
    done: subprocess.CompletedProcess


def study_over_slices(folder: Path) -> SlicesRun:
    """The tiny study's own slices as 8-bit PNG files, as a user would bring them; all of a small grid, twice, in folds, and tested on
    the files of patients from elsewhere."""
    study = result_of("tiny", folder.parent) / "study"
    write_files(folder / "own", study / "data")
    write_files(folder / "others", study / "external" / "data")
    weights = study / "pretraining" / "weights.safetensors"
    root = folder / "study"
    return SlicesRun(root, run_command(
        "explain", *COMMAND, "--out", root, "--search", "grid", "--seeds", 2, "--folds", 4, "--set", "source=slices",
        f"source_path={folder / 'own'}", "external=slices", f"external_path={folder / 'others'}", f"weights={weights}",
        "monitor_slices=1", "lr=1e-3", "wd=0", "mp=1", "CNN1.lr=1e-3,1e-4", "epochs_small=1", "epochs_resnet=1"))


def copy_study(study: Path, folder: Path) -> Path:
    """A copy of a study, or a part of it, to write into; its arrays and weights are links, to be replaced, not changed in place."""
    def copy(source: str, target: str) -> None:
        if Path(source).suffix in (".npy", ".safetensors"):
            Path(target).symlink_to(source)
        else:
            shutil.copy2(source, target)

    return shutil.copytree(study, folder, copy_function=copy)


def write_files(folder: Path, data: Path) -> None:
    """A table of labels, and a folder of 8-bit PNG files for every patient of a dataset."""
    slices = np.load(data / "slices.npy", mmap_mode="r")
    with (data / "patients.csv").open() as file:
        rows = list(csv.DictReader(file))
    folder.mkdir()
    (folder / "labels.csv").write_text("id,label\n" + "".join(f"{row['id']},{row['label']}\n" for row in rows))
    for row, stack in zip(rows, slices, strict=True):
        (folder / row["id"]).mkdir()
        for index, plane in enumerate(stack):
            Image.fromarray((plane.astype(np.float32) * 255).round().astype(np.uint8)).save(folder / row["id"] / f"{index:02}.png")


# By the name of the fixture that gives its result; the tiny study first, since others read it.
LONG_RUNS: dict[str, Callable[[Path], object]] = {"tiny": tiny_with_site, "killed_run": kill_and_go_on, "slices_run": study_over_slices}


def carry_out(name: str, folder: Path) -> None:
    """Run one of `LONG_RUNS` in a folder of its own below `folder`, and leave what it gave, or what it failed with, for `result_of`."""
    try:
        (folder / name).mkdir()
        result = LONG_RUNS[name](folder / name)
    except BaseException as error:  # a test that waits for it, in whichever process, is told
        result = error
    unfinished = folder / f"{name}.unfinished"
    unfinished.write_bytes(pickle.dumps(result))
    unfinished.rename(folder / f"{name}.pickle")


def result_of(name: str, folder: Path) -> object:
    """What one of `LONG_RUNS` in `folder` gave, as soon as it is there.

    The runs are carried out once, and the processes among which the tests are dealt out share no more than a folder.
    """
    while not (folder / f"{name}.pickle").exists():
        time.sleep(0.1)
    result = pickle.loads((folder / f"{name}.pickle").read_bytes())
    if isinstance(result, BaseException):
        raise result
    return result
