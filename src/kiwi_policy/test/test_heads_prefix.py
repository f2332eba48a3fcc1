"""Continuing a plan, against hand-computed weights and posteriors known in closed form."""

import pytest
import torch
from heads_support import random_batch, tiny_policy

from kiwi_policy.heads.backbone import Condition
from kiwi_policy.heads.prefix import PlannedRows, guidance_gain, planned_rows, soft_mask

H = 8
WAYS = ('project', 'guidance')


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def blank(count):
    return Condition(torch.zeros(count, 24), torch.zeros(count, H, 16))


def plan_of(values, committed=None, width=1):
    """A plan whose first rows are `values`, all of them committed unless said otherwise."""
    rows = torch.as_tensor(values, dtype=torch.float32)[:, None].expand(-1, width)
    return planned_rows(rows, len(values) if committed is None else committed, H)


def test_the_soft_mask_is_the_papers():
    """H = 8, s = 2 rows the plan does not reach, d = 2: c = 4/5, 3/5, 2/5, 1/5."""
    expected = [1.0, 1.0, 0.8 * 1.225540928 / 1.718281828, 0.6 * 0.822118800 / 1.718281828,
                0.4 * 0.491824698 / 1.718281828, 0.2 * 0.221402758 / 1.718281828, 0.0, 0.0]
    torch.testing.assert_close(soft_mask(8, 2, 6), torch.tensor(expected))


@pytest.mark.parametrize('horizon, committed, planned', [(16, 3, 12), (32, 5, 24), (8, 0, 8), (8, 8, 8), (8, 3, 3)])
def test_the_soft_mask_is_lerobots(horizon, committed, planned):
    from lerobot.configs import RTCAttentionSchedule
    from lerobot.policies.rtc.configuration_rtc import RTCConfig
    from lerobot.policies.rtc.modeling_rtc import RTCProcessor

    theirs = RTCProcessor(RTCConfig(prefix_attention_schedule=RTCAttentionSchedule.EXP))
    torch.testing.assert_close(soft_mask(horizon, committed, planned),
                               theirs.get_prefix_weights(committed, planned, horizon))


@pytest.mark.parametrize('committed, planned', [(3, 2), (-1, 2), (2, 9)])
def test_a_mask_that_cannot_be_is_refused(committed, planned):
    with pytest.raises(ValueError, match=f'must hold, got {committed}, {planned}, 8'):
        soft_mask(8, committed, planned)


def test_a_plan_is_padded_or_cut_to_the_chunk():
    short = planned_rows(torch.ones(3, 2), 2, 5)
    assert short.rows.tolist() == [[1, 1]] * 3 + [[0, 0]] * 2
    torch.testing.assert_close(short.weights, soft_mask(5, 2, 3))
    long = planned_rows(torch.arange(9.0)[:, None], 7, 5)
    assert long.rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert long.weights.tolist() == [1.0] * 5


def test_the_overlap_bounds_what_is_continued_softly():
    rows = torch.ones(7, 1)
    torch.testing.assert_close(planned_rows(rows, 2, 8, overlap=3).weights, soft_mask(8, 2, 5))
    torch.testing.assert_close(planned_rows(rows, 2, 8, overlap=50).weights, soft_mask(8, 2, 7))
    assert planned_rows(rows, 2, 8, overlap=0).weights.tolist() == [1.0] * 2 + [0.0] * 6
    assert planned_rows(rows, 9, 8, overlap=0).weights.tolist() == [1.0] * 7 + [0.0]


def test_the_gain_by_hand():
    """r^2 = (1 - tau)^2 / (tau^2 + (1 - tau)^2): at tau = 1/2 it is 1/2 and the weight 2."""
    assert guidance_gain(0.5, 100.0) == pytest.approx(0.5 * 2.0)
    assert guidance_gain(0.8, 100.0) == pytest.approx(0.2 * 0.25 / (0.04 / 0.68))
    assert guidance_gain(0.8, 3.0) == pytest.approx(0.2 * 3.0)
    assert guidance_gain(0.0, 5.0) == 5.0


class GaussianFlow(torch.nn.Module):
    """The optimal clean-chunk predictor for rows of N(0, covariance), independent per value.

    E[x_1 | x_tau] = tau S ((1 - tau)^2 I + tau^2 S)^-1 x_tau.
    """

    def __init__(self, covariance):
        super().__init__()
        self.covariance = covariance
        self.evaluations = 0

    def forward(self, x, tau, condition):
        self.evaluations += 1
        tau = float(tau[0])
        noisy = (1 - tau) ** 2 * torch.eye(H) + tau**2 * self.covariance
        return tau * self.covariance @ torch.linalg.solve(noisy, x)


class GaussianNoise(torch.nn.Module):
    """The same as a noise predictor of diffusion: E[eps | a_t] = sigma (alpha_bar S + (1 - alpha_bar) I)^-1 a_t."""

    def __init__(self, covariance, alpha_bar):
        super().__init__()
        self.covariance, self.alpha_bar = covariance, alpha_bar
        self.evaluations = 0

    def forward(self, x, tau, condition):
        self.evaluations += 1
        alpha_bar = self.alpha_bar[int(torch.round((1.0 - tau[0]) * len(self.alpha_bar))) - 1]
        noisy = alpha_bar * self.covariance + (1 - alpha_bar) * torch.eye(H)
        return torch.sqrt(1 - alpha_bar) * torch.linalg.solve(noisy, x)


def chain(correlation):
    """Covariance of rows whose neighbours correlate, unit variance."""
    i = torch.arange(H, dtype=torch.float32)
    return correlation ** (i[:, None] - i).abs()


def gaussian(head, way, covariance, **options):
    steps = {'num_inference_steps': 50} | ({'clip_sample': False, 'num_train_timesteps': 1000}
                                           if head == 'diffusion' else {})
    policy = tiny_policy(head, cameras=(), action_dim=1, prefix_conditioning=way, **(steps | options))
    policy.backbone = (GaussianFlow(covariance) if head == 'flow'
                       else GaussianNoise(covariance, policy.scheduler.alphas_cumprod))
    return policy


def posterior(covariance, values):
    """Mean and standard deviation of the rows after `values`, given these."""
    d = len(values)
    gain = torch.linalg.solve(covariance[:d, :d], covariance[:d, d:]).T
    rest = covariance[d:, d:] - gain @ covariance[:d, d:]
    return gain @ torch.tensor(values), rest.diagonal().sqrt()


@pytest.mark.parametrize('head', ['flow', 'diffusion'])
def test_guidance_approaches_the_posterior_and_project_falls_short_of_it(head):
    covariance, values = chain(0.9), [1.0, 1.1, 1.2]
    mean, std = posterior(covariance, values)
    errors = {}
    for way in WAYS:
        chunk = gaussian(head, way, covariance).sample(blank(2000), plan=plan_of(values))[..., 0]
        torch.testing.assert_close(chunk[:, :3].mean(dim=0), torch.tensor(values), atol=0.03, rtol=0)
        free = chunk[:, 3:]
        errors[way] = float((free.mean(dim=0) - mean).abs().max())
        if way == 'guidance':
            assert float((free.std(dim=0) - std).abs().max()) < 0.15
    unguided = float(mean.max())
    assert errors['guidance'] < 0.3 < errors['project'] < unguided


@pytest.mark.parametrize('head', ['flow', 'diffusion'])
def test_guidance_of_independent_rows_is_exact(head):
    """Of unit variance r^2 is the posterior's own: the plan is met and the other rows are left alone."""
    chunk = gaussian(head, 'guidance', torch.eye(H)).sample(blank(4000), plan=plan_of([1.0, -2.0]))[..., 0]
    torch.testing.assert_close(chunk[:, :2], torch.tensor([1.0, -2.0]).expand(4000, 2), atol=0.02, rtol=0)
    assert float(chunk[:, 2:].mean(dim=0).abs().max()) < 0.06
    torch.testing.assert_close(chunk[:, 2:].std(dim=0), torch.ones(6), atol=0.08, rtol=0)


@pytest.mark.parametrize('head, options', [
    *[('flow', {'solver': solver, 'prediction': prediction, 'num_inference_steps': steps})
      for solver, steps in (('euler', 1), ('euler', 10), ('midpoint', 5), ('heun', 5))
      for prediction in ('sample', 'velocity')],
    *[('diffusion', {'noise_scheduler_type': scheduler, 'prediction': prediction})
      for scheduler in ('DDIM', 'DDPM') for prediction in ('epsilon', 'sample', 'v_prediction')],
    ('diffusion', {'noise_scheduler_type': 'DDPM', 'num_inference_steps': 100}),
])
def test_project_keeps_what_is_committed(head, options):
    policy = tiny_policy(head, prefix_conditioning='project', **options)
    rows = 0.9 * torch.rand(5, 9) - 0.45
    batch = random_batch(policy, 3)
    chunk = policy.predict_action_chunk(batch, plan=planned_rows(rows, 3, H))
    torch.testing.assert_close(chunk[:, :3], rows[:3].expand(3, 3, 9), atol=2e-5, rtol=0)
    assert float((chunk[:, 3:] - policy.predict_action_chunk(batch)[:, 3:]).abs().max()) > 1e-3


@pytest.mark.parametrize('head', ['flow', 'diffusion'])
def test_soft_rows_are_blended_by_their_weight(head):
    """Independent rows, one step: the last clean chunk is (1 - w) a_hat + w y, and a_hat is 0 here."""
    policy = gaussian(head, 'project', 1e-12 * torch.eye(H))
    plan = plan_of([1.0] * 6, committed=2)
    chunk = policy.sample(blank(5), plan=plan)[..., 0]
    torch.testing.assert_close(chunk, plan.weights.expand(5, H), atol=1e-3, rtol=0)


def test_a_clipped_sampler_keeps_a_plan_within_its_range():
    policy = tiny_policy('diffusion', prefix_conditioning='project')
    chunk = policy.predict_action_chunk(random_batch(policy, 2), plan=planned_rows(torch.full((3, 9), 1.5), 3, H))
    torch.testing.assert_close(chunk[:, :3], torch.ones(2, 3, 9), atol=1e-5, rtol=0)
    assert float(chunk.abs().max()) <= 1.0 + 1e-5


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('head, options', [
    ('flow', {}), ('flow', {'prediction': 'velocity', 'solver': 'heun'}), ('diffusion', {}),
    ('diffusion', {'prediction': 'v_prediction'}), ('diffusion', {'prediction': 'sample'}),
])
def test_weights_of_zero_change_no_bit(head, options, way):
    policy = tiny_policy(head, prefix_conditioning=way, **options)
    batch, noise = random_batch(policy, 2), torch.randn(2, H, 9)
    plan = PlannedRows(torch.randn(H, 9), torch.zeros(H))
    free = policy.predict_action_chunk(batch, noise=noise)
    assert torch.equal(policy.predict_action_chunk(batch, noise=noise, plan=plan), free)


def test_none_ignores_the_plan():
    policy = tiny_policy('flow')
    batch, noise = random_batch(policy, 2), torch.randn(2, H, 9)
    free = policy.predict_action_chunk(batch, noise=noise)
    assert torch.equal(policy.predict_action_chunk(batch, noise=noise, plan=plan_of([1.0] * 4, width=9)), free)


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('head, options, evaluations', [
    ('flow', {'num_inference_steps': 4}, 4), ('flow', {'num_inference_steps': 4, 'solver': 'heun'}, 7),
    ('diffusion', {'num_inference_steps': 5}, 5),
])
def test_a_steered_step_is_one_evaluation(head, options, evaluations, way):
    policy = tiny_policy(head, prefix_conditioning=way, **options)
    policy.predict_action_chunk(random_batch(policy, 2), plan=plan_of([0.1] * 4, width=9))
    assert policy.backbone.evaluations == evaluations


@pytest.mark.parametrize('head', ['flow', 'diffusion'])
def test_guidance_follows_the_gradient_of_the_network(head):
    """One evaluation against finite differences: shift = gain * scale * J^T w (y - a_hat)."""
    policy = tiny_policy(head, action_dim=1, width=4, cameras=(), prefix_conditioning='guidance').double()
    plan = PlannedRows(torch.randn(H, 1).double(), soft_mask(H, 2, 6).double())
    condition = policy.condition({'observation.state': torch.zeros(1, 9).double()})
    x = torch.randn(1, H, 1).double()

    def network(x):
        return policy.backbone(x, x.new_full((1,), 0.4), condition)

    output, shift = policy.steering(plan)(network, lambda output, x: 2 * output + x, x, 0.4, scale=1.3)
    with torch.no_grad():
        def clean(x):
            return 2 * network(x) + x

        error = plan.weights[:, None] * (plan.rows - clean(x))
        expected = torch.zeros(H, dtype=torch.float64)
        for row in range(H):
            step = torch.zeros_like(x)
            step[0, row] = 1e-6
            expected[row] = ((clean(x + step) - clean(x - step)) / 2e-6 * error).sum()
        assert torch.equal(output, network(x))
    torch.testing.assert_close(shift[0, :, 0], guidance_gain(0.4, 10) * 1.3 * expected, rtol=1e-5, atol=1e-9)


def test_the_limit_is_the_number_of_steps_unless_it_is_set():
    """With every row certain and a_hat = 0 everywhere (J = 0) nothing moves; with J = 1 the limit shows."""
    class Echo(torch.nn.Module):
        def forward(self, x, tau, condition):
            return x

    ends = []
    for limit in (None, 4.0, 1.0):
        policy = tiny_policy('flow', cameras=(), action_dim=1, num_inference_steps=1, solver='euler',
                             prefix_conditioning='guidance', guidance_limit=limit)
        policy.backbone = Echo()
        ends.append(policy.sample(blank(1), noise=torch.zeros(1, H, 1), plan=plan_of([1.0] * H))[0, 0, 0].item())
    assert ends == pytest.approx([1.0, 4.0, 1.0])


def test_gradients_are_left_alone():
    policy = tiny_policy('flow', prefix_conditioning='guidance')
    chunk = policy.predict_action_chunk(random_batch(policy, 1), plan=plan_of([0.5] * 4, width=9))
    assert not chunk.requires_grad
    assert all(weight.grad is None for weight in policy.parameters())


def test_wrong_settings_and_plans_are_refused_by_name():
    with pytest.raises(ValueError, match="prefix_conditioning 'magic' is none of none, project, guidance"):
        tiny_policy('flow', prefix_conditioning='magic')
    with pytest.raises(ValueError, match='prefix_overlap must be at least 0, got -1'):
        tiny_policy('flow', prefix_overlap=-1)
    with pytest.raises(ValueError, match='guidance_limit must be above 0, got 0'):
        tiny_policy('diffusion', guidance_limit=0)
    policy = tiny_policy('flow', prefix_conditioning='project')
    with pytest.raises(ValueError, match=r'plan must be of shape \(8, 9\), got \(8, 1\)'):
        policy.predict_action_chunk(random_batch(policy, 1), plan=plan_of([1.0]))


def test_guidance_in_inference_mode_is_refused():
    policy = tiny_policy('flow', prefix_conditioning='guidance')
    batch = random_batch(policy, 1)
    with torch.inference_mode(), pytest.raises(RuntimeError, match='under torch.no_grad'):
        policy.predict_action_chunk(batch, plan=plan_of([0.5] * 4, width=9))
    assert policy.predict_action_chunk(batch).shape == (1, H, 9)
