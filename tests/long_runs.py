"""Runs of the command that take a minute each and go on beside the tests: the tiny study, and what needs it alone."""

import csv
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
COMMAND = ("--profile", "tiny", "--device", "cpu")


def run_command(*words: str, module: str = "pipeline", timeout: int = 600) -> subprocess.CompletedProcess:
    """Run `python -m MODULE WORDS` from the project's root and return what it printed."""
    return subprocess.run([sys.executable, "-m", module, *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          timeout=timeout, check=False)


def tiny_with_site(folder: Path, tiny: Future | None) -> Path:
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


def kill_and_go_on(folder: Path, tiny: Future) -> KilledRun:
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


def study_over_slices(folder: Path, tiny: Future) -> SlicesRun:
    """The tiny study's own slices as 8-bit PNG files, as a user would bring them; all of a small grid, twice, in folds, and tested on
    the files of patients from elsewhere."""
    study = tiny.result() / "study"
    write_files(folder / "own", study / "data")
    write_files(folder / "others", study / "external" / "data")
    weights = study / "pretraining" / "weights.safetensors"
    root = folder / "study"
    return SlicesRun(root, run_command(
        "explain", *COMMAND, "--out", root, "--search", "grid", "--seeds", 2, "--folds", 4, "--set", "source=slices",
        f"source_path={folder / 'own'}", "external=slices", f"external_path={folder / 'others'}", f"weights={weights}",
        "monitor_slices=1", "lr=1e-3", "wd=0", "mp=1", "CNN1.lr=1e-3,1e-4", "epochs_small=1", "epochs_resnet=1"))


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


# By the name of the fixture that gives its result; the tiny study first, since the others are handed its future.
LONG_RUNS = {"tiny": tiny_with_site, "killed_run": kill_and_go_on, "slices_run": study_over_slices}
