"""Flow matching against answers known in closed form."""

import math
from types import SimpleNamespace

import pytest
import torch
from heads_support import tiny_policy

from kiwi_policy.heads.backbone import Condition
from kiwi_policy.heads.flow.path import straight_path
from kiwi_policy.heads.flow.solver import SOLVERS, solve
from kiwi_policy.heads.flow.target import SampleTarget, VelocityTarget

EVALUATIONS = {'euler': lambda n: n, 'midpoint': lambda n: 2 * n, 'heun': lambda n: 2 * n - 1}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_path_ends_at_noise_and_at_data():
    x_0, x_1 = torch.randn(3, 4, 2), torch.randn(3, 4, 2)
    torch.testing.assert_close(straight_path(x_0, x_1, torch.zeros(3)).x, x_0)
    torch.testing.assert_close(straight_path(x_0, x_1, torch.ones(3)).x, x_1)


def test_path_velocity_is_its_derivative():
    x_0, x_1 = torch.randn(2, 3, 4, 2, dtype=torch.float64)
    tau = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64)
    low, high = straight_path(x_0, x_1, tau - 1e-6), straight_path(x_0, x_1, tau + 1e-6)
    torch.testing.assert_close((high.x - low.x) / 2e-6, low.velocity, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize('solver', SOLVERS)
@pytest.mark.parametrize('steps', [1, 3, 10])
def test_constant_velocity_integrates_exactly(solver, steps):
    x, velocity = torch.randn(2, 5, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(solve(solver, lambda *_: velocity, x, steps), x + velocity)


@pytest.mark.parametrize(('solver', 'order'), [('euler', 1), ('midpoint', 2), ('heun', 2)])
def test_order_of_convergence(solver, order):
    """dx/dtau = -x + sin(3 tau), whose solution is known."""
    def exact(x):
        return math.exp(-1) * (x + 0.3) + (math.sin(3) - 3 * math.cos(3)) / 10

    start = torch.ones(1, dtype=torch.float64)
    errors = [
        abs(float(solve(solver, lambda x, tau: -x + math.sin(3 * tau), start, n)) - exact(1.0))
        for n in (20, 40)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize('solver', SOLVERS)
def test_solvers_never_ask_at_data(solver):
    asked = []
    solve(solver, lambda x, tau: asked.append(tau) or x, torch.zeros(1), 7)
    assert min(asked) == 0.0
    assert max(asked) < 1.0
    assert len(asked) == EVALUATIONS[solver](7)


def test_unknown_solver_is_refused_by_name():
    with pytest.raises(ValueError, match="'rk4' is none of euler, midpoint, heun"):
        solve('rk4', None, torch.zeros(1), 1)
    with pytest.raises(ValueError, match='at least 1 step'):
        solve('euler', None, torch.zeros(1), 0)


def test_both_targets_describe_the_same_field_and_error():
    x_0, x_1 = torch.randn(2, 6, 4, 2)
    point = straight_path(x_0, x_1, torch.full((6,), 0.4))
    clean = torch.randn(6, 4, 2)
    velocity = SampleTarget.velocity(clean, point.x, 0.4)
    as_velocity = VelocityTarget.loss(velocity, point, x_1)
    # the weight's mean over tau is 9 times smaller than 1 / (1 - tau)^2 with its bound at 0.2
    torch.testing.assert_close(9 * SampleTarget.loss(clean, point, x_1), as_velocity)


def test_loss_weight_has_mean_one():
    tau = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    point = SimpleNamespace(tau=tau)
    ones = torch.ones(len(tau), 1, 1, dtype=torch.float64)
    loss = SampleTarget.loss(ones, point, torch.zeros_like(ones))
    assert float(loss.mean()) == pytest.approx(1.0, rel=1e-4)


def test_perfect_prediction_has_no_loss():
    x_0, x_1 = torch.randn(2, 6, 4, 2)
    point = straight_path(x_0, x_1, torch.rand(6))
    assert float(SampleTarget.loss(x_1, point, x_1).sum()) == 0.0
    assert float(VelocityTarget.loss(x_1 - x_0, point, x_1).sum()) == 0.0


class GaussianOracle(torch.nn.Module):
    """The optimal clean-chunk predictor for x_1 ~ N(mean, std^2), independent values.

    x_tau = (1 - tau) x_0 + tau x_1 and x_1 are jointly Gaussian, so that
    E[x_1 | x_tau] = mean + tau std^2 (x_tau - tau mean) / ((1 - tau)^2 + tau^2 std^2).
    """

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x, tau, condition):
        tau = tau[:, None, None]
        gain = tau * self.std**2 / ((1 - tau) ** 2 + tau**2 * self.std**2)
        return self.mean + gain * (x - tau * self.mean)


@pytest.mark.parametrize(('solver', 'steps'), [('euler', 100), ('midpoint', 30), ('heun', 30)])
def test_optimal_predictor_of_a_gaussian_gives_that_gaussian(solver, steps):
    policy = tiny_policy('flow', cameras=(), solver=solver, num_inference_steps=steps, action_dim=3)
    mean, std = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([0.3, 1.0, 2.0])
    policy.backbone = GaussianOracle(mean, std)
    blank = Condition(torch.zeros(4000, 24), torch.zeros(4000, 8, 16))
    values = policy.sample(blank).reshape(-1, 3)  # (32000, 3)
    torch.testing.assert_close(values.mean(dim=0), mean, atol=0.04, rtol=0)
    torch.testing.assert_close(values.std(dim=0), std, atol=0.0, rtol=0.04)


def test_loss_of_the_optimal_predictor_is_the_conditional_variance():
    """E over tau of weight * Var[x_1 | x_tau], with Var = (1 - tau)^2 s^2 / ((1 - tau)^2 + tau^2 s^2)."""
    std = 0.7
    policy = tiny_policy('flow', cameras=(), draws_per_observation=4)
    policy.backbone = GaussianOracle(torch.tensor(0.0), torch.tensor(std))
    blank = Condition(torch.zeros(5000, 24), torch.zeros(5000, 8, 16))
    loss = policy.chunk_loss(blank, std * torch.randn(5000, 8, 9)).chunk.mean()
    tau = (torch.arange(20_000) + 0.5) / 20_000
    variance = (1 - tau) ** 2 * std**2 / ((1 - tau) ** 2 + tau**2 * std**2)
    expected = (variance / (1 - tau).clamp(min=0.2) ** 2 / 9).mean()
    assert float(loss) == pytest.approx(float(expected), rel=0.03)
