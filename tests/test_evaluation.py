"""What the evaluation writes of a model, from scores made up for the tiny study's patients, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn import metrics

from pipeline.data.dataset import load_dataset
from pipeline.device import choose_backend
from pipeline.evaluation.evaluate import ScoreJob, score_patients, write_evaluation
from pipeline.evaluation.runs import write_runs
from pipeline.layout import Layout
from pipeline.models.placing import suited
from pipeline.records import read_csv, read_json


@pytest.fixture
def layout(tiny, tmp_path) -> Layout:
    """A study with the data of the tiny one, and nothing else."""
    (tmp_path / "data").symlink_to(tiny / "study" / "data")
    return Layout(tmp_path)


@pytest.fixture
def scored(layout, rng) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Labels and slice probabilities by split: better than chance, far from perfect, and nowhere alike on the two sets."""
    dataset = load_dataset(layout)
    found = {}
    for split in ("validation", "test"):
        labels = dataset.labels[dataset.members(split)]
        noise = rng.normal(0, 0.2, (len(labels), 1)) + rng.normal(0, 0.2, (len(labels), 10))  # of patients, and of slices
        found[split] = labels, np.clip(0.3 + 0.15 * labels[:, None] + noise, 0, 1)
    return found


@pytest.fixture
def written(layout, scored):
    """Reads a file of the evaluation."""
    paths = write_evaluation(layout, "CNN1", 0, {split: slices for split, (_, slices) in scored.items()})
    files = {path.name: path for path in paths}
    return lambda name: (read_json if name.endswith(".json") else read_csv)(files[name], "evaluate")


def test_thresholds_are_chosen_on_validation_and_only_shown_on_test(written, scored):
    best = {}
    for split, (labels, slices) in scored.items():
        scores = slices.mean(axis=1)
        f1 = {value: metrics.f1_score(labels, scores >= value) for value in scores}
        best[split] = max(f1.values()), min(value for value in f1 if f1[value] == max(f1.values()))
    rows = {row["chosen_on"]: row for row in written("thresholds.csv") if row["criterion"] == "f1"}
    for split, (value, threshold) in best.items():
        assert float(rows[split]["threshold"]) == threshold and float(rows[split][f"value_{split}"]) == pytest.approx(value)
    assert best["validation"][1] != best["test"][1]
    confusion = written("confusion.json")["f1"]
    labels, slices = scored["test"]
    tn, fp, fn, tp = metrics.confusion_matrix(labels, slices.mean(axis=1) >= best["validation"][1]).ravel().tolist()
    assert confusion == {"threshold": best["validation"][1], "tn": tn, "fp": fp, "fn": fn, "tp": tp}
    assert float(rows["validation"]["test_tpr"]) == pytest.approx(tp / (tp + fn))
    assert float(rows["validation"]["test_fpr"]) == pytest.approx(fp / (fp + tn))
    assert written("metrics.json")["at"]["f1"]["recall"] == pytest.approx(tp / (tp + fn))


def test_metrics_are_those_of_the_right_set(written, scored):
    found = written("metrics.json")
    (labels, validation), (test_labels, test) = ((labels, slices.mean(axis=1)) for labels, slices in scored.values())
    assert found["validation_auc"] == pytest.approx(metrics.roc_auc_score(labels, validation))
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(test_labels, test))
    assert found["validation_loss"] == pytest.approx(metrics.log_loss(labels, validation))
    assert found["loss"] == pytest.approx(metrics.log_loss(test_labels, test))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(test_labels, test))
    assert (found["mean_probability"], found["prevalence"]) == pytest.approx((test.mean(), test_labels.mean()))


def test_scores_and_curves_hold_every_patient_of_both_sets(written, scored, layout):
    dataset = load_dataset(layout)
    rows, curve = written("scores.csv"), written("roc.csv")
    for split, (labels, slices) in scored.items():
        of_split = [row for row in rows if row["split"] == split]
        assert [row["id"] for row in of_split] == [dataset.ids[patient] for patient in dataset.members(split)]
        assert [int(row["label"]) for row in of_split] == labels.tolist()
        np.testing.assert_allclose([[float(row[f"slice_{index}"]) for index in range(10)] for row in of_split], slices)
        np.testing.assert_allclose([float(row["probability"]) for row in of_split], slices.mean(axis=1))
        points = [(float(row["fpr"]), float(row["tpr"])) for row in curve if row["split"] == split]
        assert points[0] == (0, 0) and points[-1] == (1, 1) and len(points) == len(set(slices.mean(axis=1))) + 1


def test_the_spread_of_runs_is_that_of_their_metrics_and_decisions(layout, scored):
    first = {split: slices for split, (_, slices) in scored.items()}
    paths = write_runs(layout, "CNN1", [first, {split: slices**2 for split, slices in first.items()}])
    assert len(set(paths)) == len(paths) == 14
    metrics_of, confusion_of = ([read_json(layout.evaluation("CNN1", name, run), "evaluate") for run in range(2)]
                                for name in ("metrics.json", "confusion.json"))
    spread = read_json(layout.evaluation("CNN1", "spread.json"), "evaluate")
    assert spread["runs"] == 2
    for name in ("auc", "validation_auc", "validation_loss", "loss", "brier"):
        values = [found[name] for found in metrics_of]
        assert spread[name] == pytest.approx({"mean": np.mean(values), "low": min(values), "high": max(values)})
    missed = [found["gmean"]["fn"] for found in confusion_of]
    assert spread["confusion"]["gmean"]["fn"] == {"mean": np.mean(missed), "low": min(missed), "high": max(missed)}
    tables = [read_csv(layout.evaluation("CNN1", "thresholds.csv", run), "evaluate") for run in range(2)]
    thresholds = [float(row["threshold"]) for table in tables for row in table if (row["criterion"], row["chosen_on"]) == ("f1", "test")]
    assert spread["thresholds"]["f1"]["test"]["threshold"] == pytest.approx(
        {"mean": np.mean(thresholds), "low": min(thresholds), "high": max(thresholds)})
    band = read_csv(layout.evaluation("CNN1", "roc_spread.csv"), "evaluate")
    assert all(float(point["tpr_low"]) <= float(point["tpr_mean"]) <= float(point["tpr_high"]) for point in band)


def test_one_run_has_no_spread(layout, scored):
    assert len(write_runs(layout, "CNN1", [{split: slices for split, (_, slices) in scored.items()}])) == 6
    assert not layout.evaluation("CNN1", "spread.json").exists()


def test_the_stored_scores_are_those_of_the_stored_weights(tiny, study):
    backend = suited(choose_backend("cpu", study.settings["fast"]), "CNN1")
    for split in ("validation", "test", "external"):
        again = score_patients(ScoreJob(tiny / "study", "CNN1", 0, split, backend, 1)).mean(axis=1)
        table = study.layout.external("csv") if split == "external" else study.layout.evaluation("CNN1", "scores.csv")
        rows = [row for row in read_csv(table, "evaluate") if row.get("split", split) == split]
        np.testing.assert_allclose(again, [float(row["CNN1" if split == "external" else "probability"]) for row in rows], atol=1e-5)
