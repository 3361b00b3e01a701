"""The test on patients from elsewhere: who they may be, what follows from their scores, and how the pages tell it."""

import json
from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.data.dataset import load_dataset
from pipeline.data.external import external_settings, make_external
from pipeline.data.synthetic.scanner import LOW_DOSE, scan_patient
from pipeline.data.synthetic.severity import draw_cohort
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.decisions import counts_of, metric_intervals
from pipeline.evaluation.differences import holm, independent_difference, unpaired_difference
from pipeline.evaluation.external import write_external
from pipeline.evaluation.metrics import metrics_of
from pipeline.evaluation.thresholds import CRITERIA
from pipeline.layout import MODELS, Layout
from pipeline.ledger import Ledger
from pipeline.progress import Progress
from pipeline.settings import load_settings
from pipeline.units import all_units, unit_digest
from report.behind import file_text
from report.checklist import checklist
from report.figures.folds import draw_folds
from report.headlines import headlines
from report.selections import Selections
from report.sentences import Sentences
from report.tables import TABLES
from report.words import Words

EN, SL = Words("en"), Words("sl")


def test_the_change_of_an_auc_by_hand():
    before, after = {"auc": 0.8, "auc_low": 0.7, "auc_high": 0.83}, {"auc": 0.6, "auc_low": 0.56, "auc_high": 0.8}
    found = unpaired_difference(after, minus=before)
    assert found["difference"] == pytest.approx(-0.2)
    # Down to the lower end of the second and the upper end of the first, up to the others; both are right-angled triangles.
    assert found["low"] == pytest.approx(-0.2 - 0.05)  # 0.04 and 0.03
    assert found["high"] == pytest.approx(-0.2 + (0.2**2 + 0.1**2) ** 0.5)
    assert found["p"] == pytest.approx(0.0796, abs=5e-5)  # 1.753 errors away from 0
    back = unpaired_difference(before, minus=after)
    assert (back["low"], back["high"], back["p"]) == pytest.approx((-found["high"], -found["low"], found["p"]))


@pytest.mark.parametrize(("patients", "true"), [(10, 0.75), (40, 0.75), (40, 0.95)])
def test_about_nineteen_of_twenty_intervals_hold_a_change_of_nothing(patients, true):
    random, labels = np.random.default_rng(2), np.repeat([0, 1], patients)
    apart = NormalDist().inv_cdf(true) * 2**0.5
    found = [unpaired_difference(*(auc_with_interval(labels, random.normal(apart * labels, 1)) for _ in range(2))) for _ in range(400)]
    held = np.mean([one["low"] <= 0 <= one["high"] for one in found])
    assert 0.92 < held < 0.995
    assert all((one["p"] < 0.05) == (not one["low"] <= 0 <= one["high"]) for one in found)


def test_less_dose_is_more_noise_and_less_detail_over_the_same_patient():
    cohort = draw_cohort(12, 4)
    standard, low = (scan_patient(3, cohort, 128, 4, *more) for more in ([], [LOW_DOSE]))
    np.testing.assert_array_equal(standard.lung_mask, low.lung_mask)
    difference = [np.diff(scan.volume[:, :8, :8], axis=2) for scan in (standard, low)]  # air in a corner: nothing but noise
    assert difference[1].std() > 1.5 * difference[0].std()


def files(folder, labels, slices):
    folder.mkdir()
    (folder / "labels.csv").write_text("id,label\n" + "".join(f"x{index},{label}\n" for index, label in enumerate(labels)))
    for index, stack in enumerate(slices):
        np.save(folder / f"x{index}.npy", stack)
    return folder


def made(tiny, folder, tmp_path):
    """The external data of the tiny study from a folder, written beside nothing of its own."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "data").symlink_to(tiny / "study" / "data")
    settings = load_settings("tiny", ["external=slices", f"external_path={folder}"])
    return make_external(settings, Layout(tmp_path / "study"), Engine(0), Progress(quiet=True))


def test_patients_from_a_folder_are_all_of_one_split(tiny, tmp_path, rng):
    paths = made(tiny, files(tmp_path / "others", [0, 1, 1], rng.random((3, 10, 128, 128))), tmp_path)
    assert {path.name for path in paths} == {"patients.csv", "slices.npy", "dataset.json"}
    dataset = load_dataset(Layout(tmp_path / "study").elsewhere)
    assert dataset.splits.tolist() == ["external"] * 3 and dataset.labels.tolist() == [0, 1, 1]
    assert json.loads(paths[-1].read_text())["counts"] == {"external": {"mild": 1, "severe": 2}}


def test_a_patient_of_the_study_is_refused(tiny, tmp_path, rng):
    own = np.load(tiny / "study" / "data" / "slices.npy", mmap_mode="r")
    slices = rng.random((3, 10, 128, 128))
    slices[2, 4] = own[7, 3]
    with pytest.raises(UserError, match="patient x2 of the external data shares an identical slice with a patient of the study"):
        made(tiny, files(tmp_path / "others", [0, 1, 1], slices), tmp_path)
    assert not (tmp_path / "study" / "external" / "data" / "slices.npy").exists()


def test_a_class_must_not_be_missing(tiny, tmp_path, rng):
    with pytest.raises(UserError, match="the external data hold no patient with label 1; add some, or leave the test out"):
        made(tiny, files(tmp_path / "others", [0, 0, 0], rng.random((3, 10, 128, 128))), tmp_path)


def test_they_are_prepared_like_the_others_and_drawn_with_another_seed():
    settings = load_settings("tiny")
    theirs = external_settings(settings)
    assert theirs.seed != settings.seed and (theirs.source, theirs.patients) == ("synthetic-low-dose", settings.external_patients)
    assert (theirs.window, theirs.slices, theirs.image_size) == (settings.window, settings.slices, settings.image_size)


def test_the_stored_decisions_are_those_of_the_study_s_own_thresholds(study):
    assert set(study.external["models"]) == set(MODELS)
    for model in MODELS:
        there = study.elsewhere(model)
        for criterion in CRITERIA:
            assert there["confusion"][criterion]["threshold"] == study.confusion(model)[criterion]["threshold"]
            counts = counts_of(there["confusion"][criterion])
            assert (counts.tn + counts.fp, counts.fn + counts.tp) == (study.external["mild"], study.external["severe"]) == (5, 5)
            assert there["intervals"][criterion] == metric_intervals(counts, study.settings["draws"], study.settings["seed"])
        ends = [(metrics["gmean"], intervals["low"], intervals["high"]) for metrics, intervals in (
            (there["at"]["gmean"], there["intervals"]["gmean"]["gmean"]),
            (metrics_of(counts_of(study.confusion(model)["gmean"])), study.intervals(model)["gmean"]["gmean"]))]
        assert {name: there["shift"][name] for name in ("difference", "low", "high", "p")} == independent_difference(ends[0], minus=ends[1])
    shifts = [study.elsewhere(model)["shift"] for model in study.compared]
    assert [shift["p_holm"] for shift in shifts] == holm([shift["p"] for shift in shifts])


def test_right_and_swapped_scores_give_what_they_must(tiny, study, tmp_path):
    root = tmp_path / "study"
    root.mkdir()
    for name in ("data", "external"):
        (root / name).symlink_to(tiny / "study" / name)
    (root / "evaluation").mkdir()
    for path in (tiny / "study" / "evaluation").iterdir():
        if "external" not in path.name:
            (root / "evaluation" / path.name).symlink_to(path)
    labels = load_dataset(Layout(root).elsewhere).labels
    right = np.tile(labels[:, None].astype(float), 10)
    by_model = {model: [right, 1 - right] for model in MODELS}
    write_external(load_settings("tiny", ["seeds=2"]), Layout(root), by_model)
    found = json.loads(Layout(root).external("json").read_text())
    for model in MODELS:
        there = found["models"][model]
        assert (there["auc"], there["brier"], there["mean_probability"]) == (1.0, 0.0, 0.5)
        assert there["runs"] == {"mean": 0.5, "low": 0.0, "high": 1.0}
        assert there["at"]["gmean"]["gmean"] == 1.0  # every threshold lies above 0 and at most at 1
        assert there["best"]["f1"] == {"threshold": 1.0, "value": 1.0}
        assert there["change"]["difference"] == pytest.approx(1 - study.metrics(model)["auc"])
    density = found["baselines"]["density"]
    slices = np.load(root / "external" / "data" / "slices.npy").astype(np.float64)
    means = [stack[stack > 0].mean() for stack in slices]
    assert density["auc"] == pytest.approx(roc_auc_score(labels, means))


def test_another_external_source_leaves_all_but_the_test_on_it_as_it_was(tiny):
    before, after = load_settings("tiny"), load_settings("tiny", ["external_patients=20"])
    ledger = Ledger(Layout(tiny / "study"))
    stale = [unit.name for unit in all_units(after) if unit_digest(unit, after, ledger) != unit_digest(unit, before, ledger)]
    assert stale == ["data/external"]
    without = {unit.name for unit in all_units(load_settings("tiny", ["external=none"]))}
    assert {unit.name for unit in all_units(before)} - without == {"data/external", "evaluate/external"}


@pytest.fixture
def elsewhere(study, monkeypatch):
    """The tiny study as if 60 other patients had been tested: the first compared model lost its threshold, all else is as it was."""
    unsure = {"difference": 0.0625, "low": -0.125, "high": 0.25, "p": 0.5, "p_holm": 1.0}
    near = {"recall": 0.75, "specificity": 0.5, "precision": 0.5, "f1": 0.5, "gmean": 0.5}
    ends = {name: {"low": 0.25, "high": 0.875} for name in near}
    one = {"auc": 0.875, "auc_low": 0.75, "auc_high": 0.9375, "runs": None, "brier": 0.25, "mean_probability": 0.5, "change": unsure,
           "at": {"f1": near, "gmean": near}, "intervals": {"f1": ends, "gmean": ends},
           "best": {"gmean": {"threshold": 0.9375, "value": 0.75}}}
    first = study.compared[0]
    models = dict.fromkeys(study.models, one) | {first: one | {
        "auc": 0.75, "mean_probability": 0.8125,
        "change": {"difference": -0.125, "low": -0.25, "high": -0.0625, "p": 0.001, "p_holm": 0.005},
        "at": {"f1": near, "gmean": near | {"recall": 1.0, "specificity": 0.0625, "gmean": 0.25}},
        "intervals": {"f1": ends, "gmean": ends | {"gmean": {"low": 0.125, "high": 0.375}}}}}
    found = {"source": "synthetic-low-dose", "mild": 30, "severe": 30, "models": models,
             "baselines": {"density": {name: one[name] for name in ("auc", "auc_low", "auc_high", "change")}}}
    monkeypatch.setitem(study.__dict__, "external", found)
    here = dict.fromkeys(near, {"low": 0.5, "high": 0.875})
    monkeypatch.setattr(study, "intervals", lambda model, tested="test": {"f1": here, "gmean": here})
    return study


def told(study, words: Words) -> str:
    """Both paragraphs on patients from elsewhere."""
    say = Sentences(study, words)
    return f"{say.external.markdown} {say.carried.markdown}".replace("\xa0", " ")


def test_the_sentences_tell_who_lost_what(elsewhere, monkeypatch):
    first, second = elsewhere.compared[:2]
    english, slovenian = (told(elsewhere, words) for words in (EN, SL))
    assert "Here they are 60 patients, 30 of them severe, made by formula as well, but scanned with less dose" in english
    assert "Bolnikov od drugod je tu 60, od tega 30 z resno okužbo; tudi ti so nastali po formulah, a pri manjšem odmerku" in slovenian
    level = EN.list(elsewhere.compared[2:]), SL.list(elsewhere.compared[2:])
    assert f"By AUC {second} (level with {level[0]}) comes first among the compared models there, with 0.875 (95 % interval" in english
    assert f"po AUC prvi {second} (enako tudi {level[1]}) z 0,875" in slovenian
    assert f"zadnji pa {first} z 0,750." in slovenian
    assert f"Against the test set {first} loses most: its AUC changes by −0.125 (95 % interval −0.250 to −0.062)." in english
    assert f"največ izgubi {first}: njegov AUC se spremeni za −0,125 (95-odstotni interval od −0,250 do −0,062)." in slovenian
    assert f"the change is significant at the 5 % level for {first}, and for no other compared model." in english
    assert f"sprememba statistično značilna na ravni 5 % pri modelu {first}, pri drugih primerjanih pa ni." in slovenian
    assert f"{first} recognises, among the patients from elsewhere, 100 % of the severe (25 to 88 %) and 6 % of the mild" in english
    assert "Its mean probability is 0.81 there" in english and "Povprečje njegovih verjetnosti je tam 0,81" in slovenian
    assert "themselves, 0.938, would give it a G-mean of 0.75 there instead of 0.25; that is optimistic" in english
    assert "izbran na teh bolnikih samih, 0,938, bi mu tam dal G-mean 0,75 namesto 0,25" in slovenian
    assert f"For {first} the G-mean there lies below that of the test set, beyond both intervals" in english
    monkeypatch.setattr(elsewhere, "metrics", lambda model: {"auc": 0.9 if model == first else 0.8, "auc_low": 0.7, "auc_high": 1.0})
    assert f"On 60 patients from elsewhere {first} reaches 0.750 (0.750 to 0.938), and its threshold by G-mean does not hold there." in (
        Sentences(elsewhere, EN).abstract.markdown)
    assert f"Na bolnikih od drugod (60) {first} doseže 0,750 (od 0,750 do 0,938), njegov prag po G-mean pa tam ne velja." in (
        Sentences(elsewhere, SL).abstract.markdown)


def test_the_conclusion_names_who_needs_a_new_threshold(elsewhere):
    first = elsewhere.compared[0]
    assert f"On patients from elsewhere {first} needs a new threshold." in Sentences(elsewhere, EN).conclusion.markdown
    assert f"Na bolnikih od drugod nov prag potrebuje {first}." in Sentences(elsewhere, SL).conclusion.markdown


def test_an_order_that_is_turned_round_is_not_put_down_to_the_threshold(elsewhere):
    first, second = elsewhere.compared[:2]
    elsewhere.external["models"][first] |= {"auc": 0.25, "auc_low": 0.125, "auc_high": 0.375}
    english, slovenian = (told(elsewhere, words) for words in (EN, SL))
    assert f" {first} ranks these patients the wrong way round, with the whole interval below 0.5." in english
    assert f" {first} razvršča te bolnike v obratnem vrstnem redu: ves interval je pod 0,5." in slovenian
    assert english.endswith("; where the order is the wrong way round, no other threshold mends that.")
    assert slovenian.endswith("; kjer je vrstni red obrnjen, ga ne popravi noben drug prag.")
    assert f"On patients from elsewhere {first} ranks the wrong way round." in Sentences(elsewhere, EN).conclusion.markdown
    assert f"Na bolnikih od drugod {first} razvršča v obratnem vrstnem redu." in Sentences(elsewhere, SL).conclusion.markdown
    elsewhere.external["models"][second] = elsewhere.elsewhere(first) | {"auc_high": 0.875}
    english, slovenian = (told(elsewhere, words) for words in (EN, SL))
    assert english.endswith(f"the images changes, but no threshold mends the order of {first}, which is the wrong way round.")
    assert slovenian.endswith(f"izbrati znova, obrnjenega vrstnega reda pri modelu {first} pa ne popravi noben prag.")
    assert f"{first} ranks the wrong way round, and {second} needs a new threshold." in Sentences(elsewhere, EN).conclusion.markdown
    assert f"v obratnem vrstnem redu, nov prag pa potrebuje {second}." in Sentences(elsewhere, SL).conclusion.markdown
    elsewhere.external["models"] |= dict.fromkeys(elsewhere.compared, elsewhere.elsewhere(first))
    english, slovenian = (told(elsewhere, words) for words in (EN, SL))
    assert "All of them rank these patients the wrong way round" in english and "Vsi razvrščajo te bolnike" in slovenian


def test_an_abstract_says_that_the_best_ranks_others_the_wrong_way_round(elsewhere, monkeypatch):
    first = elsewhere.compared[0]
    elsewhere.external["models"][first] |= {"auc": 0.25, "auc_low": 0.125, "auc_high": 0.375}
    monkeypatch.setattr(elsewhere, "metrics", lambda model: {"auc": 0.9 if model == first else 0.8, "auc_low": 0.7, "auc_high": 1.0})
    assert "reaches 0.250 (0.125 to 0.375), the wrong way round." in Sentences(elsewhere, EN).abstract.markdown
    assert "doseže 0,250 (od 0,125 do 0,375), v obratnem vrstnem redu." in Sentences(elsewhere, SL).abstract.markdown


@pytest.mark.parametrize(("involvement", "density", "english", "slovenian"), [
    (0.375, 0.375, "The mild have the larger diseased shares: so it would look if their labels were swapped (0 is mild, 1 severe).",
     "Večji oboleli delež pljuč imajo blago oboleli: tako bi bilo videti, če bi bile njihove oznake zamenjane (0 je blaga, 1 resna"),
    (None, 0.375, "The mild have the denser lungs, though disease makes lungs dense: so it would look",
     "Gostejša pljuča, čeprav jih zgosti bolezen, imajo blago oboleli: tako bi bilo videti"),
    (0.5, 0.375, None, None),  # the masks know better
    (None, 0.5, None, None),
])
def test_labels_that_look_swapped_are_told(elsewhere, monkeypatch, involvement, density, english, slovenian):
    highs = {"density": density} | ({} if involvement is None else {"involvement": involvement})
    baselines = {name: {"auc": high - 0.25, "auc_low": high - 0.375, "auc_high": high} for name, high in highs.items()}
    monkeypatch.setitem(elsewhere.external, "baselines", baselines)
    monkeypatch.setitem(elsewhere.comparison, "baselines", baselines)
    for words, expected in ((EN, english), (SL, slovenian)):
        say = Sentences(elsewhere, words)
        for text in (say.oracle.markdown, say.external.markdown):
            assert (expected in text) if expected else ("swapped" not in text and "zamenjane" not in text)


def test_labels_made_by_formula_are_not_doubted():
    low = {"auc": 0.25, "auc_low": 0.125, "auc_high": 0.375}
    assert Selections.doubted_by({"oracle": low, "density": low}) is None


def test_the_sentences_tell_where_nobody_lost_anything(elsewhere):
    kept = elsewhere.elsewhere(elsewhere.compared[1])
    elsewhere.external["models"][elsewhere.compared[0]] = kept
    english, slovenian = (told(elsewhere, words) for words in (EN, SL))
    assert "0.750 to 0.938). Against" in english and "zadnji" not in slovenian  # all are level, so none is last
    assert "none loses, and" in english and "ne izgubi noben, najmanj pa pridobi" in slovenian
    assert "no compared model's change is significant" in english and "ni statistično značilna sprememba nobenega" in slovenian
    assert "For no compared model does the G-mean fall beyond both intervals" in english
    assert "no threshold was shown to be out of place" in Sentences(elsewhere, EN).conclusion.markdown


@pytest.mark.parametrize(("difference", "p_holm", "lost"), [(-0.25, 0.04, True), (-0.25, 0.06, False), (0.25, 0.04, False)])
def test_a_threshold_is_out_of_place_where_its_g_mean_falls_significantly(elsewhere, difference, p_holm, lost):
    first = elsewhere.compared[0]
    none = {"difference": 0.0, "low": -0.125, "high": 0.125, "p": 1.0, "p_holm": 1.0}
    shift = {"difference": difference, "low": difference - 0.125, "high": difference + 0.125, "p": 0.01, "p_holm": p_holm}
    models = elsewhere.external["models"]
    models.update({model: found | {"shift": shift if model == first else none} for model, found in models.items()})
    assert Selections(elsewhere).out_of_place(elsewhere.compared) == [first] * lost
    english, slovenian = (told(elsewhere, words) for words in (EN, SL))
    assert (f"significantly lower, at the 5 % level, for {first}; such a threshold" in english) == lost
    assert (f"značilno manjši na ravni 5 % pri modelu {first}; tak prag" in slovenian) == lost
    assert ("no compared model's G-mean is significantly lower there" in english) == (not lost)
    assert ("pri nobenem od primerjanih modelov; da bi pragovi" in slovenian) == (not lost)
    if lost:
        assert "Its G-mean there minus that on the test set is −0.250 (95 % interval −0.375 to −0.125)." in english
        assert "Razlika med njegovim G-mean tam in na testni množici je −0,250 (95-odstotni interval od −0,375 do −0,125)." in slovenian
    assert "beyond both intervals" not in english and "dopuščata oba intervala" not in slovenian


def test_other_sources_are_told_as_such(study, monkeypatch):
    monkeypatch.setitem(study.__dict__, "external", study.external | {"source": "volumes"})
    assert "of the source `volumes`" in Sentences(study, EN).external.markdown
    assert "iz vira `volumes`" in Sentences(study, SL).external.markdown
    monkeypatch.setitem(study.__dict__, "external", study.external | {"source": "synthetic"})
    assert "made by formula as well, with the same scanner" in Sentences(study, EN).external.markdown
    monkeypatch.setitem(study.dataset, "source", "slices")  # nothing of own patients was made by formula, and their scanner is another
    assert "severe, made by formula. By AUC" in Sentences(study, EN).external.markdown
    assert "; ti so nastali po formulah. Med" in Sentences(study, SL).external.markdown


def test_a_study_without_them_says_so(study, monkeypatch):
    assert checklist(study)["external"] == ("sec-external", "fig-folds", "tbl-metrics")
    monkeypatch.setitem(study.__dict__, "external", None)
    assert checklist(study)["external"] == ("missing",) and headlines(study)["external_test"] is None
    assert "was not tested on such patients" in told(study, EN) and "this study cannot tell" in told(study, EN)
    assert "na takih bolnikih ni preizkušena" in told(study, SL) and "ta študija ne pove" in told(study, SL)
    assert "elsewhere" not in file_text("tbl-auc", study) + file_text("fig-folds", study) + file_text("tbl-metrics", study)


def test_tables_and_data_hold_them(elsewhere):
    header, *rows = TABLES["tbl-auc"](elsewhere, SL)
    assert header[-1] == "AUC, drugod" and all(len(row) == len(header) for row in rows)
    assert rows[0][-1] == "0,875 [(0,750–0,938)]{.below}" and rows[-2][-1] == "–"  # no true involvement there
    metrics = TABLES["tbl-metrics"](elsewhere, EN)
    assert [row[0] for row in metrics if row[0].startswith("*")][2:] == ["*F1 threshold, elsewhere*", "*G-mean threshold, elsewhere*"]
    assert metrics[-5][:3] == [elsewhere.compared[0], "1.00 [(0.25–0.88)]{.below}", "0.06 [(0.25–0.88)]{.below}"]
    assert "elsewhere_auc,elsewhere_auc_low,elsewhere_auc_high,elsewhere_change_difference" in file_text("tbl-auc", elsewhere)
    assert f"{elsewhere.compared[1]},elsewhere,0.875,0.75,0.9375" in file_text("fig-folds", elsewhere)


def test_the_figure_draws_a_square_for_them_below_the_test_set(elsewhere):
    (axes,) = draw_folds(elsewhere, EN).axes
    squares = [line for line in axes.lines if line.get_marker() == "s"]
    assert [float(line.get_xdata()[0]) for line in squares] == [elsewhere.elsewhere(model)["auc"] for model in elsewhere.models] + [0.875]
    circles = [line for line in axes.lines if line.get_marker() == "o"]
    assert all(0 < square.get_ydata()[0] - circle.get_ydata()[0] < 0.5 for square, circle in zip(squares[:7], circles[:7], strict=True))
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()] == ["test set", "patients from elsewhere"]
