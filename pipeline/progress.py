"""What a user sees while the study runs: one line per finished step, and a bar with the time left, or a line now and then."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

# Where there is no terminal, such as in a cluster's log: a line on the work in progress after so many seconds without one.
SILENCE = 300.0


class Bar(AbstractContextManager):
    """A progress bar that draws itself where it is `shown`; with every advance it calls `tell` with how much is done."""

    def __init__(self, title: str, total: int, shown: bool, tell: Callable[[int], None]):
        from tqdm import tqdm

        self._done, self._tell = 0, tell
        self._bar = tqdm(total=total, desc=f"{title:9}", disable=not shown, leave=False, dynamic_ncols=True, unit="",
                         bar_format="{desc} {bar} {n_fmt}/{total_fmt}  {elapsed} gone, {remaining} left")

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        self._bar.update(steps)
        self._tell(self._done)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


class Progress:
    """Hands out bars and prints lines; a pipe turns the bars into lines, `quiet` both off."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self._start = self._last = time.monotonic()

    def bar(self, title: str, total: int) -> Bar:
        terminal = sys.stderr.isatty()

        def tell(done: int) -> None:
            if not terminal and done < total and time.monotonic() - self._last >= SILENCE:
                self.say(f"{title}: {done} of {total} done")

        return Bar(title, total, terminal and not self.quiet, tell)

    def say(self, text: str) -> None:
        self._last = time.monotonic()
        if not self.quiet:
            print(f"[{self._last - self._start:6.1f} s] {text}", flush=True)
