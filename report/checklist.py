"""What checklists for studies with AI in medical imaging ask for, and where this study says it.

After CLAIM (Tejani et al. 2024) and TRIPOD+AI (Collins et al. 2024), shortened to what a study of stored images can answer.
"""

from report.study import Study

MISSING = "missing"
ANSWERS = {
    "purpose": ("sec-intro",),
    "source": ("sec-data",),
    "demographics": ("tbl-data",),
    "preparation": ("sec-data",),
    "reference": ("sec-data",),
    "size": (MISSING,),
    "partition": ("tbl-data",),
    "architecture": ("sec-training", "tbl-auc"),
    "initial": ("sec-resnet",),
    "hyperparameters": ("tbl-hyperparameters", "sec-grid"),
    "selection": ("fig-best-auc", "fig-resnets"),
    "metrics": ("tbl-thresholds", "tbl-metrics"),
    "uncertainty": ("tbl-auc", "tbl-differences", "tbl-metrics", "fig-folds"),
    "calibration": ("fig-calibration", "tbl-calibration"),
    "utility": ("sec-limitations",),
    "subgroups": (MISSING,),
    "control": ("sec-control",),
    "explanations": ("sec-saliency", "tbl-localisation", "tbl-resemblance"),
    "failures": ("fig-confusion", "fig-involvement", "fig-sal-resnetog-wrong", "fig-sal-cnn-wrong"),
    "external": (MISSING,),
    "limitations": ("sec-limitations",),
    "software": ("sec-reproduction", "tbl-times"),
    "access": ("sec-reproduction",),
    "registration": (MISSING,),
}


def checklist(study: Study) -> dict[str, tuple[str, ...]]:
    """By item the ids of the sections, figures and tables that answer it, or MISSING."""
    known = study.cohort["test"]
    unknown = {"demographics": (MISSING,)} if known["age_mean"] is None and known["women"] is None else {}
    looked = {"subgroups": ("sec-comparison",)} if study.groups else {}
    sizes = (*(["fig-learning"] if study.learning_curve else []), *(["tbl-differences"] if study.sizes_known else []))
    looked |= {"size": sizes} if sizes else {}
    looked |= {"explanations": (*ANSWERS["explanations"], *(["tbl-agreement"] if study.agreement else []), "tbl-faithfulness",
                                *(["fig-extent"] if study.extents else []), *(["tbl-shortcut"] if study.shortcut else []))}
    return ANSWERS | unknown | looked | ({"external": ("sec-external", "fig-folds", "tbl-metrics")} if study.external else {})
