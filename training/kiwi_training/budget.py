"""How long to train, and where on the learning-rate schedule each step lies.

A budget of steps gives a run that repeats exactly. A budget of minutes measures the speed of the
first steps, lays the schedule over the number of steps that should fit, and from then on follows
the elapsed fraction of the time: the schedule ends with the budget even if the machine slows down.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

MEASURED_STEPS = 20
MEASURED_FRACTION = 0.02
FINAL_LR_FRACTION = 0.01


@dataclass
class StepBudget:
    """Ends after `steps` steps."""

    steps: int

    @property
    def total(self) -> int:
        return self.steps

    def begin(self, step: int, elapsed: float) -> None:
        pass

    def spent(self, step: int) -> bool:
        return step >= self.steps

    def elapsed(self) -> float:
        return 0.0

    def expected(self, step: int) -> int:
        return self.steps

    def position(self, step: int) -> int:
        """Place of the step after `step` steps on a schedule of `total` steps."""
        return step


@dataclass
class TimeBudget:
    """Ends after `seconds` of training, counted over interruptions.

    Attributes:
        total: steps expected in all; None until the speed is known.
    """

    seconds: float
    total: int | None = None
    clock: Callable[[], float] = time.monotonic
    _before: float = field(default=0.0, init=False)
    _start: float = field(default=0.0, init=False)
    _first_step: int = field(default=0, init=False)

    def begin(self, step: int, elapsed: float) -> None:
        """Starts the clock, `elapsed` seconds having been spent in earlier sessions of the run."""
        self._before, self._start, self._first_step = elapsed, self.clock(), step

    def elapsed(self) -> float:
        return self._before + self.clock() - self._start

    def spent(self, step: int) -> bool:
        return self.elapsed() >= self.seconds

    def expected(self, step: int) -> int | None:
        """Steps in all at the speed so far; None before it is known."""
        done, here = step - self._first_step, self.clock() - self._start
        if done == 0 or done < MEASURED_STEPS and here < MEASURED_FRACTION * self.seconds:
            return self.total
        return step + max(0, round((self.seconds - self.elapsed()) * done / here))

    def position(self, step: int) -> int:
        """Place of the step after `step` steps on a schedule of `total` steps."""
        if self.total is None:
            self.total = self.expected(step)
        if self.total is None:
            return step
        return min(self.total - 1, int(self.total * self.elapsed() / self.seconds))


class LrSchedule:
    """Sets the learning rate from the budget's position.

    Args:
        optimizer: each of its groups holds the peak rate as `initial_lr`.
        config: LRSchedulerConfig of the policy, or None for a constant rate.
        budget: StepBudget or TimeBudget.
    """

    def __init__(self, optimizer: Optimizer, config, budget):
        self._optimizer, self._config, self._budget = optimizer, config, budget
        self._peaks = [group['initial_lr'] for group in optimizer.param_groups]
        self._built_for = 0
        self.scheduler: LambdaLR | None = None

    def apply(self, step: int) -> None:
        """Sets the rate of the step that follows after `step` steps."""
        if self._config is None:
            return
        position = self._budget.position(step)
        total = self._budget.total or 100_000
        if total != self._built_for:
            self._build(total)
        self.scheduler.last_epoch = position
        rates = [peak * factor(position) for peak, factor
                 in zip(self.scheduler.base_lrs, self.scheduler.lr_lambdas, strict=True)]
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group['lr'] = rate
        self.scheduler._last_lr = rates

    def _build(self, total: int) -> None:
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group['lr'] = group['initial_lr'] = peak
        config = self._config
        if isinstance(self._budget, TimeBudget) and 'num_decay_steps' in {f.name for f in fields(config)}:
            config = replace(config, num_decay_steps=total)
        self.scheduler = config.build(self._optimizer, total)
        self._built_for = total


@dataclass(frozen=True)
class CosineSchedule:
    """Linear warm-up over `warmup` of the schedule (at most 500 steps), then a cosine to 1 % of the peak."""

    warmup: float = 0.05

    def build(self, optimizer: Optimizer, num_training_steps: int) -> LambdaLR:
        warmup = max(1, min(500, round(self.warmup * num_training_steps)))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            progress = min(1.0, (step - warmup) / max(1, num_training_steps - warmup))
            return FINAL_LR_FRACTION + (1 - FINAL_LR_FRACTION) * 0.5 * (1 + math.cos(math.pi * progress))

        return LambdaLR(optimizer, factor)
