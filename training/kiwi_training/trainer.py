"""The training loop: LeRobot's policies, processors and optimizers, fed from the frame cache."""

import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from lerobot.common.train_utils import get_step_identifier
from lerobot.configs.default import DatasetConfig
from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.train import TrainPipelineConfig
from lerobot.policies.factory import make_policy
from lerobot.utils.random_utils import set_seed
from tqdm import tqdm

from kiwi_training import checkpoint as checkpoints
from kiwi_training.batches import BatchOrder, BatchReader, images_to_float, prefetched
from kiwi_training.budget import LrSchedule, StepBudget, TimeBudget
from kiwi_training.ema import Ema
from kiwi_training.fine_tuning import fine_tuned, make_processors
from kiwi_training.freed_memory import keep_freed_memory
from kiwi_training.interrupt import StopRequest
from kiwi_training.joined import load_joined, open_datasets
from kiwi_training.options import TrainOptions
from kiwi_training.policy_setup import (
    Recipe,
    delta_indices,
    make_presets,
    make_recipe,
    natural_size,
    register_policies,
    set_image_size,
    set_imagenet_stats,
    takes_uint8_images,
)
from kiwi_training.precision import choose_precision
from kiwi_training.run_log import RunLog
from kiwi_training.validation import split_episodes, validation_frames, validation_loss


@dataclass(frozen=True)
class Outcome:
    """How a training session ended."""

    step: int
    finished: bool
    checkpoint: Path
    loss: float
    val_loss: float | None


class Trainer:
    """One session of a run: build everything, then `run()`.

    Args:
        options: what to train on what.
        resume_from: checkpoint folder to continue, or None.

    Raises:
        DatasetError, DiskFullError, SettingError, CheckpointError: before any training.
    """

    def __init__(self, options: TrainOptions, resume_from: Path | None = None):
        self.options = options
        if options.threads:
            torch.set_num_threads(options.threads)
        keep_freed_memory()
        meta = open_datasets((options.dataset, *options.more_datasets))
        recipe, origin = self._recipe(meta, resume_from)
        self.accelerator = _accelerator(options, recipe.policy)
        if options.minutes and self.accelerator.num_processes > 1:
            raise ValueError('--minutes works with one process only, since each would follow its own clock; '
                             'give --steps')
        self._quiet = not self.accelerator.is_main_process
        self._precision = {'no': 'fp32'}.get(self.accelerator.mixed_precision, self.accelerator.mixed_precision)
        with self.accelerator.main_process_first():
            size = options.resize or natural_size(recipe.policy, meta)
            cache = load_joined(meta, Path(options.cache_dir) if options.cache_dir else None, size, say=self._say)
        set_image_size(meta, size)
        if options.imagenet_stats:
            set_imagenet_stats(meta)
        set_seed(options.seed, accelerator=self.accelerator)
        self.policy = make_policy(recipe.policy, ds_meta=meta)
        recipe.policy.pretrained_path = None
        self.processors = make_processors(recipe.policy, meta, origin if options.init else None, self._say)
        self.optimizer = _prepared_optimizer(recipe.optimizer.build(self.policy.get_optim_params()))
        self.grad_clip_norm = recipe.optimizer.grad_clip_norm
        self._as_float = not takes_uint8_images(recipe.policy)
        self.train_episodes, self.held_episodes = split_episodes(meta, options.val_split)
        self._reader = BatchReader(cache, meta, delta_indices(recipe.policy, meta))
        self._order = BatchOrder(meta, self.train_episodes, options.batch_size, options.seed,
                                 getattr(recipe.policy, 'drop_n_last_frames', 0),
                                 self.accelerator.process_index, self.accelerator.num_processes)
        self._validation = _chunks(validation_frames(meta, self.held_episodes), options.batch_size) \
            if self.held_episodes else []
        self.ema = Ema(self.policy, options.ema) if options.ema else None
        self.progress = checkpoints.Progress(0, 0.0, None)
        if resume_from is not None:
            self.progress = checkpoints.read_progress(resume_from)
            checkpoints.restore(resume_from, self.policy, self.optimizer)
        self.budget = _budget(options, self.progress, resume_from)
        self.schedule = LrSchedule(self.optimizer, recipe.scheduler, self.budget)
        self._train_config = _train_config(options, recipe, meta)
        self._describe(meta)
        self.model, self.optimizer = self.accelerator.prepare(self.policy, self.optimizer)

    def run(self) -> Outcome:
        """Trains until the budget is spent or a signal asks to stop; always ends with a checkpoint."""
        options, output, step = self.options, Path(self.options.output), self.progress.step
        output.mkdir(parents=True, exist_ok=True)
        log = RunLog(output, step)
        self.budget.begin(step, self.progress.elapsed)
        if self.budget.spent(step):
            raise ValueError(f'{output} has used up its budget ({self._budget_text()}) at step {step}: '
                             'train on with --resume and a larger --steps or --minutes')
        batches = prefetched(self._reader.read(frames) for frames in self._order.batches_from(step))
        self.model.train()
        saved, saved_at = None, time.monotonic()
        means: dict[str, float] = {}
        val_loss = None
        bar = tqdm(total=self.budget.total, initial=step, unit='step', disable=self._quiet, dynamic_ncols=True,
                   mininterval=0.5 if sys.stderr.isatty() else 20)
        with StopRequest() as stop, bar:
            while not self._agreed(stop or self.budget.spent(step)):
                self.schedule.apply(step)
                numbers = self._step(batches)
                step += 1
                if self.ema is not None:
                    self.ema.update(step)
                log.add(**numbers)
                bar.total = self.budget.expected(step)
                bar.update()
                if step % options.log_every == 0 and not self._quiet:
                    means = log.write_means(step)
                    bar.set_postfix(_shown(means, val_loss), refresh=False)
                if step % options.val_every == 0 and self._validation:
                    val_loss = self._validate(step, log)
                due = options.save_steps and step % options.save_steps == 0 or \
                    time.monotonic() - saved_at > 60 * options.save_minutes
                if self._agreed(due):
                    saved, saved_at = self._save(step), time.monotonic()
            finished = self._agreed(not stop)
            if not self._quiet:
                means = log.write_means(step) or means
            if self._validation and finished and step % options.val_every:
                val_loss = self._validate(step, log)
            if saved is None or saved.name != _name(self, step):
                saved = self._save(step)
        batches.close()
        return Outcome(step, finished, saved, means.get('loss', float('nan')), val_loss)

    def _step(self, batches) -> dict[str, float]:
        """One step of the optimizer; returns its numbers for the log."""
        start = time.perf_counter()
        batch = self._prepared(next(batches))
        ready = time.perf_counter()
        loss, terms = self.model.forward(batch)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.grad_clip_norm or float('inf'))
        self.optimizer.step()
        self.optimizer.zero_grad()
        if hasattr(self.policy, 'update'):
            self.policy.update()
        terms = {key: float(value) for key, value in (terms or {}).items()
                 if key != 'loss' and (isinstance(value, (int, float)) or getattr(value, 'ndim', 1) == 0)}
        numbers = {'loss': loss.item(), **terms, 'grad_norm': float(norm),
                   'lr': self.optimizer.param_groups[0]['lr']}
        if not np.isfinite(numbers['loss']):
            raise FloatingPointError(
                f'the loss became {numbers["loss"]}; lower --lr, or look for NaN in the dataset. '
                f'The last checkpoint stays in {self.options.output}/checkpoints.')
        return numbers | {'data_s': ready - start, 'step_s': time.perf_counter() - start}

    def _prepared(self, batch: dict) -> dict:
        return self.processors[0](images_to_float(batch) if self._as_float else batch)

    def _validate(self, step: int, log: RunLog) -> float:
        batches = (self._prepared(self._reader.read(frames)) for frames in self._validation)
        if self.ema is None:
            loss = validation_loss(self.policy, batches)
        else:
            with self.ema.applied():
                loss = validation_loss(self.policy, batches)
        if not self._quiet:
            log.write(step, val_loss=loss)
        return loss

    def _save(self, step: int) -> Path:
        progress = checkpoints.Progress(step, self.budget.elapsed(), self.budget.total)
        folder = Path(self.options.output) / checkpoints.CHECKPOINTS / _name(self, step)
        if self.accelerator.is_main_process:
            self._train_config.steps = self.budget.total or step
            folder = checkpoints.write_checkpoint(
                self.options, progress, self._train_config, self.policy, self.ema, self.optimizer,
                self.schedule, self.processors, self.accelerator.num_processes)
        self.accelerator.wait_for_everyone()
        return folder

    def _recipe(self, meta, resume_from: Path | None) -> tuple[Recipe, Path | None]:
        """The run's configs, and the folder of the weights it begins with (None: fresh ones)."""
        options = self.options
        if resume_from is None and options.init is None:
            return make_recipe(options, meta.fps), None
        register_policies()
        if resume_from is None:
            folder = Path(options.init)
            policy = fine_tuned(options, folder, meta)
        else:
            folder = resume_from / checkpoints.PRETRAINED
            policy = PreTrainedConfig.from_pretrained(folder)
        policy.pretrained_path = folder
        return Recipe(policy, *make_presets(options, policy)), folder


    def _agreed(self, condition: bool) -> bool:
        """The main process's answer, so that all processes do the same."""
        if self.accelerator.num_processes == 1:
            return bool(condition)
        flag = torch.tensor([int(bool(condition))], device=self.accelerator.device)
        torch.distributed.broadcast(flag, src=0)
        return bool(flag.item())

    def _budget_text(self) -> str:
        return f'{self.options.steps} steps' if self.options.steps else f'{self.options.minutes:g} minutes'

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, flush=True)

    def _describe(self, meta) -> None:
        options = self.options
        weights = sum(parameter.numel() for parameter in self.policy.parameters())
        self._say(f'{self.policy.name}: {weights / 1e6:.2f} M weights, {self._precision} on '
                  f'{self.accelerator.device}, {torch.get_num_threads()} threads')
        self._say(f'{meta.repo_id}: {len(self.train_episodes)} episodes to train on ({len(self._order)} frames), '
                  f'{len(self.held_episodes)} held out; {meta.fps} frames per second')
        self._say(f'{self._budget_text()}, batch {options.batch_size} x {self.accelerator.num_processes}, seed {options.seed}, '
                  f'output {options.output}' + (f', from step {self.progress.step}' if self.progress.step else ''))


def _budget(options: TrainOptions, progress: checkpoints.Progress, resume_from: Path | None):
    if options.steps:
        return StepBudget(options.steps)
    before = TrainOptions.load(resume_from / checkpoints.STATE / checkpoints.OPTIONS) if resume_from else options
    return TimeBudget(60 * options.minutes, progress.total if before.minutes == options.minutes else None)


def _accelerator(options: TrainOptions, policy: PreTrainedConfig) -> Accelerator:
    precision = choose_precision(options.precision, policy.device)
    if policy.use_amp and options.precision == 'auto':
        precision = 'bf16'
    AcceleratorState._reset_state()         # another training of this process may have had another precision
    return Accelerator(step_scheduler_with_optimizer=False, cpu=policy.device == 'cpu',
                       mixed_precision='bf16' if precision == 'bf16' else 'no',
                       kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])


def _prepared_optimizer(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Notes the peak rates, and lets Adam update all weights in one kernel where there is one."""
    for group in optimizer.param_groups:
        group['initial_lr'] = group['lr']
    if isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW)):
        for group in optimizer.param_groups:
            if all(parameter.device.type in ('cpu', 'cuda') for parameter in group['params']):
                group['fused'], group['foreach'] = True, False
    return optimizer


def _train_config(options: TrainOptions, recipe: Recipe, meta) -> TrainPipelineConfig:
    """The run as LeRobot would describe it; saved beside the weights."""
    dataset = DatasetConfig(repo_id=meta.repo_id, root=str(meta.root), eval_split=options.val_split,
                            use_imagenet_stats=options.imagenet_stats, video_backend='pyav')
    config = TrainPipelineConfig(
        dataset=dataset, policy=recipe.policy, output_dir=Path(options.output), job_name=options.policy,
        seed=options.seed, batch_size=options.batch_size, steps=options.steps or 1, optimizer=recipe.optimizer)
    logging.getLogger('lerobot').setLevel(logging.WARNING)
    return config


def _chunks(frames: np.ndarray, size: int) -> list[np.ndarray]:
    return [frames[start:start + size] for start in range(0, len(frames), size)]


def _name(trainer: Trainer, step: int) -> str:
    return get_step_identifier(step, trainer.budget.total or trainer.options.steps or step)


def _shown(means: dict, val_loss: float | None) -> dict[str, str]:
    shown = {'loss': f'{means["loss"]:.4f}', 'lr': f'{means["lr"]:.1e}', 'data': f'{1e3 * means["data_s"]:.1f}ms'}
    return shown | ({'val': f'{val_loss:.4f}'} if val_loss is not None else {})
