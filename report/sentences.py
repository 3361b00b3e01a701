"""Sentences that depend on results: a template per sentence and language, filled with stored numbers."""

import re

from jinja2 import TemplateNotFound

from report import source_study
from report.errors import MissingTranslation
from report.selections import Selections
from report.study import Study
from report.templating import TEMPLATES, environment
from report.text import Text
from report.words import Words


class Sentences:
    """`sentences.roc` is the sentence of `templates/sentences/<language>/roc.md.j2`, in one line of Markdown."""

    def __init__(self, study: Study, words: Words):
        self._context = {"s": study, "w": words, "source": source_study, **Selections(study).names()}
        self._words = words

    def __getattr__(self, name: str) -> Text:
        if name.startswith("_"):
            raise AttributeError(name)
        path = f"sentences/{self._words.language}/{name}.md.j2"
        try:
            template = environment(escape=False).get_template(path)
        except TemplateNotFound:
            if not any(TEMPLATES.glob(f"sentences/*/{name}.md.j2")):
                raise AttributeError(name) from None
            raise MissingTranslation(name, self._words.language, TEMPLATES / path) from None
        line = re.sub(r"[ \t\n]+", " ", template.render(**self._context)).strip()  # keeps no-break spaces
        return Text(re.sub(r"(?<=\d) (?=[%×])|(?<=×) (?=\d)", "\u00a0", line))
