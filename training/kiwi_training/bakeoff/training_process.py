"""A process that trains one head: `python -m kiwi_training.bakeoff.training_process RUN_FOLDER`.

It does what `kiwi-train` does with the options in `<RUN_FOLDER>/asked.json`, goes on from the run's
last checkpoint where there is one, and notes the time it took. When its standard input closes,
its parent is gone or wants it to stop: it saves a checkpoint and ends.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kiwi_training.bakeoff.lock import only_one
from kiwi_training.bakeoff.store import write_json

ASKED = 'asked.json'
SESSIONS = 'sessions'
NOTE_EVERY = 20.0       # s


def main(argv=None):
    """Train; returns the exit code, 0 where the training has come to its end."""
    folder = Path((sys.argv[1:] if argv is None else argv)[0])
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    return 0 if train(folder) else 130


def train(folder):
    """Train the run in `folder` to its end, or until a signal asks to stop; True where it is finished."""
    with only_one(folder, wait=True):
        return _train(folder)


def _train(folder):
    from kiwi_training import checkpoint
    from kiwi_training.options import TrainOptions
    options = TrainOptions.load(folder / ASKED)
    resume_from = None
    if (folder / checkpoint.CHECKPOINTS / checkpoint.LAST).exists():
        resume_from = checkpoint.find_checkpoint(folder)
        saved = TrainOptions.load(resume_from / checkpoint.STATE / checkpoint.OPTIONS)
        options = replace(saved, output=options.output, dataset=options.dataset, cache_dir=options.cache_dir)
    from kiwi_training.trainer import Trainer
    trainer = Trainer(options, resume_from)
    with SessionClock(folder / SESSIONS):
        return trainer.run().finished


class SessionClock:
    """Notes wall and CPU time of this process in a file of its own, every 20 s and at the end.

    Args:
        folder: where the file goes.
    """

    def __init__(self, folder):
        self._path = folder / f'{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json'

    def __enter__(self):
        self._wall, self._cpu = time.monotonic(), time.process_time()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._note_regularly, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._note()

    def _note_regularly(self):
        while not self._ended.wait(NOTE_EVERY):
            self._note()

    def _note(self):
        write_json(self._path, {'wall_s': round(time.monotonic() - self._wall, 3),
                                'cpu_s': round(time.process_time() - self._cpu, 3)})


def read_sessions(folder):
    """(wall s, CPU s) over the sessions noted in a run's folder; (0, 0) without any."""
    notes = [json.loads(path.read_text()) for path in sorted((Path(folder) / SESSIONS).glob('*.json'))]
    return sum(note['wall_s'] for note in notes), sum(note['cpu_s'] for note in notes)


def _stop_with_parent():
    while os.read(0, 1 << 16):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == '__main__':
    sys.exit(main())
