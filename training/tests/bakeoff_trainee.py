"""Stands for a training's process: `train` of the real one is replaced, all else is the real one's.

    python bakeoff_trainee.py FOLDER

The folder's name says what it does: 'finishes', 'fails', or it goes on until it is told to stop and leaves 'saved'.
"""

import signal
import sys
import time

from kiwi_training.bakeoff import training_process


def train(folder):
    if folder.name == 'fails':
        print('first words')
        raise ValueError('no such head')
    if folder.name == 'finishes':
        return True
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    (folder / 'began').touch()
    while not stopped:
        time.sleep(0.02)
    (folder / 'saved').touch()
    return False


if __name__ == '__main__':
    training_process.train = train
    sys.exit(training_process.main())
