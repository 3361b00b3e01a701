"""What the cells of a page call: `page = open_page("sl")`, then figures, tables, sentences."""

from report.ahead import draw_ahead
from report.drawing import Drawing, to_drawing
from report.explorers import explorer, scripts
from report.figures.registry import FIGURES
from report.hooks.interpreter import note_interpreter
from report.kept import KeptDrawings
from report.links import follow, headlines_link
from report.sentences import Sentences
from report.study import Study, find_study
from report.style import study_style
from report.tables import TABLES, to_markdown
from report.text import Text
from report.words import Words


class Page:
    """One language's view of one study."""

    def __init__(self, study: Study, words: Words):
        self.study = study
        self.words = words
        self.say = Sentences(study, words)
        self.kept = KeptDrawings(study, words.language)

    def figure(self, identifier: str) -> Drawing:
        """The figure with this id, drawn in the page's language."""
        return self.kept.drawing(identifier, lambda: self._draw(identifier))

    def _draw(self, identifier: str) -> Drawing:
        with study_style():
            return to_drawing(FIGURES[identifier](self.study, self.words))

    def table(self, identifier: str) -> Text:
        """The table with this id, as Markdown."""
        return to_markdown(TABLES[identifier](self.study, self.words))

    def follow(self, identifier: str) -> Text:
        """Links to the data and the code of a figure or table."""
        return follow(identifier, self.words)

    def headlines(self) -> Text:
        """The link to all headline numbers in one file."""
        return headlines_link(self.words)

    def explorer(self, name: str) -> Text:
        """The place of an explorer: `threshold`, `patients` or `tuning`."""
        return explorer(name, self.words)

    def scripts(self) -> Text:
        """What the explorers run on; the last thing of a page."""
        return scripts(self.study, self.words)


def open_page(language: str) -> Page:
    """The page in `language` (`sl` or `en`) of the study that `report.study.find_study` finds."""
    note_interpreter()
    page = Page(Study(find_study()).verify(), Words(language))
    draw_ahead(page.study, page.kept)
    return page
