"""Calls Pandoc, which the package pypandoc-binary carries."""

import json
import subprocess
from functools import lru_cache


@lru_cache(maxsize=1)
def _pandoc() -> str:
    import pypandoc

    return pypandoc.get_pandoc_path()


def run_pandoc(text: str, *options: str) -> str:
    """Pipe `text` through Pandoc with these options; its complaints are faults of the program."""
    done = subprocess.run([_pandoc(), *options], input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pandoc {' '.join(options)}: {done.stderr.decode()}")
    return done.stdout.decode()


def parse_markdown(text: str) -> dict:
    """Pandoc's syntax tree of a Markdown text."""
    return json.loads(run_pandoc(text, "--from", "markdown", "--to", "json", "--columns", "1000"))


def write_tree(tree: dict, *options: str) -> str:
    """A syntax tree written in the format the options name."""
    return run_pandoc(json.dumps(tree), "--from", "json", *options)
