"""The compared models' probabilities beside the true diseased share of the lungs: which patients they are wrong about."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from report.figures.absent import absent_figure
from report.study import Study
from report.style import LABEL_COLOURS, LABEL_MARKS, WIDTH, localise
from report.words import Words


def draw_patients(axes: Axes, study: Study, words: Words, model: str) -> Axes:
    """A mark for each test patient; the line is the threshold by G-mean, above which patients are called severe."""
    shares, rows = study.involved_shares(), study.scores(model)
    for label, name in enumerate(("mild", "severe")):
        shown = [row for row in rows if row["label"] == label]
        axes.plot([100 * shares[row["id"]] for row in shown], [row["probability"] for row in shown], LABEL_MARKS[name],
                  color=LABEL_COLOURS[name], markersize=3, markeredgewidth=0.7, markerfacecolor="none" if name == "mild" else None,
                  alpha=0.85, label=words(name))
    axes.axhline(study.confusion(model)["gmean"]["threshold"], color="#666666", linewidth=0.9, linestyle="--")
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0.0, 0.5, 1.0])
    axes.set_title(model, fontsize=8, fontweight="bold")
    localise(axes, words, whole_x=True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
    return axes


def draw_involvement(study: Study, words: Words) -> Figure:
    """The five compared models side by side; a sentence in their place where the true share is not known."""
    if study.involvement is None:
        return absent_figure(words("no_involvement"))
    figure, axes = pyplot.subplots(1, len(study.compared), figsize=(WIDTH, 2.1), sharex=True, sharey=True)
    for panel, model in zip(axes, study.compared, strict=True):
        draw_patients(panel, study, words, model)
    axes[0].set_ylabel(words("severe_probability"))
    figure.supxlabel(words("involved_share"), fontsize=8.5)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=7.5)
    return figure
