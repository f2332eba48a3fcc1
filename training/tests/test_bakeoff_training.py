"""A training in a process of its own: its end, its failure, and a stop that lets it save."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kiwi_training.bakeoff import trainings
from kiwi_training.bakeoff.training_process import ASKED, SessionClock, read_sessions
from kiwi_training.bakeoff.trainings import TrainingFailed, TrainingWork
from kiwi_training.options import TrainOptions

TRAINEE = Path(__file__).with_name('bakeoff_trainee.py')


@pytest.fixture(autouse=True)
def trainee(monkeypatch):
    monkeypatch.setattr(trainings, 'PROCESS', [sys.executable, str(TRAINEE)])


def work(folder):
    return TrainingWork(TrainOptions('demos', str(folder), policy='kiwi_bc', steps=3, threads=1), 'abc')


def test_a_training_gets_its_options_and_the_datasets_digest(tmp_path):
    folder = tmp_path / 'finishes'
    assert work(folder).run().record == {'folder': str(folder)}
    assert TrainOptions.load(folder / ASKED) == work(folder).options
    assert json.loads((folder / 'dataset.json').read_text()) == {'digest': 'abc'}


def test_a_failed_training_says_its_last_words(tmp_path):
    with pytest.raises(TrainingFailed, match=r'ValueError: no such head \(exit code 1'):
        work(tmp_path / 'fails').run()


def test_a_stopped_training_saves_before_it_ends(tmp_path):
    folder = tmp_path / 'goes on'

    def interrupt(*_):
        if (folder / 'began').exists():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            work(folder).run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (folder / 'saved').exists()


def test_a_training_whose_parent_is_killed_saves_and_ends(tmp_path):
    folder = tmp_path / 'goes on'
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, '-c',
                               'import subprocess, sys, time\n'
                               'subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\ntime.sleep(60)',
                               sys.executable, str(TRAINEE), str(folder)])
    try:
        assert _within(20, (folder / 'began').exists)
    finally:
        parent.kill()
        parent.wait()
    assert _within(10, (folder / 'saved').exists)


def test_sessions_add_up(tmp_path):
    for _ in range(2):
        with SessionClock(tmp_path / 'sessions'):
            time.sleep(0.01)
    wall, cpu = read_sessions(tmp_path)
    assert len(list((tmp_path / 'sessions').iterdir())) == 2
    assert wall >= 0.02 and 0 <= cpu < wall


def _within(seconds, condition):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
