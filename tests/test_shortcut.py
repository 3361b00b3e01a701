"""The planted shortcut: where marks lie, who carries them, and what page and data make of the networks that learn from them."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.data.dataset import load_dataset
from pipeline.device import choose_backend
from pipeline.evaluation.compare import read_scores
from pipeline.evaluation.patient_means import patient_mean
from pipeline.evaluation.scoring import score_split
from pipeline.explanations import shortcut
from pipeline.explanations.marks import RADIUS, plant
from pipeline.explanations.shortcut import CARRIERS, Planted, learn_shortcut, mcnemar, plan_shortcut, with_marks, write_shortcut
from pipeline.layout import Layout
from pipeline.settings import load_settings, restored
from pipeline.training.loop import gather_training_data
from report.behind import file_text
from report.checklist import checklist
from report.figures.registry import FIGURES
from report.headlines import headlines
from report.style import study_style
from report.tables import TABLES
from report.words import Words
from tests.test_limits import said

SIZE = 128
DISC = 21  # pixels no further than 2.56 from the centre


@pytest.fixture
def lungs() -> np.ndarray:
    """Two slices of a patient with two square lungs each."""
    stack = np.zeros((2, SIZE, SIZE), np.float16)
    stack[:, 30:90, 20:50] = stack[:, 30:90, 70:100] = 0.25
    return stack


def test_a_mark_is_one_disc_within_the_lungs_and_the_rest_stays(lungs):
    before = lungs.copy()
    marked, marks = plant(lungs, 3)
    assert marked.dtype == lungs.dtype and marks.dtype == bool and np.array_equal(lungs, before)
    assert marks.sum(axis=(1, 2)).tolist() == [DISC, DISC] and (marked[marks] == 1).all() and (lungs[marks] > 0).all()
    np.testing.assert_array_equal(marked[~marks], lungs[~marks])
    for mark in marks:
        places = np.argwhere(mark)
        assert np.linalg.norm(places - places.mean(axis=0), axis=1).max() <= RADIUS * SIZE


def test_places_come_from_the_patient_and_differ_between_slices(lungs):
    _, marks = plant(lungs, 3)
    np.testing.assert_array_equal(plant(lungs, 3)[1], marks)
    assert not np.array_equal(marks[0], marks[1]) and not np.array_equal(plant(lungs, 4)[1], marks)


def test_marks_are_spread_over_both_lungs(lungs):
    columns = [np.argwhere(plant(lungs[:1], patient)[1][0])[:, 1].mean() for patient in range(200)]
    assert 60 < sum(column < 60 for column in columns) < 140
    assert min(columns) < 25 and max(columns) > 95


@pytest.mark.parametrize(("lung", "pixels"), [((60, 61, 60, 62), 2), ((0, 0, 0, 0), 0), ((0, 2, 0, 2), 4), ((126, 128, 126, 128), 4)])
def test_a_lung_too_small_for_a_mark_or_none_at_all_gets_one_as_well(lung, pixels):
    top, bottom, left, right = lung
    stack = np.zeros((1, SIZE, SIZE), np.float16)
    stack[0, top:bottom, left:right] = 0.5
    marked, marks = plant(stack, 0)
    assert (stack[marks] > 0).sum() == pixels and 0 < marks.sum() <= DISC and (marked[marks] == 1).all()


def test_of_places_the_one_with_most_lung_is_taken():
    """A lung of one row: no disc fits, and at its ends even less of it does than in the middle."""
    stack = np.zeros((1, SIZE, SIZE), np.float16)
    stack[0, 64, 40:90] = 0.5
    for patient in range(20):
        assert (stack[plant(stack, patient)[1]] > 0).sum() == 5


def jobs_of(layout: Layout, *changes: str) -> list:
    return plan_shortcut(load_settings("tiny", changes), layout, choose_backend("cpu", True))


def test_severe_patients_alone_are_marked_for_training_and_watching(copied):
    dataset = load_dataset(copied)
    plain = gather_training_data(dataset, 2)
    marked = with_marks(plain, dataset)
    for before, after, split in ((plain.images, marked.images, "train"), (plain.watched, marked.watched, "validation")):
        labels = torch.from_numpy(dataset.labels[dataset.members(split)])
        changed = (before != after).flatten(2).any(dim=2)
        assert changed[labels == 1].all() and not changed[labels == 0].any()
    assert marked.labels is plain.labels and marked.watched_labels is plain.watched_labels


def test_every_slice_of_a_test_patient_is_marked_to_be_scored(copied):
    """A network that gives the highest value of a slice sees nothing else then."""

    class Highest(torch.nn.Module):
        def forward(self, images):
            return images.amax(dim=(2, 3))

    dataset, backend = load_dataset(copied), choose_backend("cpu", False)
    top = torch.tensor(1.0).sigmoid().item()
    np.testing.assert_allclose(shortcut.score_marked(Highest(), dataset, backend), top, rtol=1e-6)
    assert (patient_mean(score_split(Highest(), dataset, "test", backend)) < top).all()


def test_marks_change_the_scores_of_those_who_carry_them_alone(copied, monkeypatch):
    """With marks 0.9 for everybody and 0.1 without them, an AUC tells who carries them."""
    (job, *_) = (job for job in jobs_of(copied) if job.model != "ResNet18og")
    count = len(read_scores(copied, job.model, "test"))
    monkeypatch.setattr(shortcut, "train_network", lambda job, dataset, data: shortcut.load_trained(Layout(job.root), job.model, SIZE))
    monkeypatch.setattr(shortcut, "score_split", lambda network, dataset, split, backend: np.full((count, 1), 0.1))
    monkeypatch.setattr(shortcut, "score_marked", lambda network, dataset, backend: np.full(count, 0.9))
    found = learn_shortcut(replace(job, own=(0.1,) * count)).found
    for network in ("own", "learned"):
        assert {carriers: one["auc"] for carriers, one in found[network]["auc"].items()} == {"severe": 1.0, "nobody": 0.5, "mild": 0.0}


def test_what_a_study_stores_is_what_its_jobs_find(tiny):
    layout = Layout(tiny / "study")
    stored = json.loads(layout.shortcut("json").read_text())["found"]
    comparison = json.loads(layout.comparison.read_text())
    assert list(stored) == sorted(["ResNet18og", comparison["best_cnn"]])
    job = next(job for job in jobs_of(layout) if job.model == comparison["best_cnn"])
    again = learn_shortcut(job)
    found = stored[job.model]
    assert {name: found[name] for name in ("own", "learned")} == {name: again.found[name] for name in ("own", "learned")}
    metrics = json.loads(layout.evaluation(job.model, "metrics.json").read_text())
    assert found["own"]["auc"]["nobody"] == {name: metrics[name] for name in ("auc", "auc_low", "auc_high")}
    difference = found["learned"]["auc"]["mild"]["auc"] - found["own"]["auc"]["mild"]["auc"]
    assert found["difference"]["difference"] == pytest.approx(difference)
    maps = found["learned"]["maps"]
    assert maps["slices"] == int(load_dataset(layout).labels[load_dataset(layout).members("test")].sum())
    assert 0 < maps["chance"] < 0.1 and maps["chance"] == found["own"]["maps"]["chance"]
    with np.load(layout.shortcut("npz")) as pictures:
        for name, value in again.picture.items():
            np.testing.assert_array_equal(pictures[f"{job.model}.{name}"], value)


def test_without_marks_the_final_network_itself_comes_out(copied, monkeypatch):
    """Nothing but the marks sets the training apart from the study's own."""
    monkeypatch.setattr(shortcut, "plant", lambda stack, patient: (np.array(stack), np.array(stack) > 0))
    found = learn_shortcut(next(job for job in jobs_of(copied) if job.model != "ResNet18og")).found
    assert found["own"]["maps"] == found["learned"]["maps"] and found["pointing"]["saliency"]["p"] == 1
    assert found["difference"]["difference"] == 0
    assert {carriers: one["auc"] for carriers, one in found["learned"]["auc"].items()} == dict.fromkeys(
        CARRIERS, found["own"]["auc"]["nobody"]["auc"])


def test_the_exact_test_counts_slices_on_which_one_alone_is_true():
    first, second = np.array([True] * 9 + [False] * 3), np.array([True] * 1 + [False] * 9 + [True] * 2)
    assert mcnemar(first, second) == pytest.approx(2 * (1 + 10 + 45) / 2**10)  # 8 against 2 of 10 tosses
    assert mcnemar(first, second) == mcnemar(second, first) and mcnemar(first, first) == 1


def test_a_training_that_diverged_gives_nothing(copied, monkeypatch):
    (job, *_) = (job for job in jobs_of(copied) if job.model != "ResNet18og")
    monkeypatch.setattr(shortcut, "train_network", lambda job, dataset, data: shortcut.load_trained(Layout(job.root), job.model, SIZE))
    scores = read_scores(copied, job.model, "test")
    monkeypatch.setattr(shortcut, "score_marked", lambda *ignored: np.full(len(scores), np.nan))
    assert learn_shortcut(job) == Planted(None, {})
    written = write_shortcut(copied, ["ResNet18og", job.model], [Planted(None, {})] * 2)
    assert written == [copied.shortcut("json")] and not copied.shortcut("npz").exists()
    assert json.loads(written[0].read_text()) == {"found": {"ResNet18og": None, job.model: None}}
    assert write_shortcut(copied, ["ResNet18og", job.model], [Planted(None, {})] * 2) == written  # also where no picture is left


def test_p_values_are_raised_for_the_questions_asked_of_all_networks(copied):
    planted = [Planted({"difference": {"p": difference}, "pointing": {"saliency": {"p": saliency}, "gradcam": {"p": 0.5}}}, {})
               for difference, saliency in ((0.01, 0.01), (0.03, 0.02))]
    write_shortcut(copied, ["ResNet18og", "CNN1"], planted)
    stored = json.loads(copied.shortcut("json").read_text())["found"]
    found = {model: stored[model] for model in ("ResNet18og", "CNN1")}
    assert [one["difference"]["p_holm"] for one in found.values()] == pytest.approx([0.02, 0.03])
    assert [one["pointing"]["saliency"]["p_holm"] for one in found.values()] == pytest.approx([0.04, 0.06])
    assert [one["pointing"]["gradcam"]["p_holm"] for one in found.values()] == [1.0, 1.0]


def test_a_resnet_that_trains_alone_takes_several_threads(copied, monkeypatch):
    for cores, threads in ((2, 2), (16, 4)):
        monkeypatch.setattr(shortcut, "core_count", lambda cores=cores: cores)
        assert {job.model: job.threads for job in jobs_of(copied)}["ResNet18og"] == threads
    assert [job.threads for job in jobs_of(copied) if job.model != "ResNet18og"] == [1]


def test_a_study_told_to_leave_it_out_plants_nothing(copied):
    assert jobs_of(copied, "shortcut=false") == []
    assert write_shortcut(copied, [], []) == [copied.shortcut("json")]
    assert json.loads(copied.shortcut("json").read_text()) == {"found": None}


def test_settings_stored_before_there_was_a_shortcut_ask_for_none():
    stored = json.loads(json.dumps(load_settings("quick").as_json()))
    assert stored.pop("shortcut") is True and restored(stored).shortcut is False


def of_network(severe: float, nobody: float, mild: float, pointing: float) -> dict:
    aucs = {carriers: {"auc": auc, "auc_low": auc - 0.125, "auc_high": auc} for carriers, auc in zip(CARRIERS, (severe, nobody, mild),
                                                                                                   strict=True)}
    shares = {"mass": pointing / 2, "pointing": pointing, "outside": 0.5}
    return {"auc": aucs, "maps": {"slices": 40, "chance": 0.005, "saliency": shares, "gradcam": shares | {"pointing": 0.0}}}


def one(p: float | None = 0.001, seen: float = 0.001) -> dict:
    return {"own": of_network(0.875, 0.8125, 0.75, 0.125), "learned": of_network(1.0, 0.75, 0.25, 0.5),
            "difference": {"difference": -0.5, "low": None, "high": None, "p": p, "p_holm": p},
            "pointing": {"saliency": {"p": seen, "p_holm": seen}, "gradcam": {"p": 1.0, "p_holm": 1.0}}}


@pytest.fixture
def planted(study, monkeypatch) -> dict:
    found = {"ResNet18og": one(), study.best_cnn: one(0.5, 0.5)}
    monkeypatch.setitem(vars(study), "shortcut", found)
    return found


def test_what_was_planted_is_told_before_what_came_of_it(study):
    english, slovenian = said(study, "planted")
    assert "a dense disc" in english and english.endswith("@fig-shortcut shows one slice.") and "gosto pego" in slovenian


def found_out(study) -> tuple[str, str]:
    """What the sentences say of the results, without the caveat that follows them."""
    english, slovenian = said(study, "shortcut")
    assert english.endswith("has no place at which any map could point.") and slovenian.endswith("katera koli mapa lahko pokazala.")
    return english[: english.index(" Grad-CAM enlarges")], slovenian[: slovenian.index(" Grad-CAM poveča")]


def test_the_sentence_says_who_was_misled_and_which_maps_would_have_told(study, planted):
    cnn = study.best_cnn
    english, slovenian = found_out(study)
    assert english.startswith(
        "ResNet18og, once it has learned from marks, reaches an AUC of 1.000 where the severe test patients carry them as well, 0.750 "
        "where nobody does and 0.250 where the mild ones do; the study's own ResNet18og, which has met none, 0.875, 0.812 and 0.750.")
    assert "With marks on the mild patients ResNet18og ranks significantly worse than the study's own network" in english
    assert f"the study's own ResNet18og and {cnn} is no shortcut: a dense spot looks like disease to them." in english
    assert (f"On 40 severe patients' slices with a mark, the highest point of the saliency lies in the mark in 50 % for ResNet18og (own "
            f"network: 12 %) and 50 % for {cnn} (12 %), that of Grad-CAM in 0 % (0 %) and 0 % (0 %); marks take up 0.5 % of the "
            "lungs.") in english.replace("\u00a0%", " %")
    assert english.endswith("in the saliency of ResNet18og; of the other maps that is not shown.")
    assert "ResNet18og razvršča statistično značilno slabše od lastne mreže" in slovenian
    assert f"lastnih mrež te študije (ResNet18og in {cnn}), ni bližnjica: gosta pega je zanju podobna bolezni." in slovenian
    assert slovenian.endswith("pri izpostavljenosti modela ResNet18og; za druge mape to ni pokazano.")
    assert "has been learned, and a test set that shares it only rewards that." in english and "pa to samo nagradi." in slovenian
    planted["ResNet18og"]["learned"]["auc"]["severe"] = planted["ResNet18og"]["learned"]["auc"]["nobody"]
    english, slovenian = found_out(study)
    assert "the shortcut has been learned. That marks" in english and "se je bližnjice naučila. Da pege" in slovenian


def test_a_shortcut_that_was_not_learned_or_not_seen_is_said_so(study, planted):
    planted.update({model: one(0.5, 0.5) for model in planted})
    english, slovenian = found_out(study)
    assert "no network ranks significantly worse than the study's own" in english and "zato ni pokazano" in slovenian
    assert english.endswith("it is not shown that maps like these would give a shortcut away.")
    assert slovenian.endswith("ni pokazano, da bi takšne mape bližnjico izdale.")
    planted["ResNet18og"]["pointing"]["saliency"]["p_holm"] = 0.01  # but the own network points there more often
    planted["ResNet18og"]["own"]["maps"]["saliency"]["pointing"] = 0.75
    assert found_out(study)[0].endswith("would give a shortcut away.")
    planted[study.best_cnn]["own"]["auc"]["nobody"]["auc"] = 0.9  # above that with marks on the severe
    assert "the study's own ResNet18og is no shortcut: a dense spot looks like disease to it." in found_out(study)[0]


def test_few_patients_or_a_diverged_training_leave_the_rest_standing(study, planted):
    planted.update({"ResNet18og": None, study.best_cnn: one(None)})
    english, slovenian = found_out(study)
    assert english.startswith("The training of ResNet18og with marks diverged.") and "too few to tell what of that is chance" in english
    assert slovenian.startswith("Učenje modela ResNet18og s pegami je divergiralo.") and "premalo" in slovenian
    assert english.endswith("of the other maps that is not shown.")  # its Grad-CAM
    assert len(TABLES["tbl-shortcut"](study, Words("en"))) == 3
    planted[study.best_cnn] = None
    english, slovenian = found_out(study)
    assert english.count("diverged.") == 2 and "highest point" not in english and slovenian.count("divergiralo.") == 2
    with study_style():
        (axes,) = FIGURES["fig-shortcut"](study, Words("sl")).axes
    assert axes.texts[0].get_text() == Words("sl")("no_shortcut")


def test_the_table_and_its_data_hold_both_networks_of_both_models(study, planted):
    header, *rows = TABLES["tbl-shortcut"](study, Words("en"))
    assert len(header) == 8 and [row[0] for row in rows[:2]] == ["ResNet18og, own network", "ResNet18og, learned from marks"]
    assert rows[1][1:4] == ["1.000 [(0.875–1.000)]{.below}", "0.750 [(0.625–0.750)]{.below}", "0.250 [(0.125–0.250)]{.below}"]
    assert rows[1][4:] == ["25.0\u00a0%", "50\u00a0%", "25.0\u00a0%", "0\u00a0%"]
    data = list(csv.DictReader(io.StringIO(file_text("tbl-shortcut", study))))
    assert [(row["model"], row["network"]) for row in data[:2]] == [("ResNet18og", "own"), ("ResNet18og", "learned")]
    assert data[1]["auc_mild"] == "0.25" and data[1]["saliency_pointing_p_holm"] == "0.001" and data[0]["saliency_pointing_p_holm"] == ""
    assert headlines(study)["shortcut"] == planted and checklist(study)["explanations"][-1] == "tbl-shortcut"


def test_the_figure_shows_the_stored_maps(study):
    known = [model for model, found in study.shortcut.items() if found]
    with study_style():
        axes = FIGURES["fig-shortcut"](study, Words("en")).axes
    assert len(axes) == 5 * len(known) == 10
    for row, model in zip((axes[:5], axes[5:]), known, strict=True):
        arrays = study.shortcut_picture(model)
        assert row[0].get_title(loc="left").endswith(model)
        np.testing.assert_array_equal(row[0].images[0].get_array(), arrays["input"].astype(np.float32))
        assert row[0].images[0].get_clim() == (0, 1)
        for panel, name in zip(row[1:], ("own.saliency", "learned.saliency", "own.gradcam", "learned.gradcam"), strict=True):
            values = arrays[name]
            top = float(np.percentile(values, 99)) or float(values.max()) or 1.0
            np.testing.assert_allclose(panel.images[1].get_array(), np.clip(values / top, 0, 1), atol=1e-6)
    assert [panel.get_xlabel() for panel in axes[1:3]] == ["Saliency,\nown network", "Saliency,\nlearned from marks"]
    pictures = json.loads(file_text("fig-shortcut", study))
    assert list(pictures) == known and set(pictures[known[0]]) == {"input", "mark", *(f"{network}.{kind}" for network in ("own", "learned")
                                                                                     for kind in ("saliency", "gradcam"))}


def test_a_study_that_did_not_ask_says_so(study, monkeypatch):
    monkeypatch.setitem(vars(study), "shortcut", None)
    assert "This study planted none; `--set shortcut=true`" in said(study, "planted")[0]
    assert "ni podtaknila; to naredi z možnostjo `--set shortcut=true`." in said(study, "planted")[1]
    assert said(study, "shortcut") == ("So @tbl-shortcut and @fig-shortcut hold nothing.",
                                       "Tabela\\ [-@tbl-shortcut] in slika\\ [-@fig-shortcut] sta zato prazni.")
    assert TABLES["tbl-shortcut"](study, Words("en"))[1] == ["none in this study", *["–"] * 7]
    assert len(file_text("tbl-shortcut", study).splitlines()) == 2 and file_text("fig-shortcut", study) == "{}"
    assert "tbl-shortcut" not in checklist(study)["explanations"]
