"""Exponential moving average of a policy's weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Ema:
    """Keeps w_ema <- d w_ema + (1 - d) w after each step k, with d = min(decay, k / (k + 100)).

    The growing decay lets the average forget the random start. Parameters are averaged; buffers
    (such as frozen batch-norm statistics) are the model's own.

    Args:
        model: the model that is being trained.
        decay: largest d, in [0, 1).
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self._model = model
        self._weights = [parameter.detach().clone() for parameter in model.parameters()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the model's weights after training step `step` = 1, 2, ..."""
        decay = min(self.decay, step / (step + 100))
        torch._foreach_lerp_(self._weights, [parameter.detach() for parameter in self._model.parameters()],
                             1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While this is open the model holds the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, average in zip(self._model.parameters(), self._weights, strict=True):
            held = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(held)
