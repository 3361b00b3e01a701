"""The whole tiny job as a user runs it: artifacts, equality, resuming, and only what is stale done again."""

import csv
import io
import json
import re
import shutil

import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.metrics import roc_auc_score

from pipeline.cli import main
from pipeline.layout import CONV_MODELS, MODELS, TUNED_MODELS, Layout
from pipeline.ledger import Ledger
from pipeline.records import remove_half_written, sha256_of, write_atomically
from tests.long_runs import COMMAND, run_command


def test_every_artifact_of_the_contract_is_there_and_matches_the_manifest(tiny):
    root = tiny / "study"
    manifest = json.loads((root / "manifest.json").read_text())
    assert all(set(row) == {"path", "sha256", "stage"} for row in manifest)
    assert all(sha256_of(root / row["path"]) == row["sha256"] for row in manifest)
    wanted = {f"data/{name}" for name in ("patients.csv", "dataset.json", "slices.npy", "lesions.npy")}
    wanted |= {f"tuning/{model}.csv" for model in TUNED_MODELS}
    wanted |= {f"models/{model}/{name}" for model in MODELS for name in ("weights.safetensors", "settings.json", "history.csv")}
    wanted |= {f"evaluation/{model}/{name}" for model in MODELS
               for name in ("scores.csv", "roc.csv", "thresholds.csv", "confusion.json", "metrics.json")}
    wanted |= {f"explanations/{model}/{name}" for model in CONV_MODELS
               for name in ("filters.npz", "filters.json", "activations.npz", "saliency.npz")}
    assert wanted <= {row["path"] for row in manifest}
    assert (root / "settings.json").exists() and (root / "provenance.json").exists()


def test_the_dataset_keeps_its_contract(tiny):
    slices = np.load(tiny / "study" / "data" / "slices.npy", mmap_mode="r")
    assert slices.shape == (24, 10, 128, 128)
    assert slices.min() == 0 and slices.max() <= 1
    with (tiny / "study" / "data" / "patients.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert [row["id"] for row in rows] == [f"p{place:03}" for place in range(1, 25)]


def test_the_score_of_a_patient_is_the_mean_of_ten_slices(tiny):
    for model in MODELS:
        with (tiny / "study" / "evaluation" / model / "scores.csv").open() as file:
            for row in csv.DictReader(file):
                slices = [float(value) for name, value in row.items() if name.startswith("slice_")]
                assert len(slices) == 10
                assert float(row["probability"]) == pytest.approx(np.mean(slices), abs=1e-12)


def test_the_trials_of_a_search_have_a_row_per_epoch(tiny):
    with (tiny / "study" / "tuning" / "CNN1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4"]
    assert {row["phase"] for row in rows} == {"lr", "wd", "mp"}


def test_the_status_of_a_folder_goes_by_the_settings_of_its_study(tiny, capsys):
    study = ["--out", str(tiny / "study")]
    assert main(["status", *study]) == 0
    own = capsys.readouterr().out
    assert "(profile tiny, with its own settings)" in own and "stale" not in own and "missing" not in own and "the study is whole" in own
    record = Ledger(Layout(tiny / "study")).find("data")
    size = sum((tiny / "study" / path).stat().st_size for path in record.files) / 1e6
    assert next(line.split() for line in own.splitlines() if line.startswith("  data ")) == [
        "data", "done", f"{record.seconds:.1f}", "s", f"{size:.2f}", "MB"]
    assert main(["status", *study, "--profile", "tiny", "--set", "seed=1"]) == 0
    other = capsys.readouterr().out
    assert "(profile tiny)" in other and re.search("^  data +stale ", other, re.M)
    assert len({re.search("done|stale", line).start() for line in other.splitlines()[1:-1]}) == 1  # in one column


def test_a_killed_run_goes_on_and_ends_with_the_same_manifest(tiny, killed_run):
    assert not killed_run.whole
    assert re.search("^  data +done ", killed_run.status, re.M) and re.search("^  tune/CNN1 +missing ", killed_run.status, re.M)
    assert killed_run.done.returncode == 0, killed_run.done.stderr
    assert "data: up to date" in killed_run.done.stdout and "pretrain: up to date" in killed_run.done.stdout
    assert (killed_run.root / "manifest.json").read_bytes() == (tiny / "study" / "manifest.json").read_bytes()


def test_what_killed_writers_left_is_removed(tmp_path):
    (tmp_path / "models").mkdir()
    kept = [tmp_path / ".unfinished", tmp_path / "models" / "weights.safetensors", tmp_path / ".notes-of-mine"]
    for path in (tmp_path / ".unfinished-slices.npy", tmp_path / "models" / ".unfinished-123-weights.safetensors", *kept):
        path.touch()
    remove_half_written(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "models" / "a.json", stop)
    (left,) = set((tmp_path / "models").iterdir()) - set(kept)
    remove_half_written(tmp_path)
    assert left.name.startswith(".unfinished-") and not left.exists()


def stop(path):
    """A writer that is killed: what it wrote is still there when the files are looked at again."""
    path.write_text("half")
    path.rename(path.with_name(path.name + "-left"))
    raise KeyboardInterrupt


@pytest.fixture
def copy(tiny, tmp_path):
    shutil.copytree(tiny / "study", tmp_path / "copy")
    return tmp_path / "copy"


def test_nothing_is_done_twice_damage_stops_and_only_what_depends_on_a_change_is_done_again(copy):
    before = (copy / "provenance.json").read_bytes()
    again = run_command("explain", *COMMAND, "--out", copy)
    assert again.stdout.count("up to date") == 17 and "done" not in again.stdout
    assert (copy / "provenance.json").read_bytes() == before

    weights = copy / "models" / "CNN1" / "weights.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    stopped = run_command("explain", *COMMAND, "--out", copy)
    assert stopped.returncode == 2
    assert "weights.safetensors is damaged" in stopped.stderr and len(stopped.stderr.strip().splitlines()) == 1

    weights.unlink()
    times = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    changed = run_command("explain", *COMMAND, "--out", copy, "--set", "CNN2.mp=1,0.8")
    assert changed.returncode == 0, changed.stderr
    assert weights.read_bytes() == good  # deleted, and made again with the same bits
    touched = {path.relative_to(copy).as_posix() for path in copy.rglob("*")
               if path.is_file() and times.get(path) != path.stat().st_mtime_ns and ".records" not in path.parts}
    assert "tuning/CNN2.csv" in touched and "tuning/CNN1.csv" not in touched
    assert not [path for path in touched if path.startswith(("data/", "pretraining/")) or "ResNet" in path or "DNN" in path]


def test_a_shipped_study_holds_what_the_report_needs_and_no_more(tiny, tmp_path):
    from pipeline.layout import Layout
    from pipeline.ship import ship_study
    from report.figures.registry import FIGURES
    from report.study import Study, find_study
    from report.style import study_style
    from report.words import Words

    shipped = tmp_path / "shipped"
    ship_study(Layout(tiny / "study"), shipped)
    assert not [path for path in shipped.rglob("*") if path.suffix in (".npy", ".safetensors")]
    assert all(sha256_of(shipped / row["path"]) == row["sha256"] for row in json.loads((shipped / "manifest.json").read_text()))
    study = Study(find_study(shipped))
    with study_style():
        for identifier in ("fig-data", "fig-roc", "fig-act-cnn", "fig-sal-cnn-right"):
            assert FIGURES[identifier](study, Words("en")).axes


def test_a_small_study_over_slices_from_png_files_runs_to_its_end_with_a_full_grid_two_seeds_and_folds(slices_run):
    assert slices_run.done.returncode == 0, slices_run.done.stderr
    for model in TUNED_MODELS:
        search = json.loads((slices_run.root / "tuning" / f"{model}.json").read_text(encoding="utf-8"))
        best = min(search["trials"], key=lambda trial: trial["val_loss"])
        assert len(search["trials"]) == (2 if model == "CNN1" else 1) and search["search"] == "grid"
        assert search["chosen"] == {name: best[name] for name in ("lr", "wd", "mp")}
    _check_repeats(slices_run.root)
    _check_folds(slices_run.root)
    _check_external(slices_run.root)
    _check_report(slices_run.root)


def _check_report(root):
    """Every figure, table and data file of such a study can be made, and its sentences tell what kind of study it is."""
    from report.behind import NESTED, ROWS, file_text
    from report.figures.registry import FIGURES
    from report.sentences import Sentences
    from report.study import Study
    from report.style import study_style
    from report.tables import TABLES
    from report.words import Words

    study, words = Study(root).verify(), Words("en")
    assert study.dataset["lung_masks"] is None
    say = Sentences(study, words)
    assert "Synthetic data" not in say.notice.markdown
    assert "cannot be graded" in say.localisation.markdown  # no lesion masks in this source
    assert "tried every combination, 7 trials in all" in say.grid.markdown
    assert "was run 2 times on the same patients" in say.repeats.markdown and "Over the 2 runs the AUC of" in say.roc.markdown
    assert "--search grid --seeds 2 --folds 4" in say.profile.markdown
    assert "Over the 4 folds of this study, 24 patients in all" in say.folds.markdown
    assert "Here they are 10 patients, 5 of them severe, of the source `slices`." in say.external.markdown
    with study_style():
        for draw in FIGURES.values():
            assert draw(study, words).axes
            pyplot.close()
    assert all(len(table(study, words)) > 1 for table in TABLES.values())
    texts = {identifier: file_text(identifier, study) for identifier in (*ROWS, *NESTED)}
    assert "p_holm,runs_mean,runs_low,runs_high,folds_difference" in texts["tbl-differences"]
    assert "accuracy_low" in texts["tbl-metrics"] and "accuracy_runs_low" in texts["tbl-metrics"]
    assert "auc,auc_low,auc_high,brier,parameters,best_epoch,auc_runs_mean,auc_runs_low,auc_runs_high" in texts["tbl-auc"]
    grid = list(csv.DictReader(io.StringIO(texts["fig-grid-loss"])))
    assert sum(row["chosen"] == "True" for row in grid) == len(TUNED_MODELS)
    assert all(float(row["val_loss_low"]) < float(row["val_loss"]) < float(row["val_loss_high"]) for row in grid)


def _check_folds(root):
    """Every patient is scored once, in the first fold by the study's own networks, and all else follows from these scores."""
    with (root / "evaluation" / "folds.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    with (root / "data" / "patients.csv").open() as file:
        splits = {row["id"]: row["split"] for row in csv.DictReader(file)}
    assert rows.keys() == splits.keys() and {row["fold"] for row in rows.values()} == {"0", "1", "2", "3"}
    assert {splits[patient] for patient, row in rows.items() if row["fold"] == "0"} == {"test"}
    assert {splits[patient] for patient, row in rows.items() if row["fold"] == "1"} == {"validation"}
    found = json.loads((root / "evaluation" / "folds.json").read_text())
    for model in MODELS:
        with (root / "evaluation" / model / "scores.csv").open() as file:
            scores = {row["id"]: row["probability"] for row in csv.DictReader(file) if row["split"] == "test"}
        assert scores == {patient: row[model] for patient, row in rows.items() if row["fold"] == "0"}
        by_fold = [[row for row in rows.values() if row["fold"] == fold] for fold in "0123"]
        aucs = [roc_auc_score([int(row["label"]) for row in fold], [float(row[model]) for row in fold]) for fold in by_fold]
        assert found["models"][model]["by_fold"] == pytest.approx(aucs)
        assert found["models"][model]["auc"] == pytest.approx(np.mean(aucs))
        assert sum(found["models"][model]["confusion"]["f1"].values()) == len(rows)
    for row in found["differences"]:
        first, second = ((found["models"] | found["baselines"])[row[name]]["auc"] for name in ("first", "second"))
        assert row["difference"] == pytest.approx(first - second)


def _check_external(root):
    """The patients from elsewhere are those of their own folder, and all else follows from their scores."""
    with (root / "evaluation" / "external.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (root / "external" / "data" / "patients.csv").open() as file:
        assert [row["id"] for row in rows] == [row["id"] for row in csv.DictReader(file)]
    found = json.loads((root / "evaluation" / "external.json").read_text())
    assert (found["source"], found["mild"], found["severe"]) == ("slices", 5, 5)
    assert set(found["baselines"]) == {"density"}  # files tell no true involvement
    labels = [int(row["label"]) for row in rows]
    for model in MODELS:
        there, scores = found["models"][model], [float(row[model]) for row in rows]
        assert there["auc"] == pytest.approx(roc_auc_score(labels, scores))
        assert there["runs"]["low"] <= there["auc"] <= there["runs"]["high"]
        here = json.loads((root / "evaluation" / model / "metrics.json").read_text())
        assert there["change"]["difference"] == pytest.approx(there["auc"] - here["auc"])
        threshold = json.loads((root / "evaluation" / model / "confusion.json").read_text())["f1"]["threshold"]
        assert there["confusion"]["f1"]["tp"] == sum(label and score >= threshold for label, score in zip(labels, scores, strict=True))


def _check_repeats(root):
    """Both runs are there, the first is that of a study with one seed, and the spread is theirs."""
    from pipeline.device import choose_backend
    from pipeline.models.placing import suited
    from pipeline.settings import load_settings
    from pipeline.training.loop import Hyperparameters
    from pipeline.training.trial import TrainJob, run_training

    settings = load_settings("tiny")
    with (root / "tuning" / "DNN1-runs.csv").open() as file:
        runs = list(csv.DictReader(file))
    assert [(row["run"], row["seed"]) for row in runs] == [("0", "2023"), ("1", "2024")]
    for row in runs:
        job = TrainJob(root, "DNN1", Hyperparameters(1e-3, 0.0, 1.0), 1, settings.batch_size, 1, int(row["seed"]),
                       suited(choose_backend("cpu", True), "DNN1"), 1, keep_weights=False)
        assert run_training(job).history[0]["val_loss"] == float(row["val_loss"])
    with (root / "tuning" / "DNN1.csv").open() as file:
        (trial,) = csv.DictReader(file)
    assert float(trial["val_loss_low"]) < float(trial["val_loss"]) < float(trial["val_loss_high"])
    for model in MODELS:
        folder = root / "evaluation" / model
        aucs = [json.loads((path / "metrics.json").read_text())["auc"] for path in (folder, folder / "runs" / "1")]
        found = json.loads((folder / "spread.json").read_text())
        assert found["runs"] == 2 and found["auc"] == {"mean": np.mean(aucs), "low": min(aucs), "high": max(aucs)}
    compared = json.loads((root / "evaluation" / "comparison.json").read_text())
    for row, found in zip(compared["differences"], compared["differences_of_runs"], strict=True):
        assert found["low"] - 1e-12 <= row["difference"] <= found["high"] + 1e-12  # of the first run
    first, second = (root / "models" / "CNN1" / name for name in ("weights.safetensors", "runs/1/weights.safetensors"))
    assert first.read_bytes() != second.read_bytes()
