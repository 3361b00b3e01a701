"""The data behind every figure and table, at full precision and without language: rows for CSV, nested lists for JSON."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from pipeline.layout import CNN_MODELS, CONV_MODELS, DNN_MODELS, STAGES
from report import source_study
from report.checklist import checklist
from report.figures.subjects import COORDINATES, SUBJECTS
from report.study import EXTENTS, FILLED, Study

Rows = list[dict[str, object]]
CRITERIA = ("f1", "gmean")
METHODS = ("saliency", "gradcam")
SHARES = ("mass", "pointing", "outside")
DIGITS = 4  # of the largest value of an array that is written as JSON


def _coordinate(study: Study, coordinate: str, models: Iterable[str]) -> Rows:
    return [
        {"model": model, "coordinate": coordinate, **trial.values, "chosen": value == phase.chosen, "epoch": int(epoch),
         "val_auc": float(trial.auc[index]), "val_loss": float(trial.loss[index]),
         **_ends({f"val_{name}": ends[:, index] for name, ends in trial.ranges.items()})}
        for model in models for phase in [study.phases(model)[coordinate]]
        for value, trial in zip(phase.values, phase.trials, strict=True) for index, epoch in enumerate(trial.epochs)
    ]


def _ends(ranges: dict[str, Iterable[float]]) -> dict[str, float]:
    """Columns for the lowest and highest of several runs; none where there was one."""
    return {f"{name}_runs_{end}": float(value) for name, ends in ranges.items() for end, value in zip(("low", "high"), ends, strict=True)}


def _spread(found: dict | None, *names: str) -> dict[str, float | None]:
    """Columns for mean, low and high of the runs of these numbers; none where there was one run."""
    if not found:
        return {}
    return {f"{name}_runs_{part}": found[name] and found[name][part] for name in names for part in ("mean", "low", "high")}


def _search(study: Study, model: str) -> Rows:
    return [row for coordinate in COORDINATES for row in _coordinate(study, coordinate, [model])]


def _grid(study: Study) -> Rows:
    rows: Rows = []
    for model in study.tuned:
        search = study.search(model)
        for trial in search["trials"]:
            place = {name: trial[name] for name in COORDINATES}
            rows.append({"model": model, **trial, "chosen": place == search["chosen"], "by_coordinates": place == search["by_coordinates"]})
    return rows


def _histories(study: Study, models: Iterable[str]) -> Rows:
    rows: Rows = []
    for model in models:
        history, best, ranges = study.history(model), study.model(model)["best_epoch"], study.history_ranges(model)
        rows += [
            {"model": model, "epoch": int(epoch), "val_auc": float(history["val_auc"][i]), "val_loss": float(history["val_loss"][i]),
             "kept": epoch == best, **_ends({name: ends[:, i] for name, ends in ranges.items()})}
            for i, epoch in enumerate(history["epoch"])
        ]
    return rows


def _roc(study: Study) -> Rows:
    rows: Rows = []
    for model in study.compared:
        curve, thresholds = study.roc(model), study.thresholds(model)
        rows += [{"model": model, "point": "curve", "fpr": float(x), "tpr": float(y), "threshold": float(t)}
                 for x, y, t in zip(curve["fpr"], curve["tpr"], curve["threshold"], strict=True)]
        for criterion in CRITERIA:
            chosen = thresholds[criterion, "validation"]
            rows.append({"model": model, "point": criterion, "fpr": chosen["test_fpr"], "tpr": chosen["test_tpr"],
                         "threshold": chosen["threshold"]})
        ends = study.roc_range(model)
        rows += [{"model": model, "point": end, "fpr": float(x), "tpr": float(y), "threshold": None}
                 for end in ("mean", "low", "high") for x, y in zip(ends["fpr"], ends[f"tpr_{end}"], strict=True)] if ends else []
    return rows


def _confusion(study: Study) -> Rows:
    return [{"model": model, "criterion": criterion, **study.confusion(model)[criterion],
             **_spread(_at(study, model, "confusion", criterion), "threshold", "tn", "fp", "fn", "tp")}
            for model in study.compared for criterion in CRITERIA]


def _at(study: Study, model: str, part: str, criterion: str) -> dict | None:
    found = study.spread(model)
    return found and found[part][criterion]


def _metrics(study: Study) -> Rows:
    rows: Rows = []
    for model in study.compared:
        for criterion, found in study.metrics(model)["at"].items():
            rows.append({"model": model, "tested": "test set", "criterion": criterion, **found,
                         **_intervals(study.intervals(model)[criterion]), **_spread(_at(study, model, "at", criterion), *found)})
    elsewhere = {model: study.elsewhere(model) for model in study.compared} if study.external else {}
    return rows + [dict.fromkeys(rows[0]) | {"model": model, "tested": "elsewhere", "criterion": criterion, **found["at"][criterion],
                                             **_intervals(found["intervals"][criterion])}
                   for model, found in elsewhere.items() for criterion in found["at"]]


def _intervals(ends: dict[str, dict | None]) -> dict[str, float | None]:
    """Two columns for the interval of every metric."""
    return {f"{name}_{end}": found and found[end] for name, found in ends.items() for end in ("low", "high")}


def _calibration(study: Study) -> Rows:
    return [{"model": model, **dict(zip(bins, map(float, row), strict=True))}
            for model in study.compared for bins in [study.calibration(model)] for row in zip(*bins.values(), strict=True)]


def _recalibration(study: Study) -> Rows:
    return [{"model": model, **{name: study.metrics(model)[name] for name in ("mean_probability", "prevalence", "brier")},
             **_spread(study.spread(model), "brier"), **_coefficients(study.recalibration(model) or {})} for model in study.compared]


def _coefficients(found: dict) -> dict[str, float | None]:
    """Columns for how the test probabilities would have to be stretched, and for what the validation patients make of them."""
    ends = {name: found.get(name) or {} for name in ("in_the_large", "slope")}
    mended = found.get("recalibrated") or {}
    return ({name if end == "value" else f"{name}_{end}": one.get(end) for name, one in ends.items() for end in ("value", "low", "high")}
            | {f"recalibrated_{name}": mended.get(name) for name in ("intercept", "slope", "brier")})


def _learning(study: Study) -> Rows:
    """A row for the mean of every point of the curves, and one for every draw or run behind it."""
    rows: Rows = []
    for model, found in (study.learning_curve or {}).items():
        for point in found["points"]:
            place = {"model": model, "patients": point["patients"]}
            rows.append({**place, "kind": "mean", **{end: point[end] for end in ENDS}})
            rows += [{**place, "kind": "draw" if point is not found["points"][-1] else "run", "auc": auc, "auc_low": None, "auc_high": None}
                     for auc in point["aucs"]]
    return rows or [dict.fromkeys(("model", "patients", "kind", *ENDS))]


def _extents(study: Study) -> Rows:
    """By network a row for every patient, and one for the mean of each outcome."""
    ends = [f"{kind}{end}" for kind in EXTENTS for end in ("", "_low", "_high")]
    rows: Rows = []
    for model, found in (study.extents or {"models": {}})["models"].items():
        rows += [{**dict.fromkeys(ends), "model": model, "kind": "patient", **row} for row in study.extents_of(model)]
        for outcome in dict.fromkeys(outcome for kind in EXTENTS for outcome in found[kind]):
            means = {kind: found[kind].get(outcome, {}) for kind in EXTENTS}
            rows.append({"model": model, "kind": "mean", "id": None, "outcome": outcome,
                         **{f"{kind}{'' if name == 'mean' else f'_{name}'}": one.get(name)
                            for kind, one in means.items() for name in ("mean", "low", "high")}})
    columns = ["model", "kind", "id", "outcome", *ends]
    return [{name: row[name] for name in columns} for row in rows] or [dict.fromkeys(columns)]


def _shortcut(study: Study) -> Rows:
    """A row for each network; `p` of its AUC with marks on the mild, and of its maps' pointing, stands beside the one that has learned."""
    rows: Rows = []
    for model, found in study.shortcuts.items():
        for network in ("own", "learned"):
            tests = {"difference_mild": found["difference"], **{f"{kind}_pointing": found["pointing"][kind] for kind in METHODS}}
            rows.append({
                "model": model, "network": network,
                **{f"{end}_{carriers}": one[end] for carriers, one in found[network]["auc"].items() for end in ENDS},
                "chance": found[network]["maps"]["chance"],
                **{f"{kind}_{share}": found[network]["maps"][kind][share] for kind in METHODS for share in SHARES},
                **{f"{name}_p_holm": one["p_holm"] if network == "learned" else None for name, one in tests.items()},
            })
    return rows or [dict.fromkeys(("model", "network"))]


def _shortcut_pictures(study: Study) -> dict:
    return {model: {name: _nested(value) for name, value in study.shortcut_picture(model).items()} for model in study.shortcuts}


def _involvement(study: Study) -> Rows:
    shares = study.involved_shares() if study.involvement else {}
    return [{"model": model, **{name: row[name] for name in ("id", "label", "probability")}, "involvement": shares.get(row["id"])}
            for model in study.compared for row in study.scores(model)]


def _filters(study: Study, models: Iterable[str]) -> dict:
    return {model: _nested(study.filters(model)) for model in models}


def _arrays(arrays: dict[str, np.ndarray], outcomes: Iterable[str]) -> dict:
    return {name: _nested(value) for name, value in arrays.items() if name.split(".")[0] in outcomes}


def _saliency(study: Study, model: str, outcomes: tuple[str, str]) -> dict:
    model = study.named(model)
    cases = {outcome: case | _without_lesions(study, model, case) for outcome, case in study.cases(model).items() if outcome in outcomes}
    return {"model": model, "cases": cases, "arrays": _arrays(study.saliency(model), outcomes)}


def _without_lesions(study: Study, model: str, case: dict) -> dict[str, float]:
    known = study.without_lesions is not None
    return {"probability_without_lesions": study.probability_without_lesions(model, case["patient"])} if known else {}


def _activations(study: Study, model: str) -> dict:
    model = study.named(model)
    return {"model": model, "arrays": _arrays(study.activations(model), ("tp", "tn"))}


def _input_output(study: Study, model: str) -> dict:
    model = study.named(model)
    shown = {name: value for name, value in study.activations(model).items() if name.endswith((".input", ".output"))}
    probabilities = {outcome: case["probability"] for outcome, case in study.cases(model).items() if f"{outcome}.input" in shown}
    return {"model": model, "probabilities": probabilities, "arrays": _arrays(shown, ("tp", "tn"))}


def _data(study: Study) -> Rows:
    return [{"set": name, **study.dataset["counts"][name], **study.cohort[name]} for name in ("train", "validation", "test")]


def _hyperparameters(study: Study) -> Rows:
    rows: Rows = []
    for model in study.models:
        source, own = source_study.HYPERPARAMETERS[study.model(model)["tuned_as"]], study.chosen(model)
        rows.append({"model": model, **{f"{name}_source": source[name] for name in COORDINATES},
                     **{f"{name}_own": own[name] for name in COORDINATES}})
    return rows


def _thresholds(study: Study) -> Rows:
    return [{"model": model, "criterion": criterion, "chosen_on": chosen_on, **values,
             **_spread((_at(study, model, "thresholds", criterion) or {}).get(chosen_on), "threshold", "value_validation", "value_test")}
            for model in study.compared for (criterion, chosen_on), values in study.thresholds(model).items()]


def _auc(study: Study) -> Rows:
    rows: Rows = []
    for model in study.models:
        metrics, description = study.metrics(model), study.model(model)
        rows.append({"model": model, **{name: metrics[name] for name in ("auc", "auc_low", "auc_high", "brier")},
                     "parameters": description["parameters"], "best_epoch": description["best_epoch"],
                     **_spread(study.spread(model), "auc", "brier"), **_tested_again(study, model)})
    for name, values in study.comparison["baselines"].items():
        rows.append(dict.fromkeys(rows[0]) | {"model": name, **values, **_tested_again(study, name)})
    return rows


ENDS = ("auc", "auc_low", "auc_high")


def _tested_again(study: Study, name: str) -> dict[str, float | None]:
    """Columns for a model or baseline of a study that is cross-validated, or tested on patients from elsewhere."""
    found = {f"folds_{end}": study.over_folds(name)[end] for end in ENDS} if study.folds else {}
    if study.external:
        there = study.elsewhere(name) or dict.fromkeys((*ENDS, "change"))
        found |= {f"elsewhere_{end}": there[end] for end in ENDS}
        found |= _spread({"elsewhere_auc": there.get("runs")}, "elsewhere_auc") if study.repeated else {}
        change = there["change"] or {}
        found |= {f"elsewhere_change_{end}": change.get(end) for end in ("difference", "low", "high", "p", "p_holm")}
    return found


def _folds(study: Study) -> Rows:
    rows: Rows = []
    for name, tested in {**{model: study.metrics(model) for model in study.models}, **study.comparison["baselines"]}.items():
        rows.append({"model": name, "tested": "test set", **{end: tested[end] for end in ENDS}})
        if study.external and study.elsewhere(name):
            rows.append({"model": name, "tested": "elsewhere", **{end: study.elsewhere(name)[end] for end in ENDS}})
        if study.folds:
            found = study.over_folds(name)
            rows.append({"model": name, "tested": "all folds", **{end: found[end] for end in ENDS}})
            rows += [{"model": name, "tested": f"fold {fold}", "auc": auc, "auc_low": None, "auc_high": None}
                     for fold, auc in enumerate(found["by_fold"])]
    return rows


def _differences(study: Study) -> Rows:
    rows: Rows = []
    numbers = ("difference", "low", "high", "p", "p_holm")
    for index, row in enumerate(study.differences):
        of_runs = study.differences_of_runs[index] if study.differences_of_runs else {}
        folds = study.folds["differences"][index] if study.folds else {}
        needed = study.sample_sizes and study.sample_sizes["needed"][index]
        rows.append({**{name: row[name] for name in ("first", "second", *numbers)},
                     **{f"runs_{end}": of_runs[end] for end in ("mean", "low", "high") if of_runs},
                     **{f"folds_{name}": folds[name] for name in numbers if folds},
                     **{f"needed_{name}": needed and needed[name] for name in ("patients", "low", "high") if study.sample_sizes}})
    return rows


def _localisation(study: Study) -> Rows:
    rows: Rows = []
    for model in CONV_MODELS:
        found = study.localisation(model) or {"saliency": {}, "gradcam": {}, "chance": None}
        rows.append({"model": model, "chance": found["chance"],
                     **{f"{kind}_{name}": found[kind].get(name) for kind in (*METHODS, "output") if kind in found for name in SHARES},
                     **_localisation_spread(study, model), **_filled(study, model)})
    return rows + [dict.fromkeys(rows[0]) | {"model": model, **_filled(study, model)} for model in DNN_MODELS if study.without_lesions]


def _filled(study: Study, model: str) -> dict[str, float]:
    """Columns for the slices as they are and for what was filled in; none where nothing was."""
    if not study.without_lesions:
        return {}
    found = study.without_lesions["models"][model]
    columns = {f"{filled}_{name}": found[filled][name] for filled in FILLED for name in (*ENDS, "severe", "mild")}
    columns |= {f"healthy_minus_lesions_{name}": value for name, value in study.without_lesions["differences"][model].items()}
    if not study.repeated:
        return columns
    runs = {f"{filled}_{name}": found["runs"][filled][name] for filled in FILLED for name in ("auc", "severe", "mild")}
    return columns | _spread(runs, *runs)


def _localisation_spread(study: Study, model: str) -> dict[str, float | None]:
    found = study.localisation_spread(model)
    flat = {f"{kind}_{name}": found[kind][name] for kind in (*METHODS, "output") if kind in found for name in SHARES} if found else {}
    return _spread(flat, *flat)


def _resemblance(study: Study) -> Rows:
    return [{"model": model, **{f"{method}_{part}": found[part][method] for part in found for method in METHODS}}
            for model in CONV_MODELS for found in [study.resemblance(model)]]


def _agreement(study: Study) -> Rows:
    found, ends = study.agreement, ("patients", "mean", "low", "high")
    if not found:
        return [dict.fromkeys(("first", "second", *ends, "scores"))]
    beside = [{"first": model, "second": name, **one, "scores": None}
              for name in ("slice", "lesions") for model, one in (found[name] or {}).items()]
    return [{name: row[name] for name in ("first", "second", *ends, "scores")} for row in (*found["pairs"], *beside)]


def _faithfulness(study: Study) -> Rows:
    rows: Rows = []
    for model in CONV_MODELS:
        found = study.faithfulness(model) or {"chance": {}, "contrast": {}}
        for against in ("chance", "contrast"):
            rows += [{"model": model, "marked": kind, "against": against, **one} for kind, one in found[against].items()]
    return rows or [dict.fromkeys(("model", "marked", "against", "ratio", "low", "high"))]


def _times(study: Study) -> Rows:
    seconds = study.provenance["seconds"]
    return [{"stage": stage, "seconds": seconds[stage]} for stage in STAGES if stage in seconds]


def _about(function: Callable, *identifiers: str) -> dict[str, Callable[[Study], object]]:
    """The function for each of these figures, with what the figure is about."""
    return {identifier: partial(function, **SUBJECTS[identifier]) for identifier in identifiers}


ROWS: dict[str, Callable[[Study], Rows]] = {
    **_about(_coordinate, *(f"fig-{name}-{family}" for name in COORDINATES for family in ("dnn", "cnn"))),
    **_about(_search, "fig-tuning-nowig", "fig-tuning-resnet"),
    "fig-grid-loss": _grid,
    "fig-grid-auc": _grid,
    "fig-best-auc": partial(_histories, models=DNN_MODELS + CNN_MODELS),
    "fig-resnets": partial(_histories, models=["ResNet18", "ResNet18og"]),
    "fig-roc": _roc,
    "fig-folds": _folds,
    "fig-confusion": _confusion,
    "fig-metrics": _metrics,
    "fig-calibration": _calibration,
    "fig-involvement": _involvement,
    "fig-learning": _learning,
    "fig-extent": _extents,
    "tbl-data": _data,
    "tbl-hyperparameters": _hyperparameters,
    "tbl-thresholds": _thresholds,
    "tbl-metrics": _metrics,
    "tbl-calibration": _recalibration,
    "tbl-auc": _auc,
    "tbl-differences": _differences,
    "tbl-localisation": _localisation,
    "tbl-resemblance": _resemblance,
    "tbl-agreement": _agreement,
    "tbl-faithfulness": _faithfulness,
    "tbl-shortcut": _shortcut,
    "tbl-checklist": lambda study: [{"item": item, "where": " ".join(places)} for item, places in checklist(study).items()],
    "tbl-times": _times,
}

NESTED: dict[str, Callable[[Study], dict]] = {
    "fig-data": lambda study: {name: _nested(value) for name, value in study.examples().items()},
    "fig-filters-resnet": partial(_filters, models=["ResNet18_nowig", "ResNet18og"]),
    "fig-filters-cnn": partial(_filters, models=["CNN1"]),
    "fig-shortcut": _shortcut_pictures,
    **_about(_activations, "fig-act-resnet", "fig-act-resnetog", "fig-act-cnn"),
    **_about(_input_output, "fig-io-resnetog", "fig-io-cnn"),
    **_about(_saliency, "fig-sal-resnetog-right", "fig-sal-resnetog-wrong", "fig-sal-cnn-right", "fig-sal-cnn-wrong"),
}


def file_name(identifier: str) -> str:
    """The name of the file with the data of a figure or table: rows as CSV, arrays as JSON.

    >>> file_name("fig-roc"), file_name("fig-data")
    ('fig-roc.csv', 'fig-data.json')
    """
    return f"{identifier}.{'csv' if identifier in ROWS else 'json'}"


def file_text(identifier: str, study: Study) -> str:
    """The content of that file."""
    if identifier in ROWS:
        return _as_csv(ROWS[identifier](study))
    return json.dumps(NESTED[identifier](study), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _as_csv(rows: Rows) -> str:
    """Rows as CSV; an empty cell where there is no number."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: _cell(value) for name, value in row.items()} for row in rows])
    return buffer.getvalue()


def _cell(value: object) -> object:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _nested(array: np.ndarray) -> list:
    """Nested lists of an array, in its axis order, rounded to DIGITS digits of its largest value; null where there is no number."""
    if array.dtype.kind != "f":
        return array.tolist()
    values = array.astype(np.float64)
    known = np.isfinite(values)
    largest = float(np.abs(values[known]).max(initial=0.0))
    rounded = np.round(values, DIGITS - math.ceil(math.log10(largest)) if largest > 0 else 0)
    return (rounded if known.all() else np.where(known, rounded, None)).tolist()
