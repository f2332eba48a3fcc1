"""Chunks that continue a plan: which rows of it count how much, and how a sampler is steered to them.

Real-time chunking (Black et al. 2025): while a chunk is computed, the plan before it runs on. The rows
that run until then cannot be changed, so the new chunk is sampled consistent with them, and softly with
what the plan holds after them. tau = 0 is noise, tau = 1 data, a_hat the clean chunk that the network
implies at x_tau. At every step of the sampler a_hat is moved by a shift:

    project    w (y - a_hat), which blends a_hat with the plan y row by row.
    guidance   (1 - tau) min(beta, (1 - tau) / (tau r^2)) J^T w (y - a_hat), with J = d a_hat / d x_tau and
               r^2 = (1 - tau)^2 / (tau^2 + (1 - tau)^2): pseudo-inverse guidance (Song et al. 2023). J takes
               the correction to rows the plan says nothing of, for a backward pass per evaluation.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PlannedRows:
    """What a chunk is to continue, normalised.

    Attributes:
        rows: (H, D) the plan; what a weight of 0 belongs to does not matter but must be finite.
        weights: (H,) 0..1 per row, see `soft_mask`.
    """

    rows: Tensor
    weights: Tensor

    @property
    def w(self):
        """(H, 1) the weights, to be multiplied with rows."""
        return self.weights[:, None]


def soft_mask(horizon, committed, planned):
    """Weights of a plan's rows (Black et al. 2025, equation 5).

    w_i = 1 for i < d, c_i (exp(c_i) - 1) / (e - 1) with c_i = (R - i) / (R - d + 1) for d <= i < R, else 0.

    Args:
        horizon: H, rows of the new chunk.
        committed: d, rows that run before the new chunk arrives.
        planned: R, rows the plan still has, the committed ones included.

    Returns:
        (H,) float32.

    Raises:
        ValueError: unless 0 <= d <= R <= H.
    """
    if not 0 <= committed <= planned <= horizon:
        raise ValueError(f'0 <= committed <= planned <= horizon must hold, got {committed}, {planned}, {horizon}')
    i = torch.arange(horizon, dtype=torch.float32)
    c = ((planned - i) / (planned - committed + 1)).clamp(0.0, 1.0)
    soft = c * torch.expm1(c) / math.expm1(1.0)
    return torch.where(i < committed, 1.0, soft)


def planned_rows(rows, committed, horizon, overlap=None):
    """`PlannedRows` of a chunk of `horizon` rows.

    Args:
        rows: (R, D) normalised, the first due with the chunk's first; what is beyond the chunk is dropped.
        committed: rows of these that run before the chunk arrives.
        horizon: H.
        overlap: rows beyond the committed ones to continue at most; None for all.
    """
    rows = rows[:horizon if overlap is None else min(committed + overlap, horizon)]
    padded = rows.new_zeros(horizon, rows.shape[1])
    padded[:len(rows)] = rows
    weights = soft_mask(horizon, min(committed, len(rows)), len(rows))
    return PlannedRows(padded, weights.to(rows))


def guidance_gain(tau, limit):
    """(1 - tau) min(limit, (1 - tau) / (tau r^2)), what J^T w (y - a_hat) is multiplied with.

    Args:
        tau: flow time in 0..1, 1 excluded.
        limit: beta, greatest weight of the guidance in the velocity. With n steps of Euler's method and
            beta = n no step goes beyond the plan.
    """
    odds = tau**2 + (1.0 - tau) ** 2
    return min(limit * (1.0 - tau), odds / tau if tau > 0.0 else math.inf)


class Steering:
    """Moves the clean chunk of every evaluation towards a plan.

    Args:
        way: `project` or `guidance`.
        plan: `PlannedRows`.
        limit: beta of `guidance_gain`.
        bound: the sampler clips clean chunks to -bound..bound.
    """

    def __init__(self, way, plan, limit, bound=math.inf):
        self._move = {'project': self._project, 'guidance': self._guide}[way]
        self._plan, self._limit, self._bound = plan, limit, bound

    def __call__(self, network, clean, x, tau, scale=1.0):
        """One function evaluation.

        Args:
            network: called with x, returns what the network puts out there, (B, H, D).
            clean: called with that and x, returns the clean chunk a_hat it implies.
            x: (B, H, D) point of the sampler.
            tau: flow time of x as a float.
            scale: s where x = s x_tau: samplers whose path is not the straight one scale its points.

        Returns:
            the output, and the shift of a_hat (B, H, D); the shift is exactly 0 where no weight asks for one.
        """
        return self._move(network, clean, x, tau, scale)

    def _project(self, network, clean, x, tau, scale):
        output = network(x)
        implied = clean(output, x)
        kept = self._kept(implied)
        shift = self._plan.w * (self._plan.rows - kept) + (kept - implied)
        return output, torch.where(self._plan.w > 0, shift, 0.0)

    def _guide(self, network, clean, x, tau, scale):
        if torch.is_inference_mode_enabled():
            raise RuntimeError('guidance differentiates: call it under torch.no_grad, not torch.inference_mode')
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            output = network(point)
            implied = clean(output, point)
        error = self._plan.w * (self._plan.rows - self._kept(implied.detach()))
        pull, = torch.autograd.grad(implied, point, error)
        return output.detach(), guidance_gain(tau, self._limit) * scale * pull

    def _kept(self, clean):
        """What the sampler makes of a clean chunk."""
        return clean.clamp(-self._bound, self._bound)
