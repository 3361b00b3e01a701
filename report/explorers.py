"""The explorers of a page: sections that plain JavaScript fills from the study's stored numbers, without any server.

Everything they need but the pictures lies in the page itself, since a page opened from disk may read no other file.
"""

import json
import math

from matplotlib.colors import to_hex

from report.study import Study
from report.style import LEAST_LOSSES, MODEL_COLOURS, shades
from report.templating import TEMPLATES, environment
from report.text import Text
from report.words import Words

EXPLORERS = ("threshold", "patients", "tuning")
SCRIPTS = ("shared.js", *(f"{name}.js" for name in EXPLORERS), "previews.js", "page.js")
SHARED_WORDS = ("model", "epoch", "loss", "auc", "lr", "wd", "mp", "chosen", "mild", "severe", "fpr", "tpr", "threshold",
                "f1", "gmean", "specificity", "no_case")
FOLDER = TEMPLATES / "explorers"


def explorer(name: str, words: Words) -> Text:
    """The section of an explorer as raw HTML, which no other format shows."""
    section = environment(escape=True).get_template("explorers/section.html.j2").render(
        name=name, title=words(f"explorer.explore_{name}"), text=words(f"explorer.explore_{name}_text"),
        fallback=words(f"explorer.explore_{name}_fallback"))
    return raw_html(section)


def scripts(study: Study, words: Words) -> Text:
    """Style, data and code of the explorers, at the end of a page."""
    # A `<` of the data could end the script element; JSON has another way to write it.
    data = json.dumps(page_data(study, words), ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    style = (FOLDER / "explorers.css").read_text(encoding="utf-8")
    code = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return raw_html(f'<style>\n{style}</style>\n<script type="application/json" id="study-data">{data}</script>\n'
                    f"<script>\n(() => {{\n{code}\n}})();\n</script>")


def raw_html(text: str) -> Text:
    """HTML in Markdown. An empty line would end nothing here, but Quarto's own readers are safer without one."""
    body = "\n".join(line for line in text.splitlines() if line.strip())
    return Text(f"````{{=html}}\n{body}\n````")


def page_data(study: Study, words: Words) -> dict:
    """What the scripts read: scores, thresholds, curves and searches of the study, and words in the page's language."""
    first = study.scores(study.compared[0])
    return {
        "language": words.language,
        "words": {**{key: words(key) for key in SHARED_WORDS}, **words.group("explorer")},
        "compared": study.compared,
        "least_losses": LEAST_LOSSES,
        "lesions": "lesions" in study.browsed_patients(),
        "patients": [{"id": row["id"], "label": row["label"], "slices": len(row["slices"])} for row in first],
        "models": {model: _model(study, model) for model in study.compared},
        "searches": {model: _search(study, words, model) for model in study.tuned},
    }


def _model(study: Study, model: str) -> dict:
    rows, curve, thresholds = study.scores(model), study.roc(model), study.thresholds(model)
    return {
        "colour": MODEL_COLOURS[model],
        "auc": study.metrics(model)["auc"],
        "probabilities": [row["probability"] for row in rows],
        "slices": [[round(value, 4) for value in row["slices"]] for row in rows],
        "thresholds": {criterion: thresholds[criterion, "validation"]["threshold"] for criterion in ("f1", "gmean")},
        "roc": [[round(float(x), 5), round(float(y), 5)] for x, y in zip(curve["fpr"], curve["tpr"], strict=True)],
    }


def _search(study: Study, words: Words, model: str) -> dict:
    return {name: {"trials": [
        {"name": words.scientific(value), "chosen": value == phase.chosen, "colour": to_hex(colour),
         **{key: words.scientific(number) for key, number in trial.values.items()},
         "epochs": [int(epoch) for epoch in trial.epochs], "auc": _known(trial.auc), "loss": _known(trial.loss),
         **{f"{name}_range": [_known(end) for end in ends] for name, ends in trial.ranges.items()}}
        for value, trial, colour in zip(phase.values, phase.trials, shades(len(phase.values)), strict=True)]}
        for name, phase in study.phases(model).items()}


def _known(values) -> list[float | None]:
    """Numbers with five digits behind the point; None where a diverged network gave none."""
    return [round(float(value), 5) if math.isfinite(value) else None for value in values]
