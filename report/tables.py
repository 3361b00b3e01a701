"""The tables of the study as rows of text, written as Markdown by one template."""

from collections.abc import Callable

from pipeline.layout import STAGES
from report import source_study
from report.study import Study
from report.templating import environment
from report.text import Text
from report.words import Words

Rows = list[list[str]]


def _data(study: Study, words: Words) -> Rows:
    counts = study.dataset["counts"]
    rows = [[words("set"), words("Mild"), words("Severe")]]
    return rows + [[words(name), words.whole(counts[name]["mild"]), words.whole(counts[name]["severe"])]
                   for name in ("train", "validation", "test")]


def _hyperparameters(study: Study, words: Words) -> Rows:
    header = [words("model")]
    for coordinate in ("lr", "wd", "mp"):
        header += [f"{coordinate}, {words('source_value')}", f"{coordinate}, {words('own_value')}"]
    rows = [header]
    for model in study.models:
        source = source_study.HYPERPARAMETERS[study.model(model)["tuned_as"]]
        chosen = study.chosen(model)
        rows.append([model, *[words.scientific(values[name]) for name in ("lr", "wd", "mp") for values in (source, chosen)]])
    return rows


def _thresholds(study: Study, words: Words) -> Rows:
    rows = [[words("criterion"), *study.compared]]
    for criterion in ("f1", "gmean"):
        for chosen_on, name in (("validation", "on_validation"), ("test", "optimistic")):
            values = [study.thresholds(model)[criterion, chosen_on]["threshold"] for model in study.compared]
            rows.append([f"{words(criterion)} ({words(name)})", *[words.decimal(value) for value in values]])
    return rows


def _auc(study: Study, words: Words) -> Rows:
    rows = [[words("model"), words("auc"), words("interval"), words("brier"), words("parameters"), words("best_epoch")]]
    for model in study.models:
        metrics, description = study.metrics(model), study.model(model)
        rows.append([model, words.decimal(metrics["auc"]), _interval(metrics, words), words.decimal(metrics["brier"]),
                     words.whole(description["parameters"]), str(description["best_epoch"])])
    for name, values in sorted(study.comparison["baselines"].items(), reverse=True):
        rows.append([words(name), words.decimal(values["auc"]), _interval(values, words), "–", "–", "–"])
    return rows


def _interval(values: dict, words: Words) -> str:
    return f"{words.decimal(values['auc_low'])}–{words.decimal(values['auc_high'])}"


def _localisation(study: Study, words: Words) -> Rows:
    rows = [[words("model"), words("saliency"), words("gradcam"), words("chance")]]
    for model in ("ResNet18og", "ResNet18", "ResNet18_nowig", "CNN1", "CNN2"):
        found = study.localisation(model)
        shares = [found["saliency"]["mass"], found["gradcam"]["mass"], found["chance"]] if found else [None] * 3
        rows.append([model, *[words.percent(share, 1) for share in shares]])
    return rows


def _times(study: Study, words: Words) -> Rows:
    seconds = study.provenance["seconds"]
    return [[words("stage"), words("time")],
            *[[words(f"stage_{stage}"), words.duration(seconds[stage])] for stage in STAGES if stage in seconds]]


TABLES: dict[str, Callable[[Study, Words], Rows]] = {
    "tbl-data": _data,
    "tbl-hyperparameters": _hyperparameters,
    "tbl-thresholds": _thresholds,
    "tbl-auc": _auc,
    "tbl-localisation": _localisation,
    "tbl-times": _times,
}


def to_markdown(rows: Rows) -> Text:
    """A pipe table: first row the header, first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) + 2 for column in range(len(rows[0]))]
    table = environment(escape=False).get_template("tables/pipe.md.j2").render(header=rows[0], rows=rows[1:], widths=widths)
    return Text(table + "\n")
