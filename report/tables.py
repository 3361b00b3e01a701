"""The tables of the study as rows of text, written as Markdown by one template."""

from collections.abc import Callable

from pipeline.layout import DNN_MODELS, MODELS, STAGES
from report import source_study
from report.checklist import checklist
from report.study import EXPLAINED, FILLED, Study
from report.templating import environment
from report.text import Text
from report.words import Words

Rows = list[list[str]]
METRICS = ("recall", "specificity", "precision", "f1", "gmean")


def _data(study: Study, words: Words) -> Rows:
    counts = study.dataset["counts"]
    known = {name: _KNOWN[name] for name in _KNOWN if study.cohort["test"][name] is not None}
    rows = [[words("set"), words("Mild"), words("Severe"), *[words(f"cohort_{name}") for name in known]]]
    return rows + [[words(name), words.whole(counts[name]["mild"]), words.whole(counts[name]["severe"]),
                    *[shown(study.cohort[name], words) for shown in known.values()]] for name in ("train", "validation", "test")]


def _age(cohort: dict, words: Words) -> str:
    return words.decimal(cohort["age_mean"], 1) + _below("–".join(words.decimal(cohort[f"age_{end}"], 0) for end in ("low", "high")))


# What is shown of a set's patients where it is known, by the number that tells whether it is.
_KNOWN: dict[str, Callable[[dict, Words], str]] = {
    "age_mean": _age,
    "women": lambda cohort, words: words.percent(cohort["women"]),
    "involvement_mild": lambda cohort, words: words.percent(cohort["involvement_mild"], 1),
    "involvement_severe": lambda cohort, words: words.percent(cohort["involvement_severe"], 1),
}


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
            rows.append([words(criterion) + _below(words(name)), *[_threshold(study, words, model, criterion, chosen_on)
                                                                  for model in study.compared]])
    return rows


def _threshold(study: Study, words: Words, model: str, criterion: str, chosen_on: str) -> str:
    found = study.spread(model)
    return (words.decimal(study.thresholds(model)[criterion, chosen_on]["threshold"])
            + _range(found and found["thresholds"][criterion][chosen_on]["threshold"], words))


def _range(found: dict | None, words: Words, digits: int = 3) -> str:
    """The range of the runs, or an interval; nothing where there is none."""
    return _below(words.span(found, digits)) if found else ""


def _below(text: str) -> str:
    """Text in parentheses, which a page puts into a line of its own below what it follows."""
    return f" [({text})]{{.below}}"


def _metrics(study: Study, words: Words) -> Rows:
    rows = [[words("model"), *map(words, METRICS)]]
    for criterion in ("f1", "gmean"):
        found = {model: (study.metrics(model)["at"][criterion], study.intervals(model)[criterion]) for model in study.compared}
        rows += _group(words("best_by", criterion=words(criterion)), found, words)
    for criterion in ("f1", "gmean") if study.external else ():
        there = {model: study.elsewhere(model) for model in study.compared}
        found = {model: (one["at"][criterion], one["intervals"][criterion]) for model, one in there.items()}
        rows += _group(words("best_by_elsewhere", criterion=words(criterion)), found, words)
    return rows


def _group(title: str, found: dict[str, tuple[dict, dict]], words: Words) -> Rows:
    """Rows of metrics with their intervals, by model, under a title of their own."""
    return [[f"*{title}*", *[""] * len(METRICS)],
            *[[model, *[words.decimal(values[name], 2) + _range(ends[name], words, 2) for name in METRICS]]
              for model, (values, ends) in found.items()]]


def _calibration(study: Study, words: Words) -> Rows:
    rows = [[words("model"), *map(words, ("mean_probability", "in_the_large", "slope", "brier", "brier_recalibrated"))]]
    for model in study.compared:
        metrics, found, runs = study.metrics(model), study.recalibration(model) or {}, study.spread(model) or {}
        estimates = [found.get(name) for name in ("in_the_large", "slope")]
        rows.append([model, words.decimal(metrics["mean_probability"], 2),
                     *[words.decimal(one and one["value"], 2) + (_below(_ends(one, words, 2)) if one else "") for one in estimates],
                     words.decimal(metrics["brier"]) + _range(runs.get("brier"), words),
                     words.decimal((found.get("recalibrated") or {}).get("brier"))])
    return rows


def _auc(study: Study, words: Words) -> Rows:
    header = [words("model"), words("auc"), words("interval"), words("brier"), words("parameters"), words("best_epoch")]
    rows = [header + ([words("folds_auc")] if study.folds else []) + ([words("external_auc")] if study.external else [])]
    for model in study.models:
        metrics, description, found = study.metrics(model), study.model(model), study.spread(model) or {}
        rows.append([model, words.decimal(metrics["auc"]) + _range(found.get("auc"), words), _interval(metrics, words),
                     words.decimal(metrics["brier"]) + _range(found.get("brier"), words),
                     words.whole(description["parameters"]), str(description["best_epoch"]), *_tested_again(study, model, words)])
    for name, values in sorted(study.comparison["baselines"].items(), reverse=True):
        rows.append([words(name), words.decimal(values["auc"]), _interval(values, words), *["–"] * 3, *_tested_again(study, name, words)])
    return rows


def _interval(values: dict, words: Words) -> str:
    return "–".join(dict.fromkeys(words.decimal(values[end]) for end in ("auc_low", "auc_high")))


def _tested_again(study: Study, name: str, words: Words) -> list[str]:
    """One more cell for a model or baseline of a cross-validated study, and one of a study tested on patients from elsewhere."""
    found = ([study.over_folds(name)] if study.folds else []) + ([study.elsewhere(name)] if study.external else [])
    return [words.decimal(one and one["auc"]) + (_below(_interval(one, words)) if one else "")
            for one in found]


def _differences(study: Study, words: Words) -> Rows:
    header = [words("pair"), words("difference"), words("interval"), words("p_holm")]
    sought = [words("patients_needed", difference=words.decimal(study.sample_sizes["sought"], 2))] if study.sizes_known else []
    rows = [header + ([words("folds_difference"), words("p_holm")] if study.folds else []) + sought]
    of_runs = study.differences_of_runs
    for index, row in enumerate(study.differences):
        rows.append([f"{_named(row['first'], words)} − {_named(row['second'], words)}",
                     words.decimal(row["difference"]) + (_below(_ends(of_runs[index], words)) if of_runs else ""),
                     _ends(row, words), words.p_value(row["p_holm"]), *_difference_over_folds(study, index, words),
                     *_size_needed(study, index, words)])
    return rows


def _difference_over_folds(study: Study, index: int, words: Words) -> list[str]:
    """Two more cells for a pair of a cross-validated study."""
    if not study.folds:
        return []
    row = study.folds["differences"][index]
    return [_with_ends(row, "difference", words), words.p_value(row["p_holm"])]


def _size_needed(study: Study, index: int, words: Words) -> list[str]:
    """One more cell for a pair of a study that knows how many test patients its pairs need."""
    if not study.sizes_known:
        return []
    found = study.sample_sizes["needed"][index]
    return [words.roughly(found["patients"]) + _below("–".join(words.roughly(found[end]) for end in ("low", "high"))) if found else "–"]


def _ends(row: dict, words: Words, digits: int = 3) -> str:
    """Both ends of an interval that may be negative with a semicolon, since a dash would meet a minus."""
    return "; ".join(dict.fromkeys(words.decimal(row[end], digits) for end in ("low", "high")))


def _with_ends(row: dict, name: str, words: Words, digits: int = 3) -> str:
    """A value and below it, where it is known, its interval."""
    return words.decimal(row[name], digits) + (_below(_ends(row, words, digits)) if row["low"] is not None else "")


def _named(classifier: str, words: Words) -> str:
    """A model by its own name, a baseline by its name in the page's language."""
    return classifier if classifier in MODELS else words(classifier)


def _localisation(study: Study, words: Words) -> Rows:
    filled = study.without_lesions
    rows = [[words("model"), words("saliency"), words("gradcam"), words("Chance"), *[words(f"auc_{name}") for name in FILLED if filled]]]
    for model in EXPLAINED:
        found, runs = study.localisation(model), study.localisation_spread(model)
        shares = [words.percent(found[name]["mass"] if found else None, 1) + _share_range(runs and runs[name]["mass"], words)
                  for name in ("saliency", "gradcam")]
        rows.append([model, *shares, words.percent(found["chance"] if found else None, 1), *_filled(filled, model, words)])
    return rows + [[model, "–", "–", "–", *_filled(filled, model, words)] for model in reversed(DNN_MODELS) if filled]


def _filled(filled: dict | None, model: str, words: Words) -> list[str]:
    """Three more cells of a study whose patients were scored without their lesions, too."""
    found = [filled["models"][model][name] for name in FILLED] if filled else []
    return [words.decimal(one["auc"]) + _below(_interval(one, words)) for one in found]


def _share_range(found: dict | None, words: Words) -> str:
    """As `_range`, in percent."""
    return _range(found and {name: 100 * value for name, value in found.items()}, words, 1)


def _resemblance(study: Study, words: Words) -> Rows:
    against = ("random_weights", *(("other_runs",) if study.repeated else ()))
    rows = [[words("model"), *[f"{words(method)}, {words(other)}" for other in against for method in ("saliency", "gradcam")]]]
    for model in EXPLAINED:
        found = study.resemblance(model)
        rows.append([model, *[words.decimal(found[part][method], 2) for part in ("random", "runs")[: len(against)]
                              for method in ("saliency", "gradcam")]])
    return rows


def _agreement(study: Study, words: Words) -> Rows:
    """The lower half of the pairs of compared models, and below it the slices and, where known, the lesions."""
    found, models = study.agreement, study.compared
    pairs = {(pair["second"], pair["first"]): pair for pair in found["pairs"]} if found else {}
    rows = [[second, *[_with_ends(pairs[second, first], "mean", words, 2) if (second, first) in pairs else "" for first in models]]
            for second in models[1:] if found]
    beside = {"slice_itself": found and found["slice"], "marked_lesions": found and found["lesions"]}
    rows += [[words(name), *[_with_ends(of[model], "mean", words, 2) for model in models]] for name, of in beside.items() if of]
    return _unless_empty([words("model"), *models], rows, words)


def _faithfulness(study: Study, words: Words) -> Rows:
    found = {model: asked["chance"] for model in EXPLAINED if (asked := study.faithfulness(model))}
    kinds = ["saliency", "gradcam", "contrast", *(["lesions"] if any("lesions" in one for one in found.values()) else [])]
    rows = [[model, *[_times(one[kind], words) for kind in kinds]] for model, one in found.items()]
    return _unless_empty([words("model"), *[words(f"marked_{kind}") for kind in kinds]], rows, words)


def _unless_empty(header: list[str], rows: Rows, words: Words) -> Rows:
    """The table, or one row that says that the study has none of its numbers."""
    return [header, *(rows or [[words("no_rows"), *["–"] * (len(header) - 1)]])]


def _times(found: dict, words: Words) -> str:
    """A ratio and below it its interval."""
    return words.decimal(found["ratio"], 1) + (_range(found, words, 1) if found["low"] is not None else "")


def _shortcut(study: Study, words: Words) -> Rows:
    carriers, kinds = ("severe", "nobody", "mild"), ("saliency", "gradcam")
    header = [words("model"), *[words(f"marks_on_{one}") for one in carriers],
              *[words(title) for kind in kinds for title in (f"marked_{kind}", f"peak_{kind}")]]
    rows = [[f"{model}, {words(f'marks_{network}')}",
             *[words.decimal(found[network]["auc"][one]["auc"]) + _below(_interval(found[network]["auc"][one], words)) for one in carriers],
             *[cell for kind in kinds for cell in _at_marks(found[network]["maps"][kind], words)]]
            for model, found in study.shortcuts.items() for network in ("own", "learned")]
    return _unless_empty(header, rows, words)


def _at_marks(found: dict, words: Words) -> list[str]:
    """How much of a map lies in the marks, and how often its highest point does."""
    return [words.percent(found["mass"], 1), words.percent(found["pointing"])]


def _checklist(study: Study, words: Words) -> Rows:
    rows = [[words(f"checklist.{item}"), ", ".join(_place(place, words) for place in places)] for item, places in checklist(study).items()]
    return [[words("asked"), words("where")], *rows]


def _place(place: str, words: Words) -> str:
    """A reference to a numbered thing, or why there is none."""
    kind, dash, _ = place.partition("-")
    return words(f"reference.{kind}", thing=place) if dash else words(f"checklist.{place}")


def _durations(study: Study, words: Words) -> Rows:
    seconds = study.provenance["seconds"]
    return [[words("stage"), words("time")],
            *[[words(f"stage_{stage}"), words.duration(seconds[stage])] for stage in STAGES if stage in seconds]]


TABLES: dict[str, Callable[[Study, Words], Rows]] = {
    "tbl-data": _data,
    "tbl-hyperparameters": _hyperparameters,
    "tbl-thresholds": _thresholds,
    "tbl-metrics": _metrics,
    "tbl-calibration": _calibration,
    "tbl-auc": _auc,
    "tbl-differences": _differences,
    "tbl-localisation": _localisation,
    "tbl-resemblance": _resemblance,
    "tbl-agreement": _agreement,
    "tbl-faithfulness": _faithfulness,
    "tbl-shortcut": _shortcut,
    "tbl-checklist": _checklist,
    "tbl-times": _durations,
}


def to_markdown(rows: Rows) -> Text:
    """A pipe table: first row the header, first column and words to the left, numbers to the right."""
    left = [column == 0 or _is_text([row[column] for row in rows[1:]]) for column in range(len(rows[0]))]
    widths = [max(len(_shown(row[column])) for row in rows) + 2 for column in range(len(rows[0]))]
    table = environment(escape=False).get_template("tables/pipe.md.j2").render(header=rows[0], rows=rows[1:], widths=widths, left=left)
    return Text(table + "\n")


def _is_text(cells: list[str]) -> bool:
    """Whether a column holds words: cells without any digit, other than empty ones and the dash of a missing number."""
    return any(not any(letter.isdigit() for letter in cell) and cell not in ("", "–") for cell in cells)


def _shown(cell: str) -> str:
    """The longest line of a cell."""
    return max(cell.replace("]{.below}", "").split(" ["), key=len)
