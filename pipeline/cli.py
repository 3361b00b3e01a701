"""The command line of the pipeline: verbs, options, exit statuses."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.errors import STOPPED, UnknownName, UserError, mendable
from pipeline.layout import STAGES, Layout, forbidden, named_path
from pipeline.settings import PROFILES, Settings, load_settings, restored

VERBS = ("all", *STAGES, "status", "bench", "ship", "renew")
HELP = {
    "all": "every stage, then the report",
    "data": "read or make the patients, split them",
    "pretrain": "find or make the pretrained weights",
    "tune": "search lr, wd and mp of each model",
    "train": "train each model at its chosen values",
    "evaluate": "score the test patients, choose thresholds",
    "explain": "filters, activations, saliency",
    "status": "what is done, begun, stale or missing",
    "bench": "measure the speed against plain loops",
    "ship": "copy what the report needs into results/, small enough for a repository",
    "renew": "compute the statistics of the study in results/ anew from its scores, filters and maps",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        print(f"{self.prog}: {message}; see '{self.prog} --help'", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m pipeline", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Computes the study. A stage does what it needs from the stages before it; what is up to date is kept.",
        epilog="stages and verbs:\n" + "\n".join(f"  {verb:9} {text}" for verb, text in HELP.items()),
    )
    parser.add_argument("verb", metavar="STAGE", help=f"one of: {', '.join(VERBS)}")
    parser.add_argument("--profile", default="auto", help="auto, tiny, quick or paper (auto: paper with CUDA, else quick)")
    parser.add_argument("--out", metavar="DIR", type=named_path, help="study folder (default artifacts/<profile>)")
    parser.add_argument("--site", metavar="DIR", type=named_path, default=Path("_site"), help="where `all` puts the site (default _site)")
    parser.add_argument("--renderer", default="auto", help="what `all` renders with: auto, quarto or embedded")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--search", help="coordinate (default) or grid: every combination of lr, wd and mp; short for --set search=...")
    parser.add_argument("--seeds", metavar="N", help="run every training N times and show the spread (default 1); short for --set seeds=N")
    parser.add_argument("--folds", metavar="N", help="cross-validate: N folds, each tested once (default 1); short for --set folds=N")
    parser.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="overrides",
                        help="change settings, for example seed=7 image_size=256 CNN1.lr=1e-3,1e-4 mp=1,0.9")
    parser.add_argument("--engine", default="local", help="local, or ray: trials on the GPUs and machines of a Ray cluster")
    parser.add_argument("--address", help="the Ray cluster, auto or host:port (default: one started on this machine)")
    parser.add_argument("--gpu-share", type=float, default=1.0, help="share of a GPU that a trial takes with --engine ray (default 1)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 on success, 2 for a user's mistake, 1 for a fault of the program."""
    options = build_parser().parse_args(arguments)
    try:
        try:
            return _run(options)
        except OSError as error:
            raise mendable(error, options.out or Path()) from None
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what is finished is kept, the same command goes on from there", file=sys.stderr)
        return STOPPED


def _run(options: argparse.Namespace) -> int:
    for kind, value, known in (("stage", options.verb, VERBS), ("profile", options.profile, ("auto", *PROFILES)),
                               ("device", options.device, ("auto", "cpu", "cuda")),
                               ("engine", options.engine, ("local", "ray")),
                               ("renderer", options.renderer, ("auto", "quarto", "embedded"))):
        if value not in known:
            raise UnknownName(kind, value, known)
    for key in ("search", "seeds", "folds"):
        if getattr(options, key) is not None:
            options.overrides.append(f"{key}={getattr(options, key)}")
    named = options.profile if options.profile != "auto" else "quick"
    load_settings(named, options.overrides)  # refuse bad settings before torch takes its seconds to load
    if options.out:
        _refuse_file(options.out)
    if options.verb == "status" and (own := _own_settings(options)):
        from pipeline.status import print_status

        print_status(own, Layout(options.out), "with its own settings")
        return 0
    profile, device = _resolve(options)
    settings = _settle(load_settings(profile, options.overrides), device)
    layout = Layout(options.out or Path("artifacts") / profile)
    if options.verb == "status":
        from pipeline.status import print_status

        print_status(settings, layout)
        return 0
    if options.verb == "ship":
        from pipeline.ship import ship_study

        ship_study(layout, Path("results") / layout.root.name)
        return 0
    if options.verb == "renew":
        from pipeline.renew import renew_study

        renew_study(layout, Path("results") / layout.root.name)
        return 0
    if options.verb == "bench":
        from pipeline.benchmarks.run import run_bench
        from pipeline.lock import alone_in

        _refuse_foreign(layout)
        with alone_in(layout.root):
            return run_bench(settings, layout, device)
    return _compute(options, settings, layout, device)


def _own_settings(options: argparse.Namespace) -> Settings | None:
    """The settings of the study in --out, where the command names no others."""
    if options.out is None or options.profile != "auto" or options.overrides:
        return None
    from pipeline.records import read_json

    with suppress(UserError):  # no study, or a damaged one
        return restored(read_json(Layout(options.out).settings, "all"))
    return None


def _settle(settings: Settings, device: str) -> Settings:
    """The settings with what they leave to the machine, which is asked only for that: it takes loading torch."""
    if settings.monitor_slices:
        return settings
    from pipeline.device import choose_backend

    return settings.watching(choose_backend(device, settings.fast).bf16)


def _resolve(options: argparse.Namespace) -> tuple[str, str]:
    """Profile and device with every `auto` replaced; says which profile `auto` became and why."""
    from pipeline.device import choose_device

    device = choose_device(options.device)
    if options.profile != "auto":
        return options.profile, device
    profile = "paper" if device == "cuda" else "quick"
    if not options.quiet:
        why = "a CUDA device is there" if device == "cuda" else "there is no CUDA device"
        if options.device == "cpu":
            why = "the CPU was asked for"
        print(f"profile auto: {profile}, because {why}")
    return profile, device


def _compute(options: argparse.Namespace, settings, layout: Layout, device: str) -> int:
    from pipeline.ledger import Ledger
    from pipeline.lock import alone_in
    from pipeline.progress import Progress
    from pipeline.study import Study, run_stages

    progress = Progress(options.quiet)
    _refuse_foreign(layout)
    if options.verb == "all" and (status := _report(options, "--check")):  # before the long work, not after it
        return status
    last = STAGES[-1] if options.verb == "all" else options.verb
    with alone_in(layout.root), _open_engine(options, settings, layout, device) as engine:
        if engine.processes < engine.wanted:
            progress.say(f"processes: {engine.processes} on {engine.wanted} cores, as many as the free memory holds")
        if (settings.profile, device, options.engine) == ("paper", "cpu", "local") and not layout.manifest.exists():
            progress.say("profile paper: made for a GPU; on a CPU it may take hours, fewer with --set image_size=256")
        run_stages(Study(settings, layout, device, engine, progress, Ledger(layout)), last)
    if options.verb != "all":
        return 0
    progress.say(f"study: whole, in {layout.root}")
    return _report(options, "--study", str(layout.root))


def _open_engine(options: argparse.Namespace, settings, layout: Layout, device: str):
    from pipeline.engine import Engine
    from pipeline.study import processes_for

    processes = processes_for(device, settings.fast)
    if options.engine == "local":
        return Engine(processes)
    from pipeline.ray_engine import RayEngine

    if not 0 < options.gpu_share <= 1:
        raise UserError(f"--gpu-share {options.gpu_share}: give a share above 0 and at most 1")
    return RayEngine(processes, options.address, options.gpu_share if device == "cuda" else 0.0, layout.root)


def _refuse_file(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise UserError(f"--out {root} is a file; name a folder")


def _refuse_foreign(layout: Layout) -> None:
    """Refuse a folder that cannot be written into, or where something else lies in the place of a study's data."""
    root = layout.root
    _refuse_file(root)
    ours = layout.settings.exists() or layout.records.exists()
    if layout.dataset.parent.exists() and not ours:
        raise UserError(f"--out {root} holds a folder '{layout.dataset.parent.name}' that no study wrote; name a new or empty folder")
    if forbidden(root):
        raise UserError(f"--out {root}: no permission to write there; name another folder")


def _report(options: argparse.Namespace, *what: str) -> int:
    """Run the report as a program of its own, which the pipeline never imports; its exit status."""
    words = [sys.executable, "-m", "report", *what, "--site", str(options.site), "--renderer", options.renderer]
    return subprocess.run(words + (["--quiet"] if options.quiet else []), check=False).returncode
