"""Sentences that depend on results: a template per sentence and language, filled with stored numbers."""

import re

from jinja2 import TemplateNotFound

from report import source_study
from report.errors import MissingTranslation
from report.study import Study
from report.templating import TEMPLATES, environment
from report.text import Text
from report.words import Words

SIGNIFICANT = 0.05
BASELINE = "density"
NATURAL_ENDS = {"lr": (), "wd": (0.0,), "mp": (1.0,)}  # no weight decay, a learning rate that stays as it is


class Sentences:
    """`sentences.roc` is the sentence of `templates/sentences/<language>/roc.md.j2`, in one line of Markdown."""

    def __init__(self, study: Study, words: Words):
        self._context = {"s": study, "w": words, "source": source_study, **_helpers(study, words)}
        self._words = words

    def __getattr__(self, name: str) -> Text:
        if name.startswith("_"):
            raise AttributeError(name)
        path = f"sentences/{self._words.language}/{name}.md.j2"
        try:
            template = environment(escape=False).get_template(path)
        except TemplateNotFound:
            if not any(TEMPLATES.glob(f"sentences/*/{name}.md.j2")):
                raise AttributeError(name) from None
            raise MissingTranslation(name, self._words.language, TEMPLATES / path) from None
        return Text(re.sub(r"[ \t\n]+", " ", template.render(**self._context)).strip())  # keeps no-break spaces


def changes(command: str) -> str:
    """The options of a pipeline command that change its profile's settings; empty where there are none.

    >>> changes("python -m pipeline all --profile quick --seeds 3 --set patients=452 seed=7 --out artifacts/mine")
    '--seeds 3 --set patients=452 seed=7'
    """
    kept, keep = [], False
    for word in command.split():
        if word.startswith("--"):
            keep = word.split("=")[0] in ("--set", "--seeds", "--search", "--folds")
        kept += [word] if keep else []
    return " ".join(kept)


def _open_ends(values: list[float], natural: tuple[float, ...]) -> set[float]:
    """The lowest and the highest of the values, unless nothing can lie beyond.

    >>> _open_ends([1.0, 0.9, 0.8], (1.0,))
    {0.8}
    """
    return {min(values), max(values)} - set(natural)


def _helpers(study: Study, words: Words) -> dict[str, object]:
    """Selections that several sentences need; they order and filter stored values and compute no result."""

    def by_auc(models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -study.metrics(model)["auc"])

    def by_brier(models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: study.metrics(model)["brier"])

    def by_bias(models: list[str]) -> list[str]:
        """Models by how far their mean probability lies from the share of severe test patients, the furthest first."""
        return sorted(models, key=lambda model: -abs(study.metrics(model)["mean_probability"] - study.metrics(model)["prevalence"]))

    def by_mean_auc(models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -study.spread(model)["auc"]["mean"])

    def by_range(models: list[str]) -> list[str]:
        """Models by how far the AUCs of their runs lie apart, the widest first."""
        return sorted(models, key=lambda model: study.spread(model)["auc"]["low"] - study.spread(model)["auc"]["high"])

    def disagreements(model: str) -> list:
        """The coordinates at which loss and AUC would choose differently."""
        return [phase for phase in study.phases(model).values() if phase.chosen != phase.chosen_by_auc]

    def turned(row: dict) -> dict:
        """The same difference the other way round."""
        ends = {end: None if row[other] is None else -row[other] for end, other in (("low", "high"), ("high", "low"))}
        return row | {"first": row["second"], "second": row["first"], "difference": -row["difference"], **ends}

    def between(first: str, second: str, rows: list[dict] | None = None) -> dict:
        """The stored difference of two compared models, turned so that it is first minus second.

        rows: the differences over all folds; those of the test set where not given.
        """
        row = next(row for row in rows or study.differences if {row["first"], row["second"]} == {first, second})
        return row if row["first"] == first else turned(row)

    def most_tested(first: str, second: str) -> tuple[dict, bool]:
        """The same on the most patients there are, and whether these are all folds and not the test set."""
        over_folds = study.folds["differences"] if study.folds else []
        folds = bool(over_folds) and over_folds[0]["p"] is not None
        return between(first, second, over_folds if folds else None), folds

    def at_edges() -> dict[str, dict[str, float]]:
        """The tuned models whose chosen values lie at an end of their grid, beyond which others could be tried."""
        found = {model: {name: study.chosen(model)[name] for name, natural in NATURAL_ENDS.items()
                         if study.chosen(model)[name] in _open_ends(study.grid(model)[name], natural)} for model in study.tuned}
        return {model: values for model, values in found.items() if values}

    def significant(row: dict) -> bool:
        return row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT

    def told_apart(rows: list[dict] | None = None) -> list[dict]:
        """The pairs of compared models whose AUCs differ after the correction for all pairs, the better model first.

        rows: the differences over all folds; those of the test set where not given.
        """
        return [row if row["difference"] > 0 else turned(row) for row in (study.differences if rows is None else rows)
                if significant(row) and row["second"] != BASELINE]

    def over_oracle() -> list[str]:
        """The models whose mean AUC of the folds is above that of the true involvement, the highest first."""
        return [model for model in by_folds(study.models) if study.over_folds(model)["auc"] > study.over_folds("oracle")["auc"]]

    def lowest_first(name: str) -> bool:
        """Whether a model or baseline has its lowest AUC in the first fold, the study's own test set."""
        found = study.over_folds(name)["by_fold"]
        return found[0] == min(found) < max(found)

    def by_folds(models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -study.over_folds(model)["auc"])

    def by_elsewhere(models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -study.elsewhere(model)["auc"])

    def by_change(models: list[str]) -> list[str]:
        """Models by the change of their AUC on patients from elsewhere, the one that falls furthest first."""
        return sorted(models, key=lambda model: study.elsewhere(model)["change"]["difference"])

    def changed(models: list[str]) -> list[str]:
        """The compared models whose change is significant after the correction for their number."""
        return [model for model in models if significant(study.elsewhere(model)["change"])]

    def out_of_place(models: list[str]) -> list[str]:
        """The models whose threshold by G-mean gives a lower G-mean elsewhere, so that the two intervals do not meet."""
        return [model for model in models
                if study.elsewhere(model)["intervals"]["gmean"]["gmean"]["high"] < study.intervals(model)["gmean"]["gmean"]["low"]]

    def above_density() -> list[str]:
        """The compared models whose AUC lies above that of the mean lung density after the same correction."""
        against = {model: between(model, BASELINE) for model in study.compared}
        return [model for model, row in against.items() if significant(row) and row["difference"] > 0]

    def below_half() -> int:
        """How many of the compared models' validation thresholds lie below 0.5."""
        return sum(row["threshold"] < 0.5 for model in study.compared
                   for (_, chosen_on), row in study.thresholds(model).items() if chosen_on == "validation")

    def fewest_missed(criterion: str) -> list[str]:
        missed = {model: study.confusion(model)[criterion]["fn"] for model in study.compared}
        return [model for model in study.compared if missed[model] == min(missed.values())]

    def flattered() -> list[str]:
        """The compared models whose validation AUC is above their test AUC, the furthest first."""
        above = {model: study.metrics(model)["validation_auc"] - study.metrics(model)["auc"] for model in study.compared}
        return sorted((model for model in above if above[model] > 0), key=lambda model: -above[model])

    def loss_at(model: str, place: str) -> float:
        """Validation loss of the trial at the `chosen` combination or at the one `by_coordinates`."""
        search = study.search(model)
        return next(trial["val_loss"] for trial in search["trials"] if {k: trial[k] for k in search[place]} == search[place])

    def ends(found: dict[str, float]) -> str:
        """An interval in a sentence: `0.71 to 0.95`."""
        return words("from_to", low=words.decimal(found["low"], 2), high=words.decimal(found["high"], 2))

    def percents(found: dict[str, float]) -> str:
        """The same of a share in percent: `71 to 95 %`."""
        return words("from_to", low=words.decimal(100 * found["low"], 0), high=words.percent(found["high"]))

    pairs = len(study.compared) * (len(study.compared) - 1) // 2
    searches = {model: study.search(model) for model in study.tuned}
    missed = [model for model, search in searches.items() if search["chosen"] != search["by_coordinates"]]
    grids = [study.grid(model) for model in study.tuned]

    return {"changes": changes(study.provenance["command"]), "loss_at": loss_at, "missed": missed,
            "found": [model for model in study.tuned if model not in missed],
            "trials_in_all": sum(len(search["trials"]) for search in searches.values()),
            "combinations": sum(len(grid["lr"]) * len(grid["wd"]) * len(grid["mp"]) for grid in grids),
            "by_auc": by_auc, "by_brier": by_brier, "by_bias": by_bias, "by_mean_auc": by_mean_auc, "by_range": by_range,
            "by_elsewhere": by_elsewhere, "by_change": by_change, "changed": changed, "out_of_place": out_of_place,
            "by_folds": by_folds, "over_oracle": over_oracle, "lowest_first": lowest_first,
            "fitting_folds": max(round(1 / study.settings["split"][2]), 3),
            "disagreements": disagreements,
            "between": between, "most_tested": most_tested, "significant": significant, "at_edges": at_edges, "ends": ends,
            "percents": percents, "told_apart": told_apart, "above_density": above_density, "below_half": below_half,
            "fewest_missed": fewest_missed, "flattered": flattered, "pairs": pairs}
