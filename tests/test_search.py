"""The coordinate search on histories written by hand."""

import pytest

from pipeline.settings import Grid
from pipeline.training.loop import Hyperparameters
from pipeline.training.search import Search, mean_of_last

GRID = Grid(lr=(1e-2, 1e-3), wd=(0.0, 1e-4), mp=(1.0, 0.9))


def history(loss, auc=0.5):
    return [{"val_loss": 9.0, "val_auc": 0.1}, {"val_loss": loss, "val_auc": auc}, {"val_loss": loss, "val_auc": auc}]


def run(results):
    """Search with the loss and AUC that `results` gives for each candidate; return the search and what it tried."""
    search, tried = Search(GRID, last_epochs=2), []
    for coordinate in ("lr", "wd", "mp"):
        for candidate in search.missing(coordinate):
            tried.append(candidate)
            search.trials[candidate] = history(*results(candidate))
        search.settle(coordinate)
    return search, tried


def test_each_coordinate_is_searched_at_the_best_values_so_far():
    search, tried = run(lambda c: (abs(c.lr - 1e-3) * 100 + (c.wd == 0.0) + (c.mp == 1.0), 0.5))
    assert tried == [Hyperparameters(1e-2, 0.0, 1.0), Hyperparameters(1e-3, 0.0, 1.0), Hyperparameters(1e-3, 1e-4, 1.0),
                     Hyperparameters(1e-3, 1e-4, 0.9)]
    assert search.chosen == {"lr": 1e-3, "wd": 1e-4, "mp": 0.9}


def test_a_trial_shared_by_two_phases_is_run_once_and_shown_in_both():
    search, tried = run(lambda c: (c.lr, 0.5))
    assert len(tried) == 4
    assert [phase["trials"] for phase in search.phases] == [[1, 2], [2, 3], [2, 4]]


def test_disagreement_of_loss_and_auc_is_kept():
    search, _ = run(lambda c: (1.0, 0.9) if c.lr == 1e-2 else (0.5, 0.6))
    assert search.phases[0]["chosen"] == 1e-3
    assert search.phases[0]["chosen_by_auc"] == 1e-2
    assert search.phases[1]["chosen"] == search.phases[1]["chosen_by_auc"]  # equal AUCs are no disagreement


def test_a_diverged_trial_is_never_chosen():
    search, _ = run(lambda c: (float("nan"), float("nan")) if c.lr == 1e-2 else (3.0, 0.4))
    assert search.chosen["lr"] == 1e-3


def test_mean_of_the_last_epochs():
    assert mean_of_last(history(2.0, 0.7), 2) == {"val_loss": 2.0, "val_auc": 0.7}
    assert mean_of_last(history(2.0)[:1], 5)["val_loss"] == 9.0


def test_the_best_trial_so_far_is_one_that_was_run():
    search = Search(GRID, last_epochs=2)
    for coordinate in ("lr", "wd", "mp"):
        for candidate in search.missing(coordinate):
            search.trials[candidate] = history(candidate.lr + candidate.wd)
        search.settle(coordinate)
        assert search.best() in search.trials


def interacting(candidate):
    """The best combination lies where no single coordinate leads."""
    best = candidate == Hyperparameters(1e-2, 1e-4, 0.9)
    return (0.1 if best else 1.0 + (candidate.lr == 1e-2) + (candidate.wd > 0) + (candidate.mp < 1), 0.5)


def test_a_full_grid_finds_what_the_coordinates_miss_and_says_where_they_land():
    search = Search(GRID, last_epochs=2)
    assert len(search.combinations()) == len(set(search.combinations())) == 8
    for candidate in search.combinations():
        search.trials[candidate] = history(*interacting(candidate))
    for coordinate in ("lr", "wd", "mp"):
        assert search.missing(coordinate) == []
        search.settle(coordinate)
    search.conclude()
    assert search.by_coordinates == {"lr": 1e-3, "wd": 0.0, "mp": 1.0}
    assert search.chosen == {"lr": 1e-2, "wd": 1e-4, "mp": 0.9}
    assert search.best() == Hyperparameters(1e-2, 1e-4, 0.9)


@pytest.mark.parametrize(("kind", "tried", "chosen"), [
    ("coordinate", [2, 1, 1], {"lr": 1e-3, "wd": 0.0, "mp": 1.0}),
    ("grid", [8, 0, 0, 0], {"lr": 1e-2, "wd": 1e-4, "mp": 0.9}),
])
def test_a_whole_search_trains_what_each_phase_wants(kind, tried, chosen):
    search, wanted = Search(GRID, last_epochs=2), []

    def train(candidates):
        wanted.append(len(candidates))
        return [history(*interacting(candidate)) for candidate in candidates]

    assert search.run(kind, train) == Hyperparameters(**chosen)
    assert wanted == tried and search.chosen == chosen
    assert search.by_coordinates == {"lr": 1e-3, "wd": 0.0, "mp": 1.0}


def test_a_search_in_which_all_diverged_keeps_the_first_values_and_names_no_better_ones():
    search, _ = run(lambda candidate: (float("nan"), float("nan")))
    search.conclude()
    assert search.chosen == search.by_coordinates == {"lr": 1e-2, "wd": 0.0, "mp": 1.0}
    assert all(phase["chosen"] == phase["chosen_by_auc"] for phase in search.phases)


def test_a_coordinate_search_is_concluded_by_what_it_chose():
    search, tried = run(interacting)
    search.conclude()
    assert search.chosen == search.by_coordinates and len(search.scores()) == len(tried) == 4
