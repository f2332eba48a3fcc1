"""The loss log of a run: JSON lines, one object per logging interval."""

import json
import time
from pathlib import Path

NAME = 'log.jsonl'


class RunLog:
    """Appends to `<output>/log.jsonl`.

    Each line has `step`; training lines have the means since the last line: `loss` (and the
    policy's own terms), `grad_norm`, `lr`, `data_s` and `step_s` (s per step), `elapsed_s`;
    validation lines have `val_loss`.

    Args:
        output: the run's folder.
        step: steps done when the run is resumed; later lines, left by a session that was
            killed, are dropped.
    """

    def __init__(self, output: Path, step: int):
        self._path = output / NAME
        if self._path.exists():
            kept = [line for line in self._path.read_text().splitlines()
                    if _step_of(line) is not None and _step_of(line) <= step]
            self._path.write_text(''.join(line + '\n' for line in kept))
        self._sums: dict[str, float] = {}
        self._count = 0
        self._start = time.perf_counter()

    def add(self, **values: float) -> None:
        """Takes in one training step's numbers."""
        for key, value in values.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self._count += 1

    def write_means(self, step: int) -> dict[str, float]:
        """Writes the means since the last call and returns them; {} when there were no steps."""
        if not self._count:
            return {}
        means = {key: value / self._count for key, value in self._sums.items()}
        self._sums, self._count = {}, 0
        self.write(step, **means)
        return means

    def write(self, step: int, **values: float) -> None:
        elapsed = round(time.perf_counter() - self._start, 3)
        line = {'step': step} | {key: float(f'{value:.6g}') for key, value in values.items()} | {'elapsed_s': elapsed}
        with self._path.open('a') as file:
            file.write(json.dumps(line) + '\n')


def _step_of(line: str) -> int | None:
    try:
        return json.loads(line)['step']
    except (json.JSONDecodeError, KeyError, TypeError):
        return None
