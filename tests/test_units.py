"""What a changed setting, or a changed input, makes stale: that much and no more."""

from dataclasses import fields, replace

import pytest

from pipeline.errors import DamagedArtifact
from pipeline.layout import CONV_MODELS, MODELS, TUNED_MODELS, Layout
from pipeline.ledger import Ledger, Record, code_digest, manifest_rows
from pipeline.settings import Settings, load_settings
from pipeline.units import all_units, unit_digest


def of(stage: str, models=MODELS) -> set[str]:
    return {f"{stage}/{model}" for model in models}


TUNE, TRAIN = of("tune", TUNED_MODELS), of("train")
AGAIN = {"evaluate/control", "evaluate/running_statistics"}  # trained once more, as long as a trial
ONCE_MORE = {"evaluate/learning_curve", "explain/shortcut"}  # trained like the final ones
LEARN = TUNE | TRAIN | AGAIN | ONCE_MORE
MEASURE = of("evaluate") | {"evaluate/comparison", "evaluate/external", "explain/without_lesions"}
SMALL, LARGE = ("DNN1", "DNN2", "CNN1", "CNN2"), ("ResNet18_nowig", "ResNet18", "ResNet18og")
IMAGES = {"data", "data/external"}


def stale(settings: Settings, *changes: str, ledger: Ledger) -> set[str]:
    """The units of both studies whose own digest changes, their inputs staying as they are."""
    after, before = load_settings("tiny", list(changes)), {unit.name: unit for unit in all_units(settings)}
    return {unit.name for unit in all_units(after) if unit.name in before
            and unit_digest(before[unit.name], after, ledger) != unit_digest(before[unit.name], settings, ledger)}


CHANGES = {
    "seed=5": LEARN | IMAGES | {"pretrain", "evaluate/external", "evaluate/decisions"},
    "patients=30": {"data"}, "split=0.4,0.3,0.3": {"data"},
    "image_size=160": IMAGES, "slices=11": IMAGES, "window=-900,300": IMAGES,
    "weights=auto": {"pretrain"}, "pretrain_images=50": {"pretrain"}, "pretrain_classes=3": {"pretrain"}, "pretrain_size=33": {"pretrain"},
    "pretrain_epochs=2": {"pretrain"},
    "external=synthetic": {"data/external"}, "external_patients=13": {"data/external"},
    "batch_size=6": LEARN, "monitor_slices=3": LEARN, "epochs_tuning=2": TUNE | AGAIN,
    "last_epochs=2": TUNE, "search=grid": TUNE, "CNN2.mp=1,0.8": {"tune/CNN2"}, "ResNet18.lr=1e-3": {"tune/ResNet18"},
    "epochs_small=3": of("train", SMALL) | ONCE_MORE, "epochs_resnet=3": of("train", LARGE) | ONCE_MORE,
    "learning_curve=2": {"evaluate/learning_curve"}, "shortcut=false": {"explain/shortcut"},
    "controls=1": {"evaluate/control"}, "draws=300": {"evaluate/external", "evaluate/decisions"},
    "fast=false": LEARN | MEASURE | {"pretrain"},
    "seeds=2": TUNE | TRAIN | MEASURE | {"evaluate/learning_curve"} | of("explain", CONV_MODELS) | {"explain/examples", "explain/patients"},
    "folds=3": {"data", "evaluate/decisions"},  # of several folds follows the split
}


@pytest.fixture
def ledger(tiny) -> Ledger:
    return Ledger(Layout(tiny / "study"))


@pytest.mark.parametrize("change", CHANGES)
def test_a_setting_makes_stale_what_reads_it_and_nothing_else(change, ledger):
    assert stale(load_settings("tiny"), change, ledger=ledger) == CHANGES[change]


def test_every_setting_makes_something_stale():
    tried = {"grid" if "." in change.split("=")[0] else change.split("=")[0] for change in CHANGES}
    apart = {"profile", "nested", "source", "source_path", "external_path"}  # a name; and what other tests change
    assert tried | apart == {field.name for field in fields(Settings)}


@pytest.mark.parametrize("change", ["CNN1.lr=1e-2", "epochs_tuning=2", "last_epochs=2", "search=grid", "seed=5", "batch_size=6",
                                    "monitor_slices=3", "epochs_small=3", "epochs_resnet=3", "fast=false", "nested=false"])
def test_nested_folds_search_for_themselves_and_others_do_not(change, ledger):
    nested, single = load_settings("tiny", ["folds=3", "nested=true"]), load_settings("tiny", ["folds=3"])
    folds = next(unit for unit in all_units(nested) if unit.name == "evaluate/folds")
    searched = change.startswith(("CNN1.lr", "epochs_tuning", "last_epochs", "search"))
    for settings, stays in ((nested, False), (single, searched or change == "nested=false")):
        words = ["folds=3", *(["nested=true"] if settings.nested else []), change]
        assert (unit_digest(folds, load_settings("tiny", words), ledger) == unit_digest(folds, settings, ledger)) == stays


def test_every_unit_comes_after_its_inputs_and_reads_what_it_works_on():
    units = all_units(load_settings("tiny", ["folds=3"]))
    names = [unit.name for unit in units]
    assert all(names.index(name) < names.index(unit.name) for unit in units for name in unit.inputs)
    inputs = {unit.name: set(unit.inputs) for unit in units}
    assert {name for name, read in inputs.items() if "pretrain" in read} == {
        "tune/ResNet18", "train/ResNet18", "train/ResNet18og", "evaluate/learning_curve", "explain/shortcut", "evaluate/folds"}
    assert inputs["train/ResNet18og"] == {"data", "pretrain", "tune/ResNet18"} and inputs["train/CNN1"] == {"data", "tune/CNN1"}
    assert inputs["evaluate/CNN1"] == {"data", "train/CNN1"} and inputs["explain/CNN1"] == {"data", "train/CNN1", "evaluate/CNN1"}
    assert "evaluate/folds" in inputs["evaluate/decisions"]
    alone = {unit.name: set(unit.inputs) for unit in all_units(load_settings("tiny", ["folds=1", "external=none"]))}
    assert set(inputs) - set(alone) == {"evaluate/folds", "data/external", "evaluate/external"}
    assert "evaluate/folds" not in alone["evaluate/decisions"]


def test_another_content_of_an_input_makes_stale_and_another_time_does_not(ledger, monkeypatch):
    settings = load_settings("tiny")
    unit = next(unit for unit in all_units(settings) if unit.name == "train/CNN1")
    before, find = unit_digest(unit, settings, ledger), Ledger.find

    def changed(**values):
        monkeypatch.setattr(Ledger, "find", lambda self, name: replace(find(self, name), **(values if name == "tune/CNN1" else {})))
        return unit_digest(unit, settings, ledger)

    assert changed(seconds=99.0) == before and changed(digest="other") == before
    assert changed(files={"tuning/CNN1.csv": {"sha256": "0", "bytes": 1}}) not in (before, None)
    monkeypatch.setattr(Ledger, "find", lambda self, name: None)
    assert unit_digest(unit, settings, ledger) is None


def test_another_source_makes_the_data_stale(ledger):
    settings = load_settings("tiny")
    units = all_units(settings)
    assert [unit.name for unit in units
            if unit_digest(unit, replace(settings, source="stoic"), ledger) != unit_digest(unit, settings, ledger)] == ["data"]


def test_weights_from_a_file_are_read_again_when_it_changes(ledger, tmp_path):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"1")
    settings = load_settings("tiny", [f"weights={weights}"])
    units = {unit.name: unit for unit in all_units(settings)}
    before = {name: unit_digest(units[name], settings, ledger) for name in ("pretrain", "data")}
    weights.write_bytes(b"22")
    after = {name: unit_digest(units[name], settings, ledger) for name in ("pretrain", "data")}
    assert after["pretrain"] != before["pretrain"] and after["data"] == before["data"]


def test_the_digest_of_code_is_that_of_names_and_texts(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.ledger.__file__", str(tmp_path / "ledger.py"))
    (tmp_path / "part").mkdir()
    first, second = tmp_path / "part" / "a.py", tmp_path / "part" / "b.py"
    first.write_bytes(b"x = 1\n")
    second.write_bytes(b"y = 2\n")
    before = code_digest(["part"])
    first.write_bytes(b"x = 1\r\n")
    assert code_digest(["part"]) == before  # a line ends as the system likes
    first.write_bytes(b"x = 2\n")
    assert code_digest(["part"]) != before and code_digest(["part/b.py"]) != before
    first.write_bytes(b"y = 2\n")
    second.write_bytes(b"x = 1\n")
    assert code_digest(["part"]) != before  # the same texts under other names


def test_a_record_is_found_again_and_a_damaged_one_is_none(tmp_path):
    ledger, path = Ledger(Layout(tmp_path)), tmp_path / "tuning" / "CNN1.csv"
    path.parent.mkdir()
    path.write_text("ab")
    ledger.write("tune/CNN1", "d", 1.239, [path])
    found = ledger.find("tune/CNN1")
    assert (found.digest, found.seconds, list(found.files), found.files["tuning/CNN1.csv"]["bytes"]) == ("d", 1.24, ["tuning/CNN1.csv"], 2)
    assert ledger.missing_files(found) == [] and ledger.find("tune/CNN2") is None
    ledger.verify(found, "tune")
    for other in ("ba", "abc"):
        path.write_text(other)
        with pytest.raises(DamagedArtifact, match=r"CNN1\.csv"):
            ledger.verify(found, "tune")
    path.unlink()
    assert ledger.missing_files(found) == ["tuning/CNN1.csv"]
    (tmp_path / ".records" / "tune-CNN1.json").write_text("{")
    assert ledger.find("tune/CNN1") is None


def test_the_manifest_names_every_file_with_its_stage_in_the_order_of_paths():
    record = lambda path: Record("d", 1.0, {path: {"sha256": path, "bytes": 1}})  # noqa: E731
    rows = manifest_rows({"tune/CNN1": record("tuning/b"), "data": record("data/z"), "train/CNN1": record("models/a")})
    assert rows == [{"path": path, "sha256": path, "stage": stage} for path, stage in (
        ("data/z", "data"), ("models/a", "train"), ("tuning/b", "tune"))]
