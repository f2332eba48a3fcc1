"""Explicit solvers of dx/dtau = v(x, tau) from tau = 0 to tau = 1 in n equal steps."""

from collections.abc import Callable

from torch import Tensor

VelocityField = Callable[[Tensor, float], Tensor]


def euler(velocity, x, steps):
    """x <- x + h v(x, tau). First order, `steps` evaluations."""
    h = 1.0 / steps
    for i in range(steps):
        x = x + h * velocity(x, i * h)
    return x


def midpoint(velocity, x, steps):
    """x <- x + h v(x + h/2 v(x, tau), tau + h/2). Second order, 2 `steps` evaluations."""
    h = 1.0 / steps
    for i in range(steps):
        half = x + 0.5 * h * velocity(x, i * h)
        x = x + h * velocity(half, (i + 0.5) * h)
    return x


def heun(velocity, x, steps):
    """x <- x + h/2 (v(x, tau) + v(x + h v(x, tau), tau + h)), 2 `steps` - 1 evaluations.

    The last step is Euler's: v is never asked for at tau = 1, where a field recovered from a clean
    chunk is not defined.
    """
    h = 1.0 / steps
    for i in range(steps):
        first = velocity(x, i * h)
        if i + 1 < steps:
            first = 0.5 * (first + velocity(x + h * first, (i + 1) * h))
        x = x + h * first
    return x


SOLVERS = {'euler': euler, 'midpoint': midpoint, 'heun': heun}


def solve(name, velocity, x, steps):
    """Integrate with the solver of that name.

    Args:
        name: one of SOLVERS.
        velocity: field (x, tau) -> like x, tau a float in [0, 1).
        x: state at tau = 0.
        steps: number of equal steps.
    """
    if name not in SOLVERS:
        raise ValueError(f'solver {name!r} is none of {", ".join(SOLVERS)}')
    if steps < 1:
        raise ValueError(f'a solver needs at least 1 step, got {steps}')
    return SOLVERS[name](velocity, x, steps)
