"""Writes README.md from its template, a measured study and the docstrings: `python -m report.readme [--study DIR ...]`.

It writes docs/performance.md as well, from the numbers in docs/bench, which `--bench DIR` takes from a study's folder: one bench
for each kind of hardware, the last one that was taken.
With `--study` it first takes that study's numbers into docs/measured/<profile>.json, the ROC figure into docs/roc.svg, and
the measured line into the profile's header. Without it, it only writes README.md again. A test compares README.md with
what this module would write.
"""

import argparse
import ast
import json
import re
import subprocess
import sys
from pathlib import Path

from report.drawing import to_drawing
from report.figures.roc import draw_roc
from report.study import ROOT, Study
from report.style import study_style
from report.templating import environment
from report.words import Words

MEASURED = ROOT / "docs" / "measured"
BENCH_FOLDER = ROOT / "docs" / "bench"
BENCH = ("bench.json", "bench-parts.json")
KINDS = ("bf16", "fp32", "cuda")  # a CPU that multiplies bf16 faster, one that does not, a GPU; the first is told at length
SLOW = "slow-bf16"  # the bench of a CPU whose bf16 is slower than its fp32, while bf16 was still taken there

# What cannot say itself what it is: files without a docstring, and folders shown as one line.
COMMENTS = {
    ".ci/run": "what CI runs in a fresh clone",
    ".github/workflows/pages.yml": "renders the shipped study and publishes it",
    ".gitignore": "what git leaves alone",
    "CHANGELOG.md": "what changed, by version",
    "CITATION.cff": "how to cite the study",
    "CONTRIBUTING.md": "the rules of the code, and the commands of a developer",
    "LICENSE": "MIT",
    "Makefile": "`make study`, `make test`, `make report`",
    "README.md": "this page, written by report/readme.py",
    "_quarto.yml": "the Quarto project: pages, formats, themes",
    "data/README.md": "the data contract, how to bring one's own data",
    "docs/lung-mask.png": "the lung mask over a real slice",
    "docs/measured/": "numbers of measured runs that this page shows",
    "docs/bench/": "numbers of the last bench on each kind of hardware, of one with bf16 where it is slow, and of single steps on a GPU",
    "docs/cluster.md": "several GPUs, or a Slurm cluster, with Ray",
    "docs/performance.md": "the floors, where the time goes, what was tried; written by report/readme.py",
    "docs/roc.svg": "the picture at the top of this page",
    "index.qmd": "the bilingual landing page",
    "pipeline/profiles/": "settings files: tiny, quick, paper",
    "pyproject.toml": "packages, dependencies, test and lint settings",
    "report/dark.scss": "colours of the dark theme in Quarto",
    "report/light.scss": "colours of the light theme in Quarto",
    "report/page.scss": "what both themes add to Quarto's page",
    "report/en/": "the English page and its chapters",
    "report/sl/": "the Slovenian page and its chapters",
    "report/references.bib": "bibliography of both pages",
    "report/citations.csl": "the style of citations and bibliography, with the quotation marks of each language",
    "report/study.mplstyle": "the one style sheet of all figures",
    "templates/code.html.j2": "the page that shows the code of a figure",
    "templates/explorers/": "the explorers: layout, style, and plain JavaScript, a file per explorer",
    "templates/phrases/": "parts that several sentences share, in both languages",
    "templates/page/": "layout of the HTML page and of the PDF",
    "templates/performance.md.j2": "the text of docs/performance.md",
    "templates/readme.md.j2": "the text of this page",
    "templates/sentences/": "result-dependent sentences, a file per sentence and language",
    "templates/tables/": "layout of the tables",
    "templates/words.toml": "the catalogue of words in both languages",
    "results/": "a finished study, shipped, so that the report renders right after a clone",
    "tests/data/": "a real CT slice to test reading with",
}


def tracked_files() -> list[str]:
    """Files of the project, as git knows them or would add them."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(line for line in set(listed.stdout.splitlines()) if (ROOT / line).exists())


def comment_of(name: str) -> tuple[str, str]:
    """The line of the tree a file belongs to, and its comment: a file, or the folder that stands for it."""
    for key, comment in COMMENTS.items():
        if name == key or (key.endswith("/") and name.startswith(key)):
            return key, comment
    if not name.endswith(".py"):
        raise KeyError(f"{name} has no comment; add one to COMMENTS in report/readme.py")
    docstring = ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8")))
    return name, docstring.splitlines()[0].rstrip(".")


def file_tree() -> str:
    """The tree of files, one comment each; package files are left out."""
    lines: dict[str, str] = dict(comment_of(name) for name in tracked_files() if not name.endswith("__init__.py"))
    width = max(map(len, lines)) + 2
    return "\n".join(f"{name:{width}}{comment}" for name, comment in lines.items())


def measure(root: Path, wall: float, memory: float, log: str) -> dict:
    """What README shows of a study; wall: seconds of the whole command, memory: peak of all processes, MB; log: what it printed."""
    study = Study(root)
    keys = ("date", "commit", "device", "cores", "seconds", "profile")
    models = {
        model: {name: study.metrics(model)[name] for name in ("auc", "auc_low", "auc_high", "brier")}
        | _elsewhere(study, model) | _without_lesions(study, model) for model in study.models
    }
    baselines = {name: values | _elsewhere(study, name) for name, values in study.comparison["baselines"].items()}
    return {**{key: study.provenance[key] for key in keys}, "bf16": study.provenance["backend"]["bf16"], "wall": wall, "memory": memory,
            "log": [line for line in log.splitlines() if re.match(r"profile auto|\[ *[\d.]+ s\]|report:|open ", line)],
            "weights": study.pretraining["kind"], "models": models, "baselines": baselines,
            "others": study.external["mild"] + study.external["severe"] if study.external else 0,
            "patients": study.dataset["patients"], "image_size": study.dataset["image_size"]}


def _elsewhere(study: Study, name: str) -> dict[str, float | None]:
    found = study.elsewhere(name) if study.external else None
    return {"elsewhere": found and found["auc"]}


def _without_lesions(study: Study, model: str) -> dict[str, float]:
    return {"without_lesions": study.without_lesions["models"][model]["lesions"]["auc"]} if study.without_lesions else {}


def header_line(measured: dict) -> str:
    """The measured line of a profile's header."""
    words = Words("en")
    aucs = [values["auc"] for values in measured["models"].values()]
    scores = f"; test AUC {words.decimal(min(aucs), 2)} to {words.decimal(max(aucs), 2)}" if measured["profile"] != "tiny" else ""
    reported = any(line.startswith("report:") for line in measured["log"])
    memory = f", {measured['memory'] / 1000:.1f} GB" if measured["memory"] else ""
    return (f"# Measured: {words.duration(measured['wall'])} {'with' if reported else 'without'} report{memory}, on {measured['device']}, "
            f"{words.count(measured['cores'], 'cores_noun')}, {'bf16' if measured['bf16'] else 'fp32'}{scores}")


def render_readme() -> str:
    """The text of README.md."""
    measured = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(MEASURED.glob("*.json"))}
    return environment(escape=False).get_template("readme.md.j2").render(
        measured=measured, shipped=_shipped(), w=Words("en"), tree=file_tree()) + "\n"


def _shipped() -> dict:
    """What README says of the study in results/."""
    study = Study(next((ROOT / "results").glob("*/manifest.json")).parent)
    return {"patients": study.dataset["patients"], "image_size": study.dataset["image_size"], "runs": study.runs,
            "folds": study.settings["folds"],
            "seconds": sum(study.provenance["seconds"].values()), "device": study.provenance["device"]}


def _kind(parts: dict) -> str:
    """The kind of hardware that a bench ran on."""
    return "cuda" if parts.get("device_type") == "cuda" else "bf16" if parts["bf16"] else "fp32"


def render_performance() -> str:
    """The text of docs/performance.md, from the last bench on each kind of hardware."""
    benches = [_read_bench(BENCH_FOLDER / kind) for kind in KINDS if (BENCH_FOLDER / kind).is_dir()]
    gpu = any(_kind(bench["parts"]) == "cuda" for bench in benches)
    steps, paper = (json.loads(path.read_text(encoding="utf-8")) for path in (BENCH_FOLDER / "gpu-steps.json", MEASURED / "paper.json"))
    return environment(escape=False).get_template("performance.md.j2").render(
        benches=benches, gpu=gpu, slow=_read_bench(BENCH_FOLDER / SLOW), g=steps, paper=paper, w=Words("en")) + "\n"


def _read_bench(folder: Path) -> dict:
    rows, parts = (json.loads((folder / name).read_text(encoding="utf-8")) for name in BENCH)
    return {"rows": rows, "parts": parts}


def _take_bench(root: Path) -> None:
    target = BENCH_FOLDER / _kind(_read_bench(root)["parts"])
    target.mkdir(parents=True, exist_ok=True)
    for name in BENCH:
        (target / name).write_bytes((root / name).read_bytes())


def _take(root: Path, wall: float, memory: float, log: str) -> None:
    measured = measure(root, wall, memory, log)
    MEASURED.mkdir(parents=True, exist_ok=True)
    (MEASURED / f"{measured['profile']}.json").write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    profile = ROOT / "pipeline" / "profiles" / f"{measured['profile']}.toml"
    text = profile.read_text(encoding="utf-8")
    profile.write_text(re.sub(r"^# (Measured:.*|HEADER)$", lambda _: header_line(measured), text, count=1, flags=re.M), encoding="utf-8")
    if measured["profile"] == "quick":
        with study_style():
            (ROOT / "docs" / "roc.svg").write_text(to_drawing(draw_roc(Study(root), Words("en"))).svg, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report.readme", description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, help="a finished study to take the numbers from")
    parser.add_argument("--wall", type=float, default=0.0, help="seconds the whole command took")
    parser.add_argument("--memory", type=float, default=0.0, help="peak memory of all its processes together, MB")
    parser.add_argument("--log", type=Path, help="file with what the command printed")
    parser.add_argument("--bench", type=Path, help="a study folder with the bench.json to take")
    options = parser.parse_args(arguments)
    if options.bench:
        _take_bench(options.bench)
    if options.study:
        _take(options.study, options.wall, options.memory, options.log.read_text(encoding="utf-8") if options.log else "")
    (ROOT / "docs" / "performance.md").write_text(render_performance(), encoding="utf-8")
    (ROOT / "README.md").write_text(render_readme(), encoding="utf-8")  # after the other: its tree names that file
    return 0


if __name__ == "__main__":
    sys.exit(main())
