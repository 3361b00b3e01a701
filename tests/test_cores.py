"""Who computes what: the cores make the data while a GPU trains."""

import pytest

from pipeline.engine import Engine, core_count
from pipeline.layout import Layout
from pipeline.ledger import Ledger
from pipeline.progress import Progress
from pipeline.settings import load_settings
from pipeline.study import Study, processes_for


@pytest.mark.parametrize(("device", "fast", "processes"), [
    ("cpu", "true", core_count()), ("cuda", "true", core_count()), ("cuda", "false", 0), ("cpu", "false", 1)])
def test_data_are_made_on_all_cores_whatever_trains(tmp_path, device, fast, processes):
    settings = load_settings("tiny", [f"fast={fast}"])
    with Engine(processes_for(device, settings.fast)) as engine:
        study = Study(settings, Layout(tmp_path), device, engine, Progress(quiet=True), Ledger(Layout(tmp_path)))
        with study.cores() as cores:
            assert cores.processes == processes
            assert (cores is engine) == (engine.processes > 0 or fast == "false")
