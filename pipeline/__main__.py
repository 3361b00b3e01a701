"""Entry point of `python -m pipeline`."""

import sys

from pipeline.errors import tell_missing

if __name__ == "__main__":
    try:
        from pipeline.cli import main

        status = main()
    except ModuleNotFoundError as error:
        status = tell_missing(error)
    sys.exit(status)
