"""A stage that silently eats a frame is found, by the run itself and by an auditor outside."""

from pathlib import Path

from tests.cli.conftest import Result, Start

EATER = """
import linescan.pipeline.factory as factory
from linescan.cli import main
from linescan.records import Cause
from linescan.stages import MapStage

class Eat(MapStage):
    name = "eat"
    failure = Cause.SEGMENTATION_FAILURE

    def process(self, item):
        return () if item.frame.first_line == 480 else (item,)

given = factory.processing_stages
factory.processing_stages = lambda config, info: [*given(config, info), Eat()]
main()
"""


def test_verify_fails_when_a_stage_silently_eats_a_frame(
    start: Start, recording: Path, endpoint: str
) -> None:
    auditor = start("verify", endpoint, "--timeout", "40")
    pipeline = start(
        *("replay", recording, "--set", "depth.enabled=false"),
        *("--wait-subscribers", "1", "--set", f"publish.data={endpoint}"),
        script=EATER,
    )
    ended, audited = Result(pipeline), Result(auditor)
    assert ended.code == 1
    assert "NOT balanced" in ended.err
    assert audited.code == 1
    assert "lines 496 to 719" in audited.err
