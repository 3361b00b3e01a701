"""A user's mistakes on the command line: status 2, one line that says what to do, nothing made or lost."""

import errno
import inspect
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from safetensors import SafetensorError

from pipeline import errors
from pipeline.cli import main
from pipeline.data.make import MOST_TOLD, write_dataset
from pipeline.data.preview import main as preview_main
from pipeline.engine import Engine
from pipeline.errors import UNREAD, UserError, run_while_read
from pipeline.layout import Layout
from pipeline.lock import alone_in
from pipeline.progress import Progress
from pipeline.settings import load_settings
from pipeline.weights import write_safetensors, write_weights
from report import errors as report_errors
from report.cli import main as report_main
from report.cli import site_lock
from tests.long_runs import ROOT, run_command


def refused(capsys, *words: str) -> str:
    """Run the command, expect status 2 and a single line on standard error; return that line."""
    try:
        status = main([*words, "--quiet"])
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err.strip()
    assert status == 2, error
    assert len(error.splitlines()) == 1, error
    return error


@pytest.mark.parametrize(("words", "message"), [
    (["everything"], "unknown stage 'everything'; choose one of: all, data"),
    (["all", "--profile", "huge"], "unknown profile 'huge'; choose one of"),
    (["all", "--device", "tpu"], "unknown device 'tpu'"),
    (["all", "--set", "image_sise=200"], "unknown setting 'image_sise'; choose one of: image_size"),
    (["all", "--set", "CNN9.lr=1e-3"], "unknown model 'CNN9'; choose one of: DNN1"),
    (["all", "--set", "image_size=64"], "give 128 or more"),
    (["all", "--set", "image_size=big"], "give a whole number"),
    (["all", "--set", "mp=0"], "the multiplier of the learning rate lies above 0"),
    (["all", "--set", "CNN1.mp=0.9,1.5"], "setting CNN1.mp=1.5 is not possible"),
    (["all", "--set", "lr=-1"], "a learning rate lies above 0"),
    (["all", "--set", "split=0.5,0.5"], "three positive fractions"),
    (["all", "--set", "seed"], "write it as key=value"),
    (["all", "--set", "fast=perhaps"], "give true or false"),
    (["all", "--set", "shortcut=0.5"], "give true or false"),
    (["all", "--set", "weights=magic"], "unknown weights 'magic'"),
    (["all", "--set", "source=cloud"], "unknown source 'cloud'"),
    (["all", "--seeds", "0"], "setting seeds=0 is not possible: give 1 or more"),
    (["all", "--seeds", "some"], "give a whole number"),
    (["all", "--set", "controls=-1"], "give 1 or more, or 0 for none"),
    (["all", "--set", "learning_curve=-1"], "give 1 or more, or 0 for none"),
    (["all", "--set", "controls=some"], "give a whole number"),
    (["all", "--folds", "5", "--set", "split=0.5,0.25,0.25"], "validation and test have to hold one of the 5 folds each"),
    (["all", "--folds", "2"], "setting folds=2 is not possible: give 1 for none, or 3 or more"),
    (["all", "--set", "pretrain_images=2", "pretrain_classes=2"], "give 10 or more; one in ten is held out"),
    (["all", "--set", "nested=true"], "it belongs to a cross-validation; add --folds N"),
    (["all", "--folds", "0"], "setting folds=0 is not possible"),
    (["all", "--folds", "many"], "give a whole number"),
    (["all", "--search", "random"], "unknown search 'random'; choose one of: coordinate, grid"),
    (["all", "--set", "source=volumes"], "add --set source_path=PATH"),
    (["all", "--set", "external=cloud"], "unknown external source 'cloud'; choose one of: none, synthetic"),
    (["all", "--set", "external=stoic"], "the external source 'stoic' needs a path; add --set external_path=PATH"),
    (["all", "--set", "external_patients=1"], "give at least 2, so that both classes are there"),
    (["all", "--set", "batch_size=1"], "at least 2 images"),
    (["all", "--set", "seed=4294967296"], "give 0 to 4294967295"),
    (["all", "--set", "patients=1000000000"], "give at most 100000"),
    (["all", "--nonsense"], "unrecognized arguments: --nonsense"),
])
def test_bad_settings(capsys, words, message):
    assert message in refused(capsys, *words)


def test_cuda_without_a_device(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "use --device cpu" in refused(capsys, "all", "--device", "cuda")


def test_missing_data_path(capsys, tmp_path):
    words = ["data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert "nowhere.csv does not exist" in refused(capsys, *words, "--set", "source=volumes", "source_path=nowhere.csv")
    assert "nowhere does not exist" in refused(capsys, *words, "--set", "source=slices", "source_path=nowhere")
    assert "nowhere does not exist" in refused(capsys, *words, "--set", "source=stoic", "source_path=nowhere")


def test_too_few_patients_and_a_missing_class(capsys, tmp_path, rng):
    names = [f"p{index:02}" for index in range(12)]
    for name in names:
        np.save(tmp_path / f"{name}.npy", rng.random((10, 8, 8)))
    words = ["data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "out"), "--set", "source=slices",
             f"source_path={tmp_path}", "fast=false"]
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{name},0\n" for name in names[:5]))
    assert "the data hold 5 patients; bring at least 10" in refused(capsys, *words)
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{name},0\n" for name in names))
    assert "no patient with label 1" in refused(capsys, *words)
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(names)))
    assert "batch_size=50" in refused(capsys, *words, "batch_size=50")
    assert not (tmp_path / "out" / "data" / "slices.npy").exists()


def test_imagenet_weights_without_a_network(capsys, tmp_path, monkeypatch, copied):
    import urllib.error

    def refuse(*arguments, **options):
        raise urllib.error.URLError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    words = ["pretrain", "--profile", "tiny", "--device", "cpu", "--out", str(copied.root), "--set", "weights=imagenet"]
    assert "use --set weights=procedural" in refused(capsys, *words)
    assert (copied.root / "pretraining" / "weights.safetensors").exists()


def test_a_study_folder_that_is_a_file(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert "is a file; name a folder" in refused(capsys, "data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "file"))
    assert "is a file; name a folder" in refused(capsys, "status", "--out", str(tmp_path / "file"))


def test_a_study_folder_with_data_of_somebody_else(capsys, tmp_path):
    (tmp_path / "data").mkdir()
    words = ["data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path)]
    assert "holds a folder 'data' that no study wrote; name a new or empty folder" in refused(capsys, *words)
    assert not list((tmp_path / "data").iterdir())


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(capsys, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    words = ["data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "out"), "--set", "fast=false", "patients=12"]
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full, raising=False)
        assert "slices.npy cannot be written (No space left on device); free some space" in refused(capsys, *words)
    assert not list((tmp_path / "out" / "data").iterdir())
    assert main([*words, "--quiet"]) == 0 and (tmp_path / "out" / "data" / "slices.npy").exists()


def test_a_site_that_cannot_be_made_is_told_before_the_long_work(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.txt").write_text("keep me")
    done = run_command("all", "--profile", "tiny", "--device", "cpu", "--out", tmp_path / "out", "--site", tmp_path / "site", "--quiet")
    assert (done.returncode, done.stderr) == (2, f"error: --site {tmp_path / 'site'} holds other files; name a new or empty folder\n")
    assert not (tmp_path / "out").exists()


def test_weights_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "weights.safetensors", tmp_path):
        with pytest.raises(errors.CannotWrite, match="cannot be written .*; free some space or name another folder"):
            write_weights(path, {"a": np.zeros(3, np.float32)})

    def full(tensors, target):
        raise SafetensorError("I/O error: No space left on device")

    with pytest.raises(errors.CannotWrite, match="No space left on device"):
        write_safetensors(tmp_path / "weights.safetensors", {}, full)


def test_a_study_folder_in_which_another_run_is_at_work(capsys, tmp_path):
    words = ["data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "out"), "--set", "fast=false", "patients=12"]
    with alone_in(tmp_path / "out"):
        assert f"another run is at work in {tmp_path / 'out'}; wait until it ends" in refused(capsys, *words)
        assert "another run is at work" in refused(capsys, "bench", *words[1:])
    assert main([*words, "--quiet"]) == 0


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "No locks available"), OSError(errno.ENOSYS, "No")])
def test_a_file_system_without_locks_runs_all_the_same(monkeypatch, tmp_path, error):
    def unknown(*_, **__):
        raise error

    monkeypatch.setattr("filelock.FileLock.acquire", unknown)
    with alone_in(tmp_path / "out"):
        assert (tmp_path / "out").is_dir()


def test_a_folder_that_cannot_be_locked_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(errors.CannotWrite), alone_in(tmp_path / "file" / "out"):
        pass


@pytest.mark.parametrize(("words", "message"), [
    (["--study", "nowhere"], "nowhere does not exist"),
    (["--renderer", "latex"], "unknown renderer 'latex'"),
    (["--site", __file__], "holds other files"),
])
def test_mistakes_of_the_report(capsys, tmp_path, tiny, words, message):
    study = [] if "--study" in words else ["--study", str(tiny / "study")]
    site = [] if "--site" in words else ["--site", str(tmp_path / "site")]
    assert report_main([*words, *study, *site]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and len(error.splitlines()) == 1


def test_an_unfinished_study_and_a_foreign_site_folder(capsys, tmp_path, tiny):
    (tmp_path / "half").mkdir()
    assert report_main(["--study", str(tmp_path / "half")]) == 2
    assert "is unfinished; run 'python -m pipeline all" in capsys.readouterr().err
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.txt").write_text("keep me")
    assert report_main(["--study", str(tiny / "study"), "--site", str(tmp_path / "site"), "--renderer", "embedded"]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "site" / "thesis.txt").read_text() == "keep me"


@pytest.mark.parametrize("foreign", ["index.html", ".git/HEAD"])
def test_a_site_of_others_and_one_that_git_keeps_are_not_emptied(capsys, tmp_path, tiny, foreign):
    site = tmp_path / "site"
    shutil.copytree(tiny / "site", site) if foreign.startswith(".git") else site.mkdir()
    (site / foreign).parent.mkdir(exist_ok=True)
    (site / foreign).write_text("keep me")
    assert report_main(["--study", str(tiny / "study"), "--site", str(site), "--renderer", "embedded"]) == 2
    assert "holds other files" in capsys.readouterr().err and (site / foreign).read_text() == "keep me"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_what_the_system_does_not_allow_is_one_line(capsys, monkeypatch, tmp_path, tiny, code):
    def forbidden(*_):
        raise OSError(code, "no", "/data/labels.csv")

    monkeypatch.setattr("report.cli._render", forbidden)
    assert report_main(["--study", str(tiny / "study"), "--site", str(tmp_path / "site")]) == 2
    assert capsys.readouterr().err == "error: /data/labels.csv: permission denied; change its permissions, or name another file or folder\n"
    monkeypatch.setattr("pipeline.data.sources.slices.read_table", forbidden)
    assert "/data/labels.csv: permission denied" in refused(
        capsys, "data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "out"), "--set", "source=slices",
        f"source_path={tmp_path}")


def test_a_report_without_its_pages(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("report.cli.ROOT", tmp_path)  # as where the package is installed and the project is not
    assert report_main(["--check"]) == 2
    assert "work in a clone of the project, installed with: pip install -e ." in capsys.readouterr().err


def test_other_errors_of_the_system_are_faults_of_the_program(monkeypatch, tmp_path, tiny):
    def broken(*_):
        raise FileNotFoundError(errno.ENOENT, "no", "pandoc")

    monkeypatch.setattr("report.cli._render", broken)
    with pytest.raises(FileNotFoundError):
        report_main(["--study", str(tiny / "study"), "--site", str(tmp_path / "site")])


def test_a_site_behind_a_link_is_built_where_the_link_leads(monkeypatch, tmp_path, tiny):
    (tmp_path / "link").symlink_to(tmp_path / "there")
    seen = []
    monkeypatch.setattr("report.cli._render", lambda renderer, study, site: seen.append(site))
    assert report_main(["--study", str(tiny / "study"), "--site", str(tmp_path / "link"), "--quiet"]) == 0
    assert seen == [(tmp_path / "there").resolve()]


def test_a_second_report_into_the_same_site_waits_for_the_first(monkeypatch, tmp_path, tiny):
    rendered = threading.Event()
    monkeypatch.setattr("report.cli._render", lambda *_: rendered.set())
    with ThreadPoolExecutor(1) as pool:
        with site_lock(tmp_path / "site"):
            second = pool.submit(report_main, ["--study", str(tiny / "study"), "--site", str(tmp_path / "site"), "--quiet"])
            assert not rendered.wait(1)
            assert report_main(["--study", str(tiny / "study"), "--site", str(tmp_path / "other"), "--quiet"]) == 0 and rendered.is_set()
            rendered.clear()
        assert second.result() == 0 and rendered.is_set()


def test_a_full_disk_stops_the_report_with_one_line(capsys, monkeypatch, tmp_path, tiny):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("report.cli._render", full)
    assert report_main(["--study", str(tiny / "study"), "--site", str(tmp_path / "site")]) == 2
    assert "site cannot be written (No space left on device); free some space" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "words", "package"), [("pipeline", ["all"], "torch"), ("report", [], "filelock")])
def test_an_environment_without_the_packages_is_one_line(module, words, package):
    done = subprocess.run([sys.executable, "-S", "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2, f"error: the package {package} is missing; install what the study needs, in its folder, with: pip install -e .\n")


def test_a_package_that_a_worker_misses_is_told_and_one_of_the_project_is_a_fault(capsys):
    from pipeline.errors import tell_missing

    travelled = pickle.loads(pickle.dumps(ModuleNotFoundError("No module named 'captum'", name="captum")))
    assert tell_missing(travelled) == 2 and "the package captum is missing" in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):
        tell_missing(ModuleNotFoundError("No module named 'pipeline.nothing'", name="pipeline.nothing"))


def test_a_report_that_is_stopped_says_so_in_one_line(capsys, monkeypatch, tmp_path, tiny):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("report.cli._render", stop)
    assert report_main(["--study", str(tiny / "study"), "--site", str(tmp_path / "site")]) == 130
    assert capsys.readouterr().err == f"stopped; {tmp_path / 'site'} is as it was\n"


@pytest.mark.skipif(os.name == "nt", reason="sends the signal that Ctrl-C sends on Unix")
def test_a_stopped_report_does_not_wait_for_its_pages(tmp_path, tiny):
    words = [sys.executable, "-m", "report", "--study", tiny / "study", "--site", tmp_path / "site", "--renderer", "embedded"]
    # What a shell starts in the background ignores the signal, and so would its children.
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as report:
        while not (tmp_path / ".site-building").exists() and report.poll() is None:
            time.sleep(0.05)
        time.sleep(1)
        report.send_signal(signal.SIGINT)
        start = time.monotonic()
        shown, told = report.communicate()
    assert time.monotonic() - start < 10
    assert (report.returncode, shown, told) == (130, "", f"stopped; {tmp_path / 'site'} is as it was\n")
    assert not list(tmp_path.iterdir())


def errors_of(module) -> list[type]:
    return [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, errors.UserError)]


@pytest.mark.parametrize("kind", [*errors_of(errors), *errors_of(report_errors)])
def test_a_mistake_found_by_a_worker_comes_back_as_it_was(kind):
    if kind is errors.UserError:
        found = kind("mend it")
    else:
        found = kind(*[["a", "b"] if name == "known" else 3 for name in inspect.signature(kind.__init__).parameters if name != "self"])
    back = pickle.loads(pickle.dumps(found))
    assert type(back) is kind and str(back) == str(found)


@pytest.mark.parametrize("damaged", [["p3"], ["p07", "p11", "p3"]])
def test_each_damaged_picture_found_by_a_worker_is_one_line(tmp_path, damaged):
    names = sorted([f"p{patient:02}" for patient in range(12)] + ["p3"])
    for value, name in enumerate(names, start=1):
        (tmp_path / name).mkdir()
        for index in range(10):
            Image.fromarray(np.full((8, 8), value, np.uint8)).save(tmp_path / name / f"{index}.png")
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{name},{value % 2}\n" for value, name in enumerate(names)))
    for name in damaged:
        (tmp_path / name / "4.png").write_bytes(b"not a picture")
    done = run_command("data", "--profile", "tiny", "--set", "source=slices", f"source_path={tmp_path}", "--out", tmp_path / "out",
                       "--quiet")
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == len(damaged)
    for line, name in zip(lines, damaged, strict=True):
        assert line.startswith(f"error: {tmp_path / name / '4.png'}") and "give a PNG or NPY file with one slice" in line


def test_where_many_patients_cannot_be_used_the_rest_is_left_unread(tmp_path):
    read = []

    class Source:
        def keys(self):
            return list(range(100))

        def inputs(self, key):
            return [key]

        def load(self, key):
            read.append(key)
            raise UserError("mend your environment" if key < 2 else f"patient {key} cannot be used")

    with pytest.raises(UserError) as found, Engine(0) as engine:
        write_dataset(Source(), load_settings("tiny"), Layout(tmp_path), engine, Progress(quiet=True), [], None)
    assert read == list(range(MOST_TOLD)) and not list((tmp_path / "data").iterdir())
    assert str(found.value).split("\nerror: ") == ["mend your environment", *(f"patient {key} cannot be used" for key in read[2:])]


def test_a_preview_of_an_unknown_kind_is_one_line(tmp_path):
    done = run_command(ROOT / "tests" / "data" / "chest-ct-slice.dcm", tmp_path / "picture.xyz", module="pipeline.data.preview")
    assert done.returncode == 2 and "end it in .png or .jpg" in done.stderr and done.stderr.count("\n") == 1


def test_a_preview_makes_its_folder_and_tells_where_it_cannot(capsys, tmp_path):
    scan = str(ROOT / "tests" / "data" / "chest-ct-slice.dcm")
    assert preview_main([scan, str(tmp_path / "new" / "picture.png")]) == 0 and (tmp_path / "new" / "picture.png").exists()
    (tmp_path / "file").touch()
    assert preview_main([scan, str(tmp_path / "file" / "picture.png")]) == 2
    assert "picture.png cannot be written" in capsys.readouterr().err


def test_a_study_that_does_not_match_its_manifest(capsys, tmp_path, copied):
    edited = copied.root / "evaluation" / "CNN1" / "metrics.json"
    edited.write_text(edited.read_text(encoding="utf-8").replace("0.", "0.9", 1), encoding="utf-8")
    words = ["--study", str(copied.root), "--site", str(tmp_path / "site")]
    assert report_main(words) == 2
    error = capsys.readouterr().err.strip()
    assert "metrics.json" in error and len(error.splitlines()) == 1
    edited.unlink()
    assert report_main(words) == 2
    error = capsys.readouterr().err.strip()
    assert "metrics.json" in error and len(error.splitlines()) == 1
    assert not (tmp_path / "site").exists()


def test_a_missing_translation_is_one_line_that_says_where(monkeypatch, study):
    from report import words
    from report.errors import MissingTranslation
    from report.sentences import Sentences

    monkeypatch.setattr(words, "_catalogue", lambda: {"epoch": {"en": "Epoch"}})
    with pytest.raises(MissingTranslation, match="'epoch' has no translation into 'sl'; add it in .*words.toml"):
        words.Words("sl")("epoch")
    with pytest.raises(AttributeError):
        _ = Sentences(study, words.Words("sl")).no_such_sentence


@pytest.mark.parametrize(("words", "unbuffered"), [
    (["pipeline", "status", "--profile", "tiny"], "1"), (["pipeline", "status", "--profile", "tiny"], ""), (["report", "--help"], ""),
])
def test_output_that_nobody_reads_ends_the_command_without_a_traceback(words, unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
                              stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (UNREAD, "")


def test_a_pipe_that_breaks_elsewhere_is_a_fault():
    def broken() -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_while_read(broken)


def test_a_command_whose_output_is_closed_works():
    done = subprocess.run(["sh", "-c", 'exec "$0" -m pipeline status --profile tiny >&-', sys.executable], cwd=ROOT,
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
