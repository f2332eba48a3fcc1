"""The witness's figures, and the page that is made of the same rows as the JSON file."""

import json

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from kiwi_bench import report  # noqa: E402
from kiwi_bench.nodes import bench_faults  # noqa: E402
from kiwi_bench.nodes.faults import FAULTS  # noqa: E402
from kiwi_bench.nodes.trial import Outcome  # noqa: E402
from kiwi_bench.witness import Drive, Witness, largest_step, last_at_full_speed, rest_times  # noqa: E402
from kiwi_sim.ideal_servos import IdealServos  # noqa: E402
from kiwi_sim.servo_backend import ServoCommand  # noqa: E402


def drive(time, speeds, pan=2048):
    return Drive(time, np.ones(9, bool), np.array([pan, 0, 0, 0, 0, 0]), np.array(speeds))


def test_a_wheel_rests_when_it_is_told_so_for_good():
    drives = [drive(0.0, (5, 5, 0)), drive(0.1, (0, 5, 0)), drive(0.2, (5, 5, 0)), drive(0.3, (0, 5, 0))]
    assert rest_times(drives).tolist() == [0.3, np.inf, -np.inf]


def test_a_decaying_base_is_at_full_speed_until_it_slows_down():
    drives = [drive(0.1 * i, (speed, -speed, speed)) for i, speed in enumerate((100, 99, 100, 60, 20, 0))]
    assert last_at_full_speed(drives) == pytest.approx(0.2)


def test_the_largest_step_is_that_of_the_worst_joint():
    assert largest_step([drive(0, (0, 0, 0), 2048), drive(1, (0, 0, 0), 2050), drive(2, (0, 0, 0), 2040)]) == 10


def test_the_witness_passes_on_what_it_notes():
    servos = IdealServos()
    witness = Witness(servos)
    for speed in (0, 7):
        witness.drive(ServoCommand(np.ones(9, bool), np.full(9, 2048), np.full(9, speed), np.arange(9) >= 6))
    assert servos.command.velocity[6] == 7
    assert witness.newest.speeds.tolist() == [7] * 3
    assert len(witness.between(witness.newest.time)) == 1       # what is in force at the start
    witness.forget()
    assert len(witness.between(-np.inf)) == 1


def test_the_page_and_the_file_say_the_same(tmp_path):
    outcomes = [Outcome(0.1, 0.5, 'executor: said'), Outcome(0.2, 0.6, wrong=['the arm moved by 3.0 deg'])]
    rows = [report.summary(FAULTS['executor_killed'], outcomes),
            report.summary(FAULTS['duplicate'], [Outcome(said='x')])]
    page = report.write(tmp_path, FAULTS, rows, 0.3, 'make pickplace').read_text()
    kept = json.loads((tmp_path / report.JSON).read_text())
    assert kept == rows
    assert (kept[0]['trials'], kept[0]['survived'], kept[0]['base_stop_s_max']) == (2, 1, 0.2)
    assert kept[1]['base_stop_s_max'] is None and kept[1]['reason'] == 'the base drives on'
    assert '| executor_killed | 1/2 | 0.15 / 0.20 | from the fault | 0.60 | one command |' in page
    assert '**Went wrong**: the arm moved by 3.0 deg' in page


@pytest.mark.parametrize('words, text', [
    (['--faults', 'nan_chunks'], 'did you mean nan_chunk?'), (['--trials', '0'], '--trials must be at least 1, got 0')])
def test_wrong_arguments_are_named(words, text, capsys):
    assert bench_faults.main(words) == 2
    assert text in capsys.readouterr().err
