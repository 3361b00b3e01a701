"""Finished jobs of unfinished work, kept on disk so that a killed run goes on where it stopped."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pipeline.progress import Progress
from pipeline.records import write_json


def run_missing(paths: Sequence[Path], run: Callable[[list[int]], Iterable[tuple[int, object]]], progress: Progress, title: str) -> None:
    """Run the jobs that have left no file yet, and write the result of each as soon as it is there.

    paths: a JSON file per job; run: for the indices of the missing jobs it yields the place of a job among them and its result,
    in the order of completion.
    """
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    with progress.bar(title, len(paths)) as bar:
        bar.advance(len(paths) - len(missing))
        for place, result in run(missing):
            write_json(paths[missing[place]], result)
            bar.advance()
