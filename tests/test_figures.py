"""Figures read back: labels, limits, marks and numbers, never pixels."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgba
from sklearn.metrics import roc_auc_score, roc_curve

from report.figures.confusion import draw_matrix
from report.figures.filters import filter_sheet
from report.figures.grid import colour_limits, draw_heat, readable_on
from report.figures.metrics import SHOWN
from report.figures.registry import FIGURES
from report.figures.roc import draw_roc_curve
from report.style import MODEL_COLOURS, limit_losses, localise, study_style
from report.words import Words

SL, EN = Words("sl"), Words("en")


@pytest.fixture(autouse=True)
def style():
    with study_style():
        yield


def texts(figure) -> str:
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(pyplot.Text))


@pytest.mark.parametrize("identifier", FIGURES)
@pytest.mark.parametrize("words", [SL, EN], ids=["sl", "en"])
def test_every_figure_draws_and_holds_something(study, identifier, words):
    figure = FIGURES[identifier](study, words)
    assert figure.get_size_inches()[0] <= 6.3
    drawn = [axes for axes in figure.axes if axes.has_data() or axes.texts]
    assert drawn
    shown = texts(figure)
    assert "nan" not in shown.lower().split()


def test_the_roc_figure_names_its_axes_and_marks_both_thresholds(study):
    figure = FIGURES["fig-roc"](study, EN)
    axes = figure.axes[0]
    assert axes.get_xlabel().startswith("False positive rate") and axes.get_ylabel().startswith("True positive rate")
    assert axes.get_aspect() == 1
    shown = texts(figure)
    assert all(model in shown for model in study.compared)
    assert sum(line.get_marker() == "x" for line in axes.lines) == 5
    assert sum(line.get_marker() == "o" for line in axes.lines) == 5
    assert axes.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]] and axes.lines[0].get_label() == EN("chance")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [label.split(" (")[0] for label in labels[:6]] == [*study.compared, EN("chance")] and len(labels) == 8


def test_a_roc_curve_draws_the_stored_points(study):
    _, axes = pyplot.subplots()
    model = study.compared[0]
    draw_roc_curve(axes, study, SL, model)
    curve = study.roc(model)
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), curve["fpr"])
    assert not axes.collections  # there is one run
    assert axes.lines[0].get_color() == MODEL_COLOURS[model]
    point = study.thresholds(model)["f1", "validation"]
    assert (axes.lines[1].get_xdata()[0], axes.lines[1].get_ydata()[0]) == (point["test_fpr"], point["test_tpr"])


def test_the_area_under_a_drawn_roc_curve_is_its_auc_also_where_patients_share_a_score(study, monkeypatch):
    labels, scores = np.array([0, 0, 1, 1, 0, 1]), np.array([0.1, 0.5, 0.5, 0.5, 0.9, 0.9])
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    monkeypatch.setattr(study, "roc", lambda model: {"fpr": fpr, "tpr": tpr})
    _, axes = pyplot.subplots()
    draw_roc_curve(axes, study, EN, study.compared[0])
    x, y = axes.lines[0].get_xydata().T
    assert np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) == pytest.approx(roc_auc_score(labels, scores))
    assert axes.lines[0].get_drawstyle() == "default"  # steps would cut off the corners


def test_the_range_of_several_runs_is_a_band_behind_the_first_ones_curve(study, monkeypatch):
    rates, low = np.linspace(0, 1, 5), np.linspace(0, 1, 5) / 2
    monkeypatch.setattr(study, "roc_range", lambda model: {"fpr": rates, "tpr_low": low, "tpr_high": low + 0.5})
    _, axes = pyplot.subplots()
    draw_roc_curve(axes, study, EN, study.compared[0])
    (band,) = axes.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.round(6)}
    assert {(1.0, 0.5), (1.0, 1.0), (0.0, 0.5), (0.5, 0.25)} <= corners and band.get_zorder() < axes.lines[0].get_zorder()


def test_a_confusion_matrix_shows_its_counts_and_threshold():
    _, axes = pyplot.subplots()
    draw_matrix(axes, {"tn": 20, "fp": 3, "fn": 4, "tp": 19, "threshold": 0.4567}, SL)
    assert [text.get_text() for text in axes.texts] == ["20", "3", "4", "19"]
    assert axes.get_xlabel() == "prag = 0,457"
    assert [text.get_position() for text in axes.texts] == [(0, 0), (1, 0), (0, 1), (1, 1)]  # predicted across, true down
    for axis in (axes.xaxis, axes.yaxis):
        assert axis.get_ticklocs().tolist() == [0, 1] and [label.get_text() for label in axis.get_ticklabels()] == ["blaga", "resna"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[20 / 23, 3 / 23], [4 / 23, 19 / 23]])
    assert [text.get_color() for text in axes.texts] == ["white", "black", "black", "white"]


def test_the_confusion_figure_names_models_above_criteria_beside_and_what_its_axes_are(study):
    figure = FIGURES["fig-confusion"](study, SL)
    panels = np.reshape(figure.axes, (2, len(study.compared)))
    assert [axes.get_title() for axes in panels[0]] == list(study.compared)
    assert [axes.get_ylabel() for axes in panels[:, 0]] == [SL("f1"), SL("gmean")]
    assert [len(axes.get_yticks()) for axes in panels[0]] == [2, 0, 0, 0, 0]
    for row, criterion in zip(panels, ("f1", "gmean"), strict=True):
        for axes, model in zip(row, study.compared, strict=True):
            counts = study.confusion(model)[criterion]
            assert [text.get_text() for text in axes.texts] == [str(counts[name]) for name in ("tn", "fp", "fn", "tp")]
    assert (figure.get_supxlabel(), figure.get_supylabel()) == (SL("called"), SL("truth"))


def test_the_bars_of_metrics_are_the_stored_ones_within_their_intervals(study):
    figure = FIGURES["fig-metrics"](study, EN)
    for axes, criterion in zip(figure.axes, ("f1", "gmean"), strict=True):
        assert axes.get_title(loc="left") == EN("best_by", criterion=EN(criterion)) and axes.get_ylim()[1] == 1.0
        assert [label.get_text().replace("\n", " ") for label in axes.get_xticklabels()] == [EN(name) for name in SHOWN]
        for bars, lines, model in zip(axes.containers, axes.collections, study.compared, strict=True):
            values, ends = study.metrics(model)["at"][criterion], study.intervals(model)[criterion]
            assert bars.get_label() == model and bars[0].get_facecolor() == to_rgba(MODEL_COLOURS[model])
            np.testing.assert_array_equal([bar.get_height() for bar in bars],
                                          [np.nan if values[name] is None else values[name] for name in SHOWN])
            middles = {name: bar.get_x() + bar.get_width() / 2 for name, bar in zip(SHOWN, bars, strict=True)}
            expected = [[[middles[name], ends[name]["low"]], [middles[name], ends[name]["high"]]] for name in SHOWN if ends[name]]
            np.testing.assert_allclose(lines.get_segments(), expected)
        # Five bars side by side around each tick, and a gap before the next.
        edges = np.array([[[bar.get_x(), bar.get_x() + bar.get_width()] for bar in bars] for bars in axes.containers])
        np.testing.assert_allclose(edges[1:, :, 0], edges[:-1, :, 1])
        np.testing.assert_allclose(edges[0, :, 0] + edges[-1, :, 1], 2 * axes.get_xticks(), atol=1e-12)
        assert (edges[-1, :-1, 1] < edges[0, 1:, 0]).all() and axes.get_xlim()[0] <= edges.min() < edges.max() <= axes.get_xlim()[1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(study.compared)


def test_tick_labels_follow_the_language():
    figure, axes = pyplot.subplots()
    axes.plot([0, 1], [0.25, 0.75])
    localise(axes, SL)
    figure.canvas.draw()
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert any("," in label for label in labels) and not any("." in label for label in labels)


@pytest.mark.parametrize(("limits", "labels"), [
    ((0.4, 1.9), ["0,50", "0,75", "1,00", "1,25", "1,50", "1,75"]), ((0, 1), ["0,0", "0,2", "0,4", "0,6", "0,8", "1,0"]),
    ((0.001, 0.0036), ["0,0010", "0,0015", "0,0020", "0,0025", "0,0030", "0,0035"]),
])
def test_tick_labels_say_where_the_ticks_are(limits, labels):
    figure, axes = pyplot.subplots(figsize=(3, 2))
    axes.set_ylim(*limits)
    axes.set_yticks([float(label.replace(",", ".")) for label in labels])
    localise(axes, SL)
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == labels


def test_every_model_has_one_colour_of_its_own(study):
    assert set(MODEL_COLOURS) == set(study.models)
    assert len(set(MODEL_COLOURS.values())) == 7


def test_values_that_were_tried_differ_in_colour_and_in_mark_and_the_chosen_one_is_thick(study):
    figure = FIGURES["fig-lr-dnn"](study, EN)
    for axes, model in zip(figure.axes, ("DNN1", "DNN1", "DNN2", "DNN2"), strict=True):
        phase, lines = study.phases(model)["lr"], axes.lines
        assert len(lines) == len(phase.values) > 1
        assert len({line.get_marker() for line in lines}) == len({line.get_color() for line in lines}) == len(lines)
        thick = max(lines, key=lambda line: line.get_linewidth())
        assert phase.values[list(lines).index(thick)] == phase.chosen and "(chosen)" in thick.get_label()
        others = [line for line in lines if line is not thick]
        assert all(thick.get_zorder() > line.get_zorder() and thick.get_markersize() > line.get_markersize() for line in others)


def test_a_search_is_drawn_by_epoch_on_the_axes_of_all_curves(study):
    figure = FIGURES["fig-tuning-resnet"](study, EN)
    for axes, name in zip(figure.axes, (3 * ["auc", "loss"]), strict=True):
        last = max(line.get_xdata().max() for line in axes.lines)
        assert axes.get_xlim() == (0.5, last + 0.5) and axes.get_xlabel() == EN("epoch") and axes.get_ylabel() == EN(name)
        assert all("." not in tick.get_text() for tick in axes.get_xticklabels())
        assert name != "auc" or (axes.get_ylim()[0] <= 0.4 and axes.get_ylim()[1] == 1.02)
    assert [axes.get_title(loc="left")[:2] for axes in figure.axes[::2]] == ["a)", "b)", "c)"]
    assert [axes.get_legend().get_title().get_text() for axes in figure.axes[1::2]] == [EN("lr"), EN("wd"), EN("mp")]


def test_the_legend_names_the_chosen_value(study):
    shown = texts(FIGURES["fig-lr-dnn"](study, SL))
    assert "(izbrano)" in shown and "stopnja učenja" in shown and "Funkcija izgube" in shown


@pytest.mark.parametrize(("losses", "span"), [((0.5, 0.75), None), ((0.69314, 0.69315), 0.02), ((8.0, 8.0), None)])
def test_an_axis_of_losses_does_not_make_the_last_digits_look_like_curves(losses, span):
    _, axes = pyplot.subplots()
    axes.plot([1, 2], losses)
    before = axes.get_ylim()
    limit_losses(axes)
    low, high = axes.get_ylim()
    assert (low, high) == before if span is None else high - low == pytest.approx(span)
    assert (low + high) / 2 == pytest.approx(sum(losses) / 2)


@pytest.mark.parametrize(("values", "quantity", "limits"), [
    ([0.3, 0.5, np.nan], "val_loss", (0.3, 0.5)),
    ([0.691, 0.693], "val_loss", (0.691, 0.741)),  # the same numbers look the same, as bright as the best
    ([0.3, 0.5, 17.0], "val_loss", (0.3, 1.0)),  # a diverged trial leaves the others their colours
    ([3.0, 17.0], "val_loss", (3.0, 3.05)),
    ([0.6, 0.9], "val_auc", (0.6, 0.9)),
    ([0.88, 0.9], "val_auc", (0.85, 0.9)),
    ([np.nan], "val_auc", (0.0, 1.0)),
])
def test_colours_of_a_heat_map_are_no_finer_than_its_numbers(values, quantity, limits):
    assert colour_limits(np.array(values), quantity) == pytest.approx(limits)


def test_a_heat_map_has_a_row_for_every_tried_pair_and_a_number_for_every_trial(study, monkeypatch):
    trials = [{"lr": lr, "wd": wd, "mp": mp, "val_loss": 0.5} for lr, wd, mp in ((1e-3, 0.0, 1.0), (1e-4, 0.0, 1.0), (1e-4, 1e-3, 0.9))]
    ends = {"chosen": trials[2], "by_coordinates": trials[1]}
    monkeypatch.setattr(study, "search", lambda model: {"trials": trials, **ends})
    monkeypatch.setattr(study, "grid", lambda model: {"lr": [1e-3, 1e-4], "wd": [0.0, 1e-3], "mp": [1.0, 0.9]})
    _, axes = pyplot.subplots()
    draw_heat(axes, study, EN, "CNN1", "val_loss")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1 | 0", "0.9 | 10⁻³"]
    assert [(text.get_text(), text.get_position()) for text in axes.texts] == [("0.50", (0, 0)), ("0.50", (1, 0)), ("0.50", (1, 1))]
    trials[1]["val_loss"] = None
    _, again = pyplot.subplots()
    draw_heat(again, study, EN, "CNN1", "val_loss")
    assert [text.get_text() for text in again.texts] == ["0.50", "–", "0.50"]  # tried, and diverged
    frames = [(patch.get_xy(), patch.get_linestyle()) for patch in axes.patches]
    assert frames[0] == ((0.5, 0.5), "solid") and frames[-1][0] == (0.5, -0.5)


@pytest.mark.parametrize(("quantity", "best"), [("val_loss", 0.25), ("val_auc", 0.75)])
def test_the_best_cell_of_a_heat_map_is_the_brightest(study, monkeypatch, quantity, best):
    trials = [{"lr": lr, "wd": 0.0, "mp": 1.0, "val_loss": value, "val_auc": value} for lr, value in ((1e-3, 0.25), (1e-4, 0.75))]
    monkeypatch.setattr(study, "search", lambda model: {"trials": trials, "chosen": trials[0], "by_coordinates": trials[0]})
    monkeypatch.setattr(study, "grid", lambda model: {"lr": [1e-3, 1e-4], "wd": [0.0], "mp": [1.0]})
    _, axes = pyplot.subplots()
    (image,) = draw_heat(axes, study, EN, "CNN1", quantity).images
    brightness = {value: sum(image.to_rgba(value)[:3]) for value in (0.25, 0.75)}
    assert max(brightness, key=brightness.get) == best


# The two contrasts of a grey are equal at 0.46 (relative luminance 0.179); those of a red at 0.927.
@pytest.mark.parametrize(("colour", "readable"), [
    ((0.0, 0.13, 0.3), "white"), ((1.0, 0.91, 0.2), "black"), ((1, 1, 1, 1), "black"),
    ((0.455,) * 3, "white"), ((0.465,) * 3, "black"), ((0.9, 0.0, 0.0), "white"), ((0.95, 0.0, 0.0), "black"), ((0.0, 0.0, 1.0), "white"),
])
def test_numbers_stand_out_from_their_cell(colour, readable):
    assert readable_on(colour) == readable


def test_a_missing_outcome_is_said_in_the_figure(study, monkeypatch):
    monkeypatch.setattr(study, "cases", lambda model: {})
    empty = FIGURES["fig-sal-resnetog-wrong"](study, EN)
    assert "No FN in this run" in texts(empty) and "No FP in this run" in texts(empty)
    assert empty.get_figheight() < 2  # two lines of text, not two rows of blank panels


def test_filters_are_scaled_each_to_its_own_magnitude():
    sheet = filter_sheet(np.array([[[1.0, -2.0]], [[0.1, 0.05]]]), columns=2)
    np.testing.assert_allclose(sheet, [[0.5, -1.0, np.nan, 1.0, 0.5]])
