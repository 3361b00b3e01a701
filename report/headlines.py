"""All headline numbers of a study in one machine-readable object, `study.json`."""

from report.study import Study


def headlines(study: Study) -> dict:
    """What was run, with what, and what came out, at full precision."""
    provenance, settings = study.provenance, study.settings
    return {
        "profile": settings["profile"],
        "synthetic": study.synthetic,
        "source": study.dataset["source"],
        "image_size": settings["image_size"],
        "slices_per_patient": settings["slices"],
        "runs": study.runs,
        "patients": study.dataset["counts"],
        "cohort": study.cohort,
        "pretrained_weights": study.pretraining["kind"],
        **{key: provenance[key] for key in ("device", "date", "commit", "command", "seed", "seconds", "versions")},
        "manifest_sha256": study.digest,
        "compared": study.compared,
        "best_dnn": study.best_dnn,
        "best_cnn": study.best_cnn,
        "baselines": study.comparison["baselines"],
        "no_skill": study.no_skill,
        "single_slices": study.single_slices,
        "without_images": study.without_images,
        "differences": study.differences,
        "differences_of_runs": study.differences_of_runs,
        "sample_sizes": study.sample_sizes,
        "against_oracle": study.against_oracle,
        "cross_validation": study.folds and {
            **study.folds, "metrics_intervals": {model: study.intervals(model, "folds") for model in study.models}},
        "external_test": study.external,
        "control": study.control,
        "learning_curve": study.learning_curve,
        "running_statistics": study.running_statistics,
        "involvement": study.involvement,
        "subgroups": study.subgroups,
        "extents": study.extents,
        "agreement": study.agreement,
        "without_lesions": study.without_lesions,
        "shortcut": study.shortcut,
        "models": {model: _model(study, model) for model in study.models},
    }


def _model(study: Study, model: str) -> dict:
    described, metrics = study.model(model), study.metrics(model)
    return {
        "hyperparameters": described["hyperparameters"],
        "parameters": described["parameters"],
        "best_epoch": described["best_epoch"],
        **{key: metrics[key] for key in ("auc", "auc_low", "auc_high", "brier", "mean_probability", "loss", "validation_auc",
                                         "validation_loss")},
        "thresholds": {criterion: study.thresholds(model)[criterion, "validation"]["threshold"] for criterion in ("f1", "gmean")},
        "confusion": {criterion: {key: count for key, count in counts.items() if key != "threshold"}
                      for criterion, counts in study.confusion(model).items()},
        "calibration": study.recalibration(model),
        "metrics": metrics["at"],
        "metrics_intervals": study.intervals(model),
        "filter_shapes": study.filter_shapes(model) if model in study.convolutional else None,
        "localisation": study.localisation(model) if model in study.convolutional else None,
        "resemblance": study.resemblance(model) if model in study.convolutional else None,
        "faithfulness": study.faithfulness(model) if model in study.convolutional else None,
        "spread_over_runs": study.spread(model),
    }
