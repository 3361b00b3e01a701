"""What sentences ask of a study: its models in some order, those of a kind, differences turned the right way round.

It orders and filters stored values and computes no result.
"""

import shlex
from collections.abc import Callable
from math import inf, isclose

from pipeline.layout import SUBGROUPS
from report.study import EXTENTS, Study

SIGNIFICANT = 0.05
CHANCE = 0.5  # the AUC of a coin
BASELINE = "density"
FEWEST_MISTAKES = 5  # of a kind, from which its mean says something
FAR_ABOVE = 1.5  # a loss is, of another
HARDLY_BELOW = 0.99  # a loss is, of another
ALIKE, HARDLY_ALIKE = 0.5, 0.3  # of rank correlations: from the one two networks agree well, below the other they hardly do
NATURAL_ENDS = {"lr": (), "wd": (0.0,), "mp": (1.0,)}  # no weight decay, a learning rate that stays as it is


class Selections:
    """The selections of one study; templates may use every public method and property."""

    def __init__(self, study: Study):
        self.study = study

    def names(self) -> dict[str, object]:
        """All of them by name."""
        return {name: getattr(self, name) for name in vars(type(self)) if not name.startswith("_") and name != "names"}

    @property
    def changes(self) -> str:
        """The options that change the study's profile."""
        return changes(self.study.provenance["command"])

    @property
    def pairs(self) -> int:
        """How many pairs the compared models make."""
        return len(self.study.compared) * (len(self.study.compared) - 1) // 2

    @property
    def missed(self) -> list[str]:
        """The tuned models of which the search along coordinates missed the grid's best combination."""
        searches = {model: self.study.search(model) for model in self.study.tuned}
        return [model for model, search in searches.items() if search["chosen"] != search["by_coordinates"]]

    @property
    def found(self) -> list[str]:
        """Those of which it found it."""
        return [model for model in self.study.tuned if model not in self.missed]

    @property
    def trials_in_all(self) -> int:
        return sum(len(self.study.search(model)["trials"]) for model in self.study.tuned)

    @property
    def combinations(self) -> int:
        """How many combinations the grids of all models hold."""
        grids = [self.study.grid(model) for model in self.study.tuned]
        return sum(len(grid["lr"]) * len(grid["wd"]) * len(grid["mp"]) for grid in grids)

    @property
    def fitting_folds(self) -> int:
        """The number of folds that goes with the study's split."""
        return max(round(1 / self.study.settings["split"][2]), 3)

    def by_auc(self, models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -self.study.metrics(model)["auc"])

    def level_with(self, model: str) -> list[str]:
        """The other compared models that have the same AUC on the test set, as few patients easily give."""
        return self._level(model, self.study.metrics)

    def level_over_folds(self, model: str) -> list[str]:
        return self._level(model, self.study.over_folds)

    def level_elsewhere(self, model: str) -> list[str]:
        return self._level(model, self.study.elsewhere)

    def _level(self, model: str, found: Callable[[str], dict]) -> list[str]:
        """found: by model where its `auc` is."""
        return [other for other in self.study.compared if other != model and isclose(found(other)["auc"], found(model)["auc"])]

    def by_validation(self, models: list[str]) -> list[str]:
        """Models by their validation loss, the mean of the runs where there are several; a diverged one last."""
        losses = {model: self.study.validation_loss(model) for model in models}
        return sorted(models, key=lambda model: (losses[model] is None, losses[model]))

    def by_brier(self, models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: self.study.metrics(model)["brier"])

    def without_skill(self, models: list[str]) -> list[str]:
        """Those whose Brier score is no better than giving everybody the share of severe patients; none where that is not known."""
        reference = self.study.no_skill
        return [model for model in models if reference and self.study.metrics(model)["brier"] >= reference["brier"]]

    def unlearned(self, models: list[str]) -> list[str]:
        """Those whose validation loss is no lower than that of giving everybody the share of severe patients, or diverged."""
        return [model for model in models if self._loss_beside_no_skill(model) >= 1]

    def hardly_learned(self, models: list[str]) -> list[str]:
        """Those whose validation loss is lower than that, but hardly."""
        return [model for model in models if HARDLY_BELOW < self._loss_beside_no_skill(model) < 1]

    def _loss_beside_no_skill(self, model: str) -> float:
        """A validation loss as a multiple of that of no skill; infinite where it diverged."""
        loss = self.study.validation_loss(model)
        return inf if loss is None else loss / self.study.no_skill["validation_loss"]

    def by_bias(self, models: list[str]) -> list[str]:
        """Models by how far their mean probability lies from the share of severe test patients, the furthest first."""
        bias = {model: found["mean_probability"] - found["prevalence"] for model in models for found in [self.study.metrics(model)]}
        return sorted(models, key=lambda model: -abs(bias[model]))

    @property
    def slopes(self) -> dict[str, dict]:
        """The slopes of the compared models' calibration, as far as they are known."""
        found = {model: self.study.recalibration(model) for model in self.study.compared}
        return {model: one["slope"] for model, one in found.items() if one and one["slope"]}

    def too_extreme(self) -> list[str]:
        """The models whose slope lies below 1 with its whole interval, but for those that rank the patients the wrong way round."""
        return [model for model, slope in self.slopes.items() if 0 <= slope["high"] < 1]

    def too_timid(self) -> list[str]:
        """The models whose slope lies above 1 with its whole interval."""
        return [model for model, slope in self.slopes.items() if slope["low"] > 1]

    def falling_slopes(self) -> list[str]:
        """The models whose slope lies below 0 with its whole interval: the higher the probability, the fewer are severe."""
        return [model for model, slope in self.slopes.items() if slope["high"] < 0]

    def not_mended(self) -> list[str]:
        """Those of which the validation patients gave no calibration."""
        return [model for model in self.slopes if model not in self.recalibrated()]

    def recalibrated(self) -> dict[str, float]:
        """By compared model how far its Brier score on the test set falls when calibrated on the validation patients, below 0 where it
        rises, the largest change first; without those of which these patients give no calibration."""
        found = {model: (self.study.recalibration(model) or {}).get("recalibrated") for model in self.study.compared}
        falls = {model: self.study.metrics(model)["brier"] - one["brier"] for model, one in found.items() if one}
        return {model: falls[model] for model in sorted(falls, key=lambda model: -abs(falls[model]))}

    def better_recalibrated(self) -> list[str]:
        """Those whose Brier score falls."""
        falls = self.recalibrated()
        return [model for model in self.study.compared if falls.get(model, 0) > 0]

    def wrong_against_extent(self, found: dict) -> bool:
        """Whether missed severe patients are less diseased than found ones, and false alarms more than the other mild ones, and there are
        enough of both to say so.

        found: a model's `involvement`.
        """
        missed, alarms = found["fn"], found["fp"]
        if min(missed["patients"], alarms["patients"]) < FEWEST_MISTAKES or not (found["tp"]["patients"] and found["tn"]["patients"]):
            return False
        return missed["share"] < found["tp"]["share"] and alarms["share"] > found["tn"]["share"]

    def statistics_lag(self) -> dict | None:
        """Of the trial in which statistics were renewed: `model`, the `epoch` of its highest validation loss, by kind of loss its `low`est
        and `high`est value, and whether that loss rises, and for the greater part, by their lag (`mostly_lag`): far above all with
        statistics renewed, which themselves rise less than half as much. None where it diverged, or where none was looked at."""
        rows = self.study.running_statistics["epochs"] if self.study.running_statistics else []
        if not rows or any(None in row.values() for row in rows):
            return None
        ranges = {name: {"low": min(row[name] for row in rows), "high": max(row[name] for row in rows)} for name in ("val_loss", "renewed")}
        top, low, high = ranges["val_loss"]["high"], *ranges["renewed"].values()
        return {"model": self.study.running_statistics["model"], "epoch": max(rows, key=lambda row: row["val_loss"])["epoch"], **ranges,
                "mostly_lag": top > FAR_ABOVE * high and high - low < (top - low) / 2}

    @property
    def first_layers(self) -> dict[str, dict]:
        """The shapes of the filters of the networks whose filters stand beside each other, the pretrained one first; empty in a study made
        before these were measured."""
        found = {model: self.study.filter_shapes(model) for model in ("ResNet18og", "ResNet18_nowig")}
        return {model: shapes for model, shapes in found.items() if shapes}

    def ordered(self) -> list[str]:
        """Those of which more filters are like Gabor functions than chance gives."""
        return [model for model, shapes in self.first_layers.items() if shapes["p"] < SIGNIFICANT]

    def by_mean_auc(self, models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -self.study.spread(model)["auc"]["mean"])

    def by_range(self, models: list[str]) -> list[str]:
        """Models by how far the AUCs of their runs lie apart, the widest first."""
        return sorted(models, key=lambda model: self.study.spread(model)["auc"]["low"] - self.study.spread(model)["auc"]["high"])

    def disagreements(self, model: str) -> list[dict]:
        """The coordinates at which the AUC would have chosen `by_auc` instead of what was `chosen`: of a full grid between all its
        combinations, else in each phase of the search."""
        if self.study.full_grid:
            search = self.study.search(model)
            best = _highest_auc(search)
            pairs = {name: (value, best[name]) for name, value in search["chosen"].items()}
        else:
            pairs = {name: (phase.chosen, phase.chosen_by_auc) for name, phase in self.study.phases(model).items()}
        return [{"coordinate": name, "chosen": chosen, "by_auc": by_auc} for name, (chosen, by_auc) in pairs.items() if chosen != by_auc]

    def opposite(self, row: dict) -> dict:
        """The same difference with its sign turned round."""
        ends = {end: None if row[other] is None else -row[other] for end, other in (("low", "high"), ("high", "low"))}
        return row | {"difference": -row["difference"], **ends}

    def turned(self, row: dict) -> dict:
        """The same difference the other way round."""
        return self.opposite(row) | {"first": row["second"], "second": row["first"]}

    def points(self, row: dict) -> dict:
        """The same difference of shares in percentage points."""
        return row | {name: None if row[name] is None else 100 * row[name] for name in ("difference", "low", "high")}

    def between(self, first: str, second: str, rows: list[dict] | None = None) -> dict:
        """The stored difference of two compared models, turned so that it is first minus second.

        rows: the differences over all folds; those of the test set where not given.
        """
        row = next(row for row in rows or self.study.differences if {row["first"], row["second"]} == {first, second})
        return row if row["first"] == first else self.turned(row)

    def most_tested(self, first: str, second: str) -> tuple[dict, bool]:
        """The same on the most patients there are, and whether these are all folds and not the test set."""
        over_folds = self.study.folds["differences"] if self.study.folds else []
        folds = bool(over_folds) and over_folds[0]["p"] is not None
        return self.between(first, second, over_folds if folds else None), folds

    def at_edges(self) -> dict[str, dict[str, float]]:
        """The tuned models whose chosen values lie at an end of their grid, beyond which others could be tried."""
        found = {model: self._at_edge(model) for model in self.study.tuned}
        return {model: values for model, values in found.items() if values}

    def _at_edge(self, model: str) -> dict[str, float]:
        chosen, grid = self.study.chosen(model), self.study.grid(model)
        return {name: chosen[name] for name, natural in NATURAL_ENDS.items() if chosen[name] in _open_ends(grid[name], natural)}

    def significant(self, row: dict) -> bool:
        return row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT

    def significantly_above(self, row: dict) -> bool:
        """Whether the first of a difference lies above the second, and not by chance."""
        return self.significant(row) and row["difference"] > 0

    def significantly_below(self, row: dict) -> bool:
        return self.significant(row) and row["difference"] < 0

    def told_apart(self, rows: list[dict] | None = None) -> list[dict]:
        """The pairs of compared models whose AUCs differ after the correction for all pairs, the better model first.

        rows: the differences over all folds; those of the test set where not given.
        """
        return [row if row["difference"] > 0 else self.turned(row) for row in (self.study.differences if rows is None else rows)
                if self.significant(row) and row["second"] != BASELINE]

    def sizes_needed(self) -> list[dict]:
        """The pairs of compared models with the test patients that they need, `patients`, `low` and `high`, those with the fewest first."""
        found = self.study.sample_sizes
        rows = [row | needed for row, needed in zip(self.study.differences, found["needed"], strict=True)
                if needed and row["second"] != BASELINE] if found else []
        return sorted(rows, key=lambda row: row["patients"])

    def over_runs(self, first: str, second: str) -> dict | None:
        """The `low`est and `high`est difference of two compared models over the runs, first minus second; None for a single run."""
        if not self.study.differences_of_runs:
            return None
        rows = [row | runs for row, runs in zip(self.study.differences, self.study.differences_of_runs, strict=True)]
        found = self.between(first, second, rows)
        return {"low": found["low"], "high": found["high"]}

    def turning(self, rows: list[dict]) -> list[dict]:
        """Those of the pairs told apart on the test set that another run orders the other way round."""
        ranges = [(row, self.over_runs(row["first"], row["second"])) for row in rows]
        return [row for row, found in ranges if found and found["low"] < 0]

    def better_by_the_mean(self) -> list[str]:
        """The compared models that the mean of a patient's slices ranks significantly better than a single one does."""
        return [model for model in self.study.compared if self.significantly_above(self.study.single_slices[model])]

    def _rises(self) -> dict[str, dict]:
        """By model of the learning curve, the rise to all training patients; without those that are not known."""
        return {model: found["rise"] for model, found in (self.study.learning_curve or {}).items() if found["rise"]}

    def learning_tested(self) -> bool:
        """Whether there are enough test patients to tell a rise from chance."""
        return any(rise["p_holm"] is not None for rise in self._rises().values())

    def still_rising(self) -> list[str]:
        """The models that all training patients have taught significantly more than every draw of the share before."""
        return [model for model, rise in self._telling_rises().items() if self.significantly_above(rise)]

    def falling(self) -> list[str]:
        """Those that they have taught significantly less than every draw."""
        return [model for model, rise in self._telling_rises().items() if self.significantly_below(rise)]

    def _telling_rises(self) -> dict[str, dict]:
        """The rises, or falls, that every draw shows, but for those of the untaught."""
        untaught = self.untaught()
        return {model: rise for model, rise in self._rises().items() if rise["every"] and model not in untaught}

    def untaught(self) -> list[str]:
        """Those of a learning curve that rank the test patients no better than a coin even after all training patients."""
        reached = {model: found["points"][-1]["auc"] for model, found in (self.study.learning_curve or {}).items()}
        return [model for model, auc in reached.items() if auc is not None and auc <= CHANCE]

    @property
    def known_groups(self) -> dict[str, dict]:
        """The subgroups of the test patients, the sexes first; none in a study made before they were looked at."""
        found = self.study.groups
        return {name: found[name] for pair in SUBGROUPS for name in pair if name in found}

    def between_groups(self, model: str) -> list[dict]:
        """How far a model's AUC differs within each pair of subgroups, `first` minus `second`."""
        return [{**row, **row["models"][model]} for row in self.study.differences_of_groups]

    def apart_groups(self, model: str) -> list[dict]:
        """Those differences that are significant."""
        return [row for row in self.between_groups(model) if self.significant(row)]

    def beyond_contrast(self, kind: str) -> list[str]:
        """The networks whose map of this kind marks what moves the logit further, with its whole interval, than where slices vary most."""
        found = {model: self.study.faithfulness(model)["contrast"][kind] for model in self.study.convolutional}
        return [model for model, one in found.items() if one["low"] is not None and one["low"] > 1]

    def no_further_than_chance(self, kind: str) -> list[str]:
        """The networks whose map of this kind does not mark, with its whole interval, what moves the logit further than chance."""
        found = {model: self.study.faithfulness(model)["chance"][kind] for model in self.study.convolutional}
        return [model for model, one in found.items() if one["low"] is not None and one["low"] <= 1]

    def by_agreement(self) -> list[dict]:
        """The pairs of compared models whose maps could be compared, those that agree most first."""
        return sorted((pair for pair in self.study.agreement["pairs"] if pair["mean"] is not None), key=lambda pair: -pair["mean"])

    def by_agreement_of_scores(self) -> list[dict]:
        """The pairs of which that of the probabilities is known, those that agree most first."""
        return sorted((pair for pair in self.study.agreement["pairs"] if pair["scores"] is not None), key=lambda pair: -pair["scores"])

    def alike_by_scores_alone(self) -> list[dict]:
        """The pairs whose probabilities agree well and whose maps hardly do."""
        known = [pair for pair in self.by_agreement() if pair["scores"] is not None]
        return [pair for pair in known if pair["scores"] >= ALIKE and pair["mean"] < HARDLY_ALIKE]

    @property
    def alike(self) -> float:
        return ALIKE

    @property
    def hardly_alike(self) -> float:
        return HARDLY_ALIKE

    @property
    def looked_into(self) -> tuple[str, str]:
        """The two networks whose saliency is shown."""
        return "ResNet18og", self.study.best_cnn

    def extents_tested(self) -> bool:
        """Whether there are enough patients to tell any width of maps from another."""
        found = self.study.extents
        return any(one["p_holm"] is not None for one in (*found["networks"].values(), *self._of_mild().values()))

    def wider_on_mild(self) -> list[tuple[str, str]]:
        """The kinds of map, each with its network, that are significantly wider for mild patients than for severe ones."""
        return [asked for asked, found in self._of_mild().items() if self.significantly_above(found)]

    def narrower_on_mild(self) -> list[tuple[str, str]]:
        return [asked for asked, found in self._of_mild().items() if self.significantly_below(found)]

    def wider_cnn(self) -> list[str]:
        """The kinds of map that are significantly wider for the better CNN than for ResNet18og on the same slices."""
        return [kind for kind, found in self.study.extents["networks"].items() if self.significantly_above(found)]

    def narrower_cnn(self) -> list[str]:
        return [kind for kind, found in self.study.extents["networks"].items() if self.significantly_below(found)]

    def _of_mild(self) -> dict[tuple[str, str], dict]:
        found = self.study.extents["mild"]
        return {(kind, model): found[model][kind] for kind in EXTENTS for model in self.looked_into}

    def shortcut_tested(self) -> bool:
        """Whether there are enough test patients to tell from chance what marks on the mild ones change."""
        return any(found["difference"]["p_holm"] is not None for found in self.study.shortcuts.values())

    def misled(self) -> list[str]:
        """Those that rank significantly worse than the study's own network where the mild patients carry the marks."""
        return [model for model, found in self.study.shortcuts.items()
                if self.significantly_below(found["difference"])]

    def rewarded(self) -> list[str]:
        """Those of the misled whose AUC is higher where the severe patients carry the marks than where nobody does."""
        aucs = {model: self.study.shortcuts[model]["learned"]["auc"] for model in self.misled()}
        return [model for model, auc in aucs.items() if auc["severe"]["auc"] > auc["nobody"]["auc"]]

    def taking_marks_for_disease(self) -> list[str]:
        """The study's own networks, which have met no mark, that rank better where the severe carry them and worse where the mild do."""
        own = {model: found["own"]["auc"] for model, found in self.study.shortcuts.items()}
        return [model for model, found in own.items() if found["severe"]["auc"] > found["nobody"]["auc"] > found["mild"]["auc"]]

    def pointing_at_marks(self, kind: str) -> list[str]:
        """The networks whose map of this kind points at marks significantly more often once they have learned from them."""
        return [model for model, found in self.study.shortcuts.items()
                if self.significant(found["pointing"][kind]) and _points(found, "learned", kind) > _points(found, "own", kind)]

    def resting_on_lesions(self) -> list[str]:
        """The models whose AUC falls without the lesions, significantly below that with as much healthy lung filled in."""
        found = self.study.without_lesions["differences"]
        return [model for model in self.study.models if self.significantly_above(found[model])]

    def above_chance(self, found: dict) -> bool:
        """Whether an AUC lies above chance with its whole interval, which begins at `auc_low`."""
        return found["auc_low"] > CHANCE

    def reversed(self, models: list[str]) -> list[str]:
        """Those that rank the test patients the wrong way round: chance lies above the whole interval."""
        return [model for model in models if self.study.metrics(model)["auc_high"] < CHANCE]

    def reversed_elsewhere(self, models: list[str]) -> list[str]:
        """The same of the patients from elsewhere."""
        return [model for model in models if self.study.elsewhere(model)["auc_high"] < CHANCE]

    @staticmethod
    def doubted_by(baselines: dict[str, dict]) -> str | None:
        """The baseline by which labels look swapped: the more diseased (`involvement`) or, where that is not known, the denser lungs
        (`density`) are mild beyond chance. None where it is not so, and where the labels are made by formula.

        baselines: by name, of one set of patients, `auc_high` among other things.
        """
        name = "involvement" if "involvement" in baselines else "density"
        return name if "oracle" not in baselines and baselines[name]["auc_high"] < CHANCE else None

    def like_a_coin(self, models: list[str]) -> list[str]:
        """Those of which the test patients do not show that they do better than chance."""
        return [model for model in models if not self.above_chance(self.study.metrics(model))]

    def better_than_a_coin(self) -> list[str]:
        """The compared models whose AUC lies above chance with its whole interval, on the test set or over all folds."""
        tests = [self.study.metrics, *([self.study.over_folds] if self.study.folds else [])]
        return [model for model in self.study.compared if any(self.above_chance(test(model)) for test in tests)]

    def ranking_without_lesions(self) -> list[str]:
        """The models that rank the patients better than chance even without their lesions."""
        found = self.study.without_lesions["models"]
        return [model for model in self.study.models if self.above_chance(found[model]["lesions"])]

    def filled_range(self, filled: str) -> dict[str, float]:
        """The `low`est and `high`est AUC of all models with `lesions` or `healthy` lung filled in."""
        aucs = [found[filled]["auc"] for found in self.study.without_lesions["models"].values()]
        return {"low": min(aucs), "high": max(aucs)}

    def against_oracle(self, model: str) -> dict | None:
        """How far a compared model's AUC lies above the oracle's on the test set; None where that has no interval."""
        rows = [row for row in self.study.against_oracle or () if row["first"] == model and row["low"] is not None]
        return rows[0] if rows else None

    def beyond_oracle(self) -> list[str]:
        """The compared models that lie significantly above the oracle; where no difference has an interval, those whose own lies above
        the oracle's."""
        rows = {model: self.against_oracle(model) for model in self.study.compared}
        if all(rows.values()):
            return [model for model, row in rows.items() if self.significantly_above(row)]
        highest = self.study.comparison["baselines"]["oracle"]["auc_high"]
        return [model for model in self.study.compared if self.study.metrics(model)["auc_low"] > highest]

    def over_oracle(self) -> list[str]:
        """The models whose mean AUC of the folds is above that of the true involvement, the highest first."""
        highest = self.study.over_folds("oracle")["auc"]
        return [model for model in self.by_folds(self.study.models) if self.study.over_folds(model)["auc"] > highest]

    def lowest_first(self, name: str) -> bool:
        """Whether a model or baseline has its lowest AUC in the first fold, the study's own test set."""
        found = self.study.over_folds(name)["by_fold"]
        return found[0] == min(found) < max(found)

    def same_as_study(self, model: str) -> int:
        """In how many of the other folds a nested search chose the hyperparameters that the study's own search did."""
        first, *others = self.study.folds["chosen"][model]
        return sum(values == first for values in others)

    def by_folds(self, models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -self.study.over_folds(model)["auc"])

    def by_elsewhere(self, models: list[str]) -> list[str]:
        return sorted(models, key=lambda model: -self.study.elsewhere(model)["auc"])

    def by_change(self, models: list[str]) -> list[str]:
        """Models by the change of their AUC on patients from elsewhere, the one that falls furthest first."""
        return sorted(models, key=lambda model: self.study.elsewhere(model)["change"]["difference"])

    def changed(self, models: list[str]) -> list[str]:
        """The compared models whose change is significant after the correction for their number."""
        return [model for model in models if self.significant(self.study.elsewhere(model)["change"])]

    def out_of_place(self, models: list[str]) -> list[str]:
        """The models whose threshold by G-mean gives a significantly lower G-mean elsewhere, after the correction for their number; in a
        study made before that was tested, those of which the two intervals do not meet."""
        shifts = {model: self.study.elsewhere(model).get("shift") for model in models}
        if all(shifts.values()):
            return [model for model in models if self.significantly_below(shifts[model])]
        there = {model: self.study.elsewhere(model)["intervals"]["gmean"]["gmean"] for model in models}
        return [model for model in models if there[model]["high"] < self.study.intervals(model)["gmean"]["gmean"]["low"]]

    def above_density(self) -> list[str]:
        """The compared models whose AUC lies above that of the mean lung density after the same correction."""
        against = {model: self.between(model, BASELINE) for model in self.study.compared}
        return [model for model, row in against.items() if self.significantly_above(row)]

    def below_half(self) -> int:
        """How many of the compared models' validation thresholds lie below 0.5."""
        return sum(row["threshold"] < 0.5 for model in self.study.compared
                   for (_, chosen_on), row in self.study.thresholds(model).items() if chosen_on == "validation")

    def fewest_missed(self, criterion: str) -> list[str]:
        missed = {model: self.study.confusion(model)[criterion]["fn"] for model in self.study.compared}
        return [model for model in self.study.compared if missed[model] == min(missed.values())]

    def flattered(self) -> list[str]:
        """The compared models whose validation AUC is above their test AUC, the furthest first."""
        above = {model: self.study.metrics(model)["validation_auc"] - self.study.metrics(model)["auc"] for model in self.study.compared}
        return sorted((model for model in above if above[model] > 0), key=lambda model: -above[model])

    def trial_at(self, model: str, place: str) -> dict:
        """The trial at the `chosen` combination or at the one `by_coordinates`: its `val_loss`, and of several runs also their range,
        `val_loss_low` and `val_loss_high`."""
        search = self.study.search(model)
        return next(trial for trial in search["trials"] if {k: trial[k] for k in search[place]} == search[place])


def changes(command: str) -> str:
    """The options of a pipeline command that change its profile's settings; empty where there are none.

    >>> changes("python -m pipeline all --profile quick --seeds 3 --set patients=452 seed=7 --out artifacts/mine")
    '--seeds 3 --set patients=452 seed=7'
    >>> changes("python -m pipeline all --set 'source_path=my scans' --quiet")
    "--set 'source_path=my scans'"
    """
    kept, keep = [], False
    for word in shlex.split(command):
        if word.startswith("--"):
            keep = word.split("=")[0] in ("--set", "--seeds", "--search", "--folds")
        kept += [word] if keep else []
    return shlex.join(kept)


def _points(shortcut: dict, network: str, kind: str) -> float:
    """The share of slices whose map of this kind is highest in the mark."""
    return shortcut[network]["maps"][kind]["pointing"]


def _highest_auc(search: dict) -> dict:
    """The trial with the highest AUC, the chosen one where it is level with the highest."""
    known = [trial for trial in search["trials"] if trial["val_auc"] is not None]
    return max(known, key=lambda trial: (trial["val_auc"], trial.items() >= search["chosen"].items()), default=search["chosen"])


def _open_ends(values: list[float], natural: tuple[float, ...]) -> set[float]:
    """The lowest and the highest of the values, unless nothing can lie beyond.

    >>> _open_ends([1.0, 0.9, 0.8], (1.0,))
    {0.8}
    """
    return {min(values), max(values)} - set(natural)
