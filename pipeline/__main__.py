"""Entry point of `python -m pipeline`."""

import sys

from pipeline.errors import run_while_read, tell_missing

if __name__ == "__main__":
    try:
        from pipeline.cli import main

        status = run_while_read(main)
    except ModuleNotFoundError as error:
        status = tell_missing(error)
    sys.exit(status)
