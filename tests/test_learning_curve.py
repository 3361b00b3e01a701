"""Learning from fewer patients: who is drawn, what is trained, and what figure and sentence make of it."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from pipeline.device import choose_backend
from pipeline.engine import Engine
from pipeline.evaluation import learning_curve
from pipeline.evaluation.compare import read_scores
from pipeline.evaluation.differences import between_means, compare_aucs
from pipeline.evaluation.learning_curve import SHARES, FewerJob, draw_patients, fewer_patients, learn_from_fewer, score_after_fewer
from pipeline.layout import Layout
from pipeline.progress import Progress
from pipeline.settings import load_settings, restored
from pipeline.training.final import read_chosen
from pipeline.training.loop import TrainingData
from pipeline.training.tune import plan_jobs
from report.behind import file_text
from report.checklist import checklist
from report.figures.learning import draw_curves
from report.figures.registry import FIGURES
from report.headlines import headlines
from report.style import MODEL_COLOURS, study_style
from report.words import Words
from tests.test_limits import said


def test_a_share_holds_both_kinds_in_proportion_and_a_smaller_one_lies_within_a_larger():
    labels = np.repeat([0, 1, 0], [30, 20, 30])
    quarter, half = (draw_patients(labels, share, 7) for share in SHARES)
    assert np.bincount(labels[quarter]).tolist() == [15, 5] and np.bincount(labels[half]).tolist() == [30, 10]
    assert set(quarter) < set(half) and (np.diff(half) > 0).all()
    assert not np.array_equal(half, draw_patients(labels, 0.5, 8))
    assert draw_patients(labels, 1.0, 7).tolist() == list(range(80))
    assert len(draw_patients(np.array([0, 0, 1]), 0.25, 1)) == 2  # one of each at least


def test_the_fewer_patients_come_round_more_often_so_that_an_epoch_stays_as_long():
    count = 22
    labels = torch.arange(count) % 2
    data = TrainingData(torch.arange(count).reshape(count, 1, 1, 1).half(), labels.float()[:, None], torch.zeros(1), np.zeros(1))
    fewer = fewer_patients(data, 0.25, 3)
    shown, times = np.unique(fewer.images.flatten().numpy().astype(int), return_counts=True)
    assert len(fewer.images) == count and shown.tolist() == draw_patients(labels.numpy(), 0.25, 3).tolist()
    assert times.max() - times.min() <= 1
    assert torch.equal(fewer.labels[:, 0], labels[fewer.images.flatten().long()].float()) and fewer.watched is data.watched


def test_with_all_patients_the_final_network_itself_comes_out(tiny):
    layout, settings = Layout(tiny / "study"), load_settings("tiny")
    backend = choose_backend("cpu", settings.fast)
    (job,) = plan_jobs([("CNN1", read_chosen(layout, "CNN1"))], settings.final_epochs("CNN1"), settings, layout, backend, False)
    np.testing.assert_array_equal(score_after_fewer(FewerJob(**vars(job), share=1.0)), read_scores(layout, "CNN1", "test"))
    assert not np.array_equal(score_after_fewer(FewerJob(**vars(job), share=0.5)), read_scores(layout, "CNN1", "test"))


def test_the_mean_of_several_aucs_against_another(rng):
    labels = np.repeat([0, 1], 20)
    first, second, third = (labels + rng.normal(0, spread, 40) for spread in (0.5, 1, 2))
    (pair,) = compare_aucs(labels, {"a": first, "b": second})
    found = between_means(labels, first[:, None], second[:, None])
    assert found == pytest.approx({name: getattr(pair, name) for name in ("difference", "low", "high", "p")})
    twice = between_means(labels, np.stack([first, first], axis=1), np.stack([second, second], axis=1))
    assert twice == pytest.approx(found)
    both = between_means(labels, first[:, None], np.stack([second, third], axis=1))
    singles = [compare_aucs(labels, {"a": first, "b": other})[0].difference for other in (second, third)]
    assert both["difference"] == pytest.approx(np.mean(singles)) and both["low"] < both["difference"] < both["high"]


def learn(layout: Layout, **changes) -> dict:
    settings = load_settings("tiny", [f"{key}={value}" for key, value in changes.items()])
    (path,) = learn_from_fewer("digest", settings, layout, choose_backend("cpu", True), Engine(0), Progress(quiet=True))
    return json.loads(path.read_text())


def test_a_killed_curve_goes_on_where_it_stopped(copied, monkeypatch):
    stored, trained = json.loads(copied.learning_curve.read_text()), []

    def count(job):
        trained.append((job.model, job.share))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return score_after_fewer(job)

    monkeypatch.setattr(learning_curve, "score_after_fewer", count)
    with pytest.raises(KeyboardInterrupt):
        learn(copied)
    assert json.loads(copied.learning_curve.read_text()) == stored
    assert learn(copied) == stored  # that of the study, made by worker processes
    assert len(trained) == 3 + 2 and len(set(trained)) == 4  # the two that were done are not done again


@pytest.mark.parametrize(("draws", "every"), [
    (([0.1, 0.9, 0.2, 0.3], [0.1, 0.9, 0.2, 0.3]), True),  # half of the pairs in order: both draws lie below
    (([0.1, 0.9, 0.2, 0.3], [0.1, 0.2, 0.8, 0.9]), False),  # one lies below, one is level
])
def test_a_rise_is_that_of_every_draw_only_where_all_lie_below(draws, every):
    labels, full = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    found = learning_curve._rise(labels, [full], [np.array(one) for one in draws])
    assert found["every"] == every and found["difference"] == pytest.approx(0.5 if every else 0.25)


def test_a_draw_that_diverged_is_left_out(copied, monkeypatch):
    monkeypatch.setattr(learning_curve, "score_after_fewer", lambda job: np.full(5, np.nan))
    for model, found in learn(copied)["found"].items():
        assert [point["aucs"] for point in found["points"][:2]] == [[], []] and found["points"][0]["auc"] is None
        assert found["rise"] is None and len(found["points"][2]["aucs"]) == 1, model


def test_every_draw_counts_and_none_gives_none(copied, monkeypatch):
    scores = iter(np.random.default_rng(1).random((12, 6)))
    monkeypatch.setattr(learning_curve, "score_after_fewer", lambda job: next(scores)[: len(read_scores(copied, job.model, "test"))])
    found = learn(copied, learning_curve=3)["found"]
    assert all(len(point["aucs"]) == 3 for one in found.values() for point in one["points"][:2])
    assert all(point["auc"] == pytest.approx(np.mean(point["aucs"])) for one in found.values() for point in one["points"])
    assert learn(copied, learning_curve=0) == {"found": None}


def test_settings_stored_before_there_was_a_curve_ask_for_none():
    stored = json.loads(json.dumps(load_settings("quick").as_json()))
    assert stored.pop("learning_curve") > 0
    assert restored(stored).learning_curve == 0


def curve(auc: float, rise: float, p: float | None = 0.5) -> dict:
    ends = {"low": None, "high": None} if p is None else {"low": rise - 0.0625, "high": rise + 0.0625}
    means = ((30, auc, 2), (60, auc + 0.0625, 2), (120, auc + 0.0625 + rise, 1))
    points = [{"patients": count, "auc": mean, "auc_low": mean - 0.25, "auc_high": mean + 0.125, "aucs": [mean] * draws}  # that agree
              for count, mean, draws in means]
    return {"points": points, "rise": {"difference": rise, **ends, "p": p, "p_holm": p, "every": True}}


@pytest.fixture
def curves(study, monkeypatch) -> dict:
    found = {"ResNet18og": curve(0.75, 0.03125), study.best_cnn: curve(0.625, 0.125)}
    monkeypatch.setitem(vars(study), "learning_curve", found)
    return found


def test_the_figure_holds_the_stored_numbers(study, curves):
    with study_style():
        _, axes = pyplot.subplots()
        draw_curves(axes, study, Words("sl"))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["30", "60", "120"]
    assert [container.get_label() for container in axes.containers] == list(curves)
    for container, (model, found) in zip(axes.containers, curves.items(), strict=True):
        line, _, (whiskers,) = container
        assert line.get_color() == MODEL_COLOURS[model]
        np.testing.assert_array_equal(line.get_ydata(), [point["auc"] for point in found["points"]])
        assert list(line.get_xdata()) == pytest.approx([30, 60, 120], abs=3)
        ends = [(low, high) for (_, low), (_, high) in whiskers.get_segments()]
        assert ends == [pytest.approx((point["auc_low"], point["auc_high"])) for point in found["points"]]
    dots = [line for line in axes.lines if line.get_marker() == "."]
    assert len(dots) == 4 and all(len(line.get_ydata()) == 2 for line in dots)  # two draws at two points of two curves


def test_its_data_name_every_draw(study, curves):
    rows = list(csv.DictReader(io.StringIO(file_text("fig-learning", study))))
    assert [(row["patients"], row["kind"]) for row in rows[:8]] == [
        ("30", "mean"), ("30", "draw"), ("30", "draw"), ("60", "mean"), ("60", "draw"), ("60", "draw"), ("120", "mean"), ("120", "run")]
    assert rows[0]["auc_low"] == "0.5" and headlines(study)["learning_curve"] == curves
    assert checklist(study)["size"] == ("fig-learning",)


def test_the_sentence_says_whether_more_patients_would_help(study, curves):
    cnn = study.best_cnn
    english, slovenian = said(study, "learning")
    assert ("(@fig-learning). ResNet18og reaches an AUC of 0.750 (0.750–0.750) with 30 patients, 0.812 (0.812–0.812) with 60 "
            "patients and 0.844 with all 120 patients; from half of them to all it rises by 0.031 "
            "(95\u00a0% interval of the difference −0.031 to 0.094). ") in english
    assert ("[-@fig-learning]). ResNet18og doseže AUC 0,750 (0,750–0,750) pri 30 bolnikih, 0,812 (0,812–0,812) pri 60 "
            "bolnikih in 0,844 pri vseh 120 bolnikih; od polovice do vseh zraste za 0,031 "
            "(95-odstotni interval razlike od −0,031 do 0,094). ") in slovenian
    assert english.startswith("ResNet18og and the better CNN are trained once more on a quarter and on a half of the training patients")
    assert english.endswith("nor that they would not.") and slovenian.endswith("niti da ne bi.")
    curves[cnn] = curve(0.625, 0.125, 0.01)
    english, slovenian = said(study, "learning")
    assert english.endswith(f"So {cnn} had not seen enough: more patients of this kind would probably help.")
    assert slovenian.endswith(f"{cnn} torej še ni videl dovolj: več takih bolnikov bi verjetno pomagalo.")
    curves["ResNet18og"] = curve(0.75, -0.125, 0.01)
    english, slovenian = said(study, "learning")
    assert "it falls by 0.125" in english and "pade za 0,125" in slovenian
    assert english.endswith("With all of them ResNet18og does significantly worse than with half, which asks for an explanation.")
    assert slovenian.endswith("ResNet18og z vsemi bolniki dela statistično značilno slabše kot s polovico, kar kliče po pojasnilu.")


def test_a_curve_that_ends_at_a_coin_tells_nothing(study, curves):
    cnn = study.best_cnn
    curves[cnn] = curve(0.25, 0.125, 0.01)  # a significant rise, to an AUC of 0.4375
    english, slovenian = said(study, "learning")
    assert f"Even with all of them {cnn} ranks the test patients no better than a coin would, so its curve does not tell what" in english
    assert f"{cnn} testnih bolnikov niti po učenju na vseh ne razvršča bolje od meta kovanca, zato njegova krivulja ne pove," in slovenian
    assert "would probably help" not in english and english.endswith("nor that they would not.")
    curves["ResNet18og"] = curve(0.125, -0.0625, 0.01)
    english, slovenian = said(study, "learning")
    assert english.endswith(f"ResNet18og and {cnn} rank the test patients no better than a coin would, so their curves do not tell what "
                            "more would bring.")
    assert slovenian.endswith("ne razvrščata bolje od meta kovanca, zato njuni krivulji ne povesta, kaj bi prinesli dodatni.")


def test_a_rise_that_not_every_draw_shows_is_none(study, curves):
    curves[study.best_cnn] = curve(0.625, 0.125, 1e-9)
    curves[study.best_cnn]["rise"]["every"] = False
    english, slovenian = said(study, "learning")
    assert english.count(", but not against every draw.") == 1 and slovenian.count(", vendar ne ob vsakem žrebu.") == 1
    assert "would probably help" not in english and english.endswith("nor that they would not.") and slovenian.endswith("niti da ne bi.")


def test_few_test_patients_or_diverged_draws_tell_nothing(study, curves):
    curves.update({model: curve(0.75, 0.125, None) for model in curves})
    english, slovenian = said(study, "learning")
    assert "interval" not in english and english.endswith("too few to tell whether the curves still rise.")
    assert slovenian.endswith("premalo, da bi lahko povedali, ali krivulji še rasteta.")
    for found in curves.values():
        found["rise"] = None
        found["points"][1] |= dict.fromkeys(("auc", "auc_low", "auc_high")) | {"aucs": []}
    english, slovenian = said(study, "learning")
    assert ", – with 60 patients and" in english and ", – pri 60 bolnikih in" in slovenian and "from half" not in english
    with study_style():
        assert FIGURES["fig-learning"](study, Words("en")).axes[0].containers[0].lines[0].get_ydata().tolist() == [0.75, 0.9375]
    for found in curves.values():
        found["points"][-1] |= dict.fromkeys(("auc", "auc_low", "auc_high")) | {"aucs": []}
    assert "and – with all 120 patients" in said(study, "learning")[0] and "coin" not in said(study, "learning")[0]


def test_a_study_that_did_not_ask_says_so(study, monkeypatch):
    monkeypatch.setitem(vars(study), "learning_curve", None)
    english, slovenian = said(study, "learning")
    assert english.startswith("This study did not look; with `--set learning_curve=3`") and english.endswith("@fig-learning holds nothing.")
    assert slovenian.startswith("Ta študija ni pogledala; z možnostjo `--set learning_curve=3`") and slovenian.endswith("je zato prazna.")
    with study_style():
        (axes,) = FIGURES["fig-learning"](study, Words("sl")).axes
    assert axes.texts[0].get_text() == Words("sl")("no_learning")
    assert len(file_text("fig-learning", study).splitlines()) == 2 and checklist(study)["size"] == ("missing",)
