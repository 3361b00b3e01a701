"""What a user sees while the study runs: one line per finished step, and a bar with the time left."""

import sys
import time
from contextlib import AbstractContextManager


class Bar(AbstractContextManager):
    """A progress bar that draws itself on a terminal and stays silent elsewhere."""

    def __init__(self, title: str, total: int, shown: bool):
        from tqdm import tqdm

        self._bar = tqdm(total=total, desc=f"{title:9}", disable=not shown, leave=False, dynamic_ncols=True, unit="",
                         bar_format="{desc} {bar} {n_fmt}/{total_fmt}  {elapsed} gone, {remaining} left")

    def advance(self, steps: int = 1) -> None:
        self._bar.update(steps)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


class Progress:
    """Hands out bars and prints lines; `quiet` or a pipe turns the bars off, `quiet` the lines too."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self._start = time.monotonic()

    def bar(self, title: str, total: int) -> Bar:
        return Bar(title, total, shown=not self.quiet and sys.stderr.isatty())

    def say(self, text: str) -> None:
        if not self.quiet:
            print(f"[{time.monotonic() - self._start:6.1f} s] {text}", flush=True)
