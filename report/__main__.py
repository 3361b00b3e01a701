"""Entry point of `python -m report`."""

import os
import sys

from pipeline.errors import STOPPED, run_while_read, tell_missing

if __name__ == "__main__":
    try:
        from report.cli import main

        status = run_while_read(main)
    except ModuleNotFoundError as error:
        status = tell_missing(error)
    if status == STOPPED:
        sys.stderr.flush()
        os._exit(status)  # libraries that tidy up at the end complain about kernels that were stopped
    sys.exit(status)
