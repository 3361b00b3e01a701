"""From the name of a source to the class that opens it."""

from pipeline.data.sources.slices import SlicesSource
from pipeline.data.sources.stoic import StoicSource
from pipeline.data.sources.synthetic import LowDoseSource, SyntheticSource
from pipeline.data.sources.volumes import VolumesSource
from pipeline.settings import Settings

SOURCES = {
    "synthetic": SyntheticSource,
    "synthetic-low-dose": LowDoseSource,
    "stoic": StoicSource,
    "volumes": VolumesSource,
    "slices": SlicesSource,
}


def open_source(settings: Settings):
    """The source the settings name, opened and checked.

    It has `keys()`, the patients in its order, `labels()` and `splits()` of theirs, the latter None where none are given,
    `load(key) -> PreparedPatient`, and `inputs(key)`, which tells what that patient is made of.
    """
    return SOURCES[settings.source].open(settings)
