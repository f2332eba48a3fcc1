"""One trial of every fault on the running graph, patient with a busy machine; and the order of what is measured."""

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from kiwi_bench.nodes import trial  # noqa: E402
from kiwi_bench.nodes.faults import AUTOMATIC, FAULTS, Stop  # noqa: E402
from kiwi_bench.nodes.rig import Rig  # noqa: E402


@pytest.fixture(scope='module')
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp('rig'), patient=True)
    yield rig
    rig.close()


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_is_survived(name, rig):
    fault = FAULTS[name]
    outcome = trial.run(rig, fault, 0)
    assert outcome.wrong == []
    assert outcome.said
    if fault.stop in (Stop.NEVER, Stop.PAUSES):
        assert outcome.base_stop is None
    else:
        assert np.isfinite(outcome.base_stop)


def test_every_fault_says_how_it_recovers():
    for fault in FAULTS.values():
        assert fault.recovery == AUTOMATIC or fault.recovery.startswith(('ros2 ', 'make '))
        assert fault.made.endswith('.') and fault.happens.endswith('.')
