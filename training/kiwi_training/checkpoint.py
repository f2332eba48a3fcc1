"""Checkpoints in LeRobot's layout, written whole or not at all.

    <output>/checkpoints/<step>/pretrained_model/   what LeRobot loads: EMA weights, config, processors
    <output>/checkpoints/<step>/training_state/     optimizer, schedule, random states, raw weights, options
    <output>/checkpoints/last -> <step>
"""

import json
import os
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from lerobot.common.train_utils import get_step_checkpoint_dir, save_checkpoint
from lerobot.optim.optimizers import load_optimizer_state
from lerobot.utils.random_utils import load_rng_state
from safetensors.torch import load_model, save_model

from kiwi_training.options import TrainOptions

CHECKPOINTS, LAST = 'checkpoints', 'last'
PRETRAINED, STATE = 'pretrained_model', 'training_state'
OPTIONS, PROGRESS, RAW = 'kiwi_train.json', 'kiwi_progress.json', 'raw_model.safetensors'


class CheckpointError(ValueError):
    """There is no checkpoint to resume from, or it was not written by kiwi-train."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come: steps done, seconds of budget spent, expected steps in all (or None)."""

    step: int
    elapsed: float
    total: int | None


def write_checkpoint(options: TrainOptions, progress: Progress, train_config, policy, ema, optimizer,
                     schedule, processors, process_count: int) -> Path:
    """Writes the checkpoint of `progress.step` and points `last` at it; returns its folder."""
    output = Path(options.output)
    folder = get_step_checkpoint_dir(output, progress.total or options.steps or progress.step, progress.step)
    partial = folder.with_name(f'.{folder.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    (partial / STATE).mkdir(parents=True)
    if ema is not None:
        save_model(policy, str(partial / STATE / RAW))
    with _averaged(ema):
        save_checkpoint(partial, progress.step, train_config, policy, optimizer, schedule.scheduler,
                        *processors, num_processes=process_count, batch_size=options.batch_size,
                        optim_state_dict=_contiguous(optimizer.state_dict()))
    options.save(partial / STATE / OPTIONS)
    (partial / STATE / PROGRESS).write_text(json.dumps(progress.__dict__))
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    link = folder.parent / f'.{LAST}.{os.getpid()}'
    link.symlink_to(folder.name)
    link.replace(folder.parent / LAST)
    return folder


def find_checkpoint(where: str | Path) -> Path:
    """The checkpoint folder meant by `where`: a run's output folder, or a checkpoint of it.

    Raises:
        CheckpointError: nothing there that can be resumed.
    """
    where = Path(where).expanduser()
    for folder in (where / CHECKPOINTS / LAST, where / LAST, where, where.parent):
        if (folder / STATE / OPTIONS).is_file():
            return folder.resolve()
    raise CheckpointError(f'{where} holds no checkpoint of kiwi-train: no {CHECKPOINTS}/{LAST}/{STATE}/{OPTIONS}')


def read_progress(folder: Path) -> Progress:
    """Progress recorded in a checkpoint folder."""
    return Progress(**json.loads((folder / STATE / PROGRESS).read_text()))


def restore(folder: Path, policy, optimizer) -> None:
    """Loads raw weights, optimizer state and random states; call after everything else is built."""
    state = folder / STATE
    if (state / RAW).is_file():
        load_model(policy, str(state / RAW), device=str(policy.config.device))
    load_optimizer_state(optimizer, state)
    _lay_out_like_weights(optimizer)
    load_rng_state(state)


def _contiguous(state: dict) -> dict:
    """The optimizer's state with plain memory layout, which safetensors asks for."""
    values = {number: {key: value.contiguous() if isinstance(value, torch.Tensor) else value
                       for key, value in entry.items()} for number, entry in state['state'].items()}
    return state | {'state': values}


def _lay_out_like_weights(optimizer) -> None:
    """Gives loaded moments the memory layout of their weights, which fused kernels rely on."""
    for weight, entry in optimizer.state.items():
        for key, value in entry.items():
            if isinstance(value, torch.Tensor) and value.shape == weight.shape:
                entry[key] = torch.empty_like(weight).copy_(value)


def _averaged(ema):
    return nullcontext() if ema is None else ema.applied()
