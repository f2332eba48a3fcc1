"""The shared policy: one encoding per chunk, counted evaluations, masked padding, augmentation."""

import pytest
import torch
from heads_support import FRONT, WRIST, random_batch, tiny_policy

from kiwi_policy.heads.images import random_shift, resize, to_unit_range

HEADS = ('bc', 'cvae', 'diffusion', 'flow')


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def count_calls(module):
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_padded_steps_have_no_effect_on_the_gradient():
    policy = tiny_policy('bc').eval()
    batch = random_batch(policy, 4)
    batch['action_is_pad'][:, 5:] = True
    gradients = []
    for filler in (0.0, 1e6):
        batch['action'][:, 5:] = filler
        policy.zero_grad()
        policy(batch)[0].backward()
        gradients.append([p.grad.clone() for p in policy.parameters()])
    assert any(g.abs().any() for g in gradients[0])
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_padded_steps_have_no_effect_on_the_gradient_of_the_flow():
    """The path mixes padded rows into the network's input, so its output stands for the network."""
    policy = tiny_policy('flow')
    batch = random_batch(policy, 4)
    batch['action_is_pad'][:, 5:] = True
    outputs = []

    def network(chunk, tau, condition):
        outputs.append(torch.zeros_like(chunk, requires_grad=True))
        return outputs[-1]

    policy.backbone.forward = network
    policy(batch)[0].backward()
    gradient = outputs[0].grad.abs()
    assert float(gradient[:, 5:].sum()) == 0.0
    assert float(gradient[:, :5].sum()) > 0.0


@pytest.mark.parametrize('head', HEADS)
def test_a_wholly_padded_batch_has_zero_loss(head):
    policy = tiny_policy(head)
    batch = random_batch(policy, 2)
    batch['action_is_pad'][:] = True
    loss, log = policy(batch)
    assert log.get('chunk', loss.item()) == 0.0


def test_masked_loss_is_the_mean_over_valid_values():
    policy = tiny_policy('bc', state_noise=0.0, random_shift=0)
    batch = random_batch(policy, 3)
    batch['action_is_pad'][0, 2:] = True
    loss, log = policy(batch)
    error = torch.square(policy.predict_action_chunk(batch) - batch['action'])
    expected = error[~batch['action_is_pad']].mean()
    torch.testing.assert_close(loss, expected)
    assert log['loss'] == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ('head', 'options', 'evaluations'),
    [
        ('bc', {}, 1),
        ('bc', {'likelihood': 'gaussian'}, 1),
        ('cvae', {}, 1),
        ('cvae', {'latent': 'sample'}, 1),
        ('diffusion', {}, 10),
        ('diffusion', {'noise_scheduler_type': 'DDPM', 'num_inference_steps': 100}, 100),
        ('flow', {}, 10),
        ('flow', {'num_inference_steps': 4}, 4),
        ('flow', {'num_inference_steps': 4, 'solver': 'midpoint'}, 8),
        ('flow', {'num_inference_steps': 4, 'solver': 'heun'}, 7),
    ],
)
def test_observation_is_encoded_once_per_chunk(head, options, evaluations):
    policy = tiny_policy(head, **options)
    encodings, cameras = count_calls(policy.encoder), count_calls(policy.encoder.cameras[0])
    forwards = count_calls(policy.backbone)
    policy.predict_action_chunk(random_batch(policy, 2))
    assert (len(encodings), len(cameras)) == (1, 1)
    assert policy.backbone.evaluations == len(forwards) == evaluations


@pytest.mark.parametrize('head', ['diffusion', 'flow'])
def test_draws_share_one_encoding(head):
    policy = tiny_policy(head, draws_per_observation=4).train()
    encodings = count_calls(policy.encoder)
    seen = []
    policy.backbone.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    policy(random_batch(policy, 3))
    assert len(encodings) == 1
    assert seen == [12]


def test_draws_belong_to_their_observation():
    """With a backbone that returns the observation's own chunk the loss vanishes."""
    policy = tiny_policy('flow', cameras=(), action_dim=16, draws_per_observation=3)
    batch = random_batch(policy, 5)
    policy.backbone.forward = lambda chunk, tau, condition: condition.tokens
    condition = policy.condition(batch)
    assert policy.chunk_loss(condition, condition.tokens).chunk.abs().max().item() == 0.0


@pytest.mark.parametrize('head', HEADS)
def test_select_action_asks_again_after_n_action_steps(head):
    policy = tiny_policy(head, n_action_steps=5)
    batch = random_batch(policy, 1)
    encodings = count_calls(policy.encoder)
    actions = [policy.select_action(batch) for _ in range(11)]
    assert len(encodings) == 3
    assert actions[0].shape == (1, 9)
    policy.reset()
    policy.select_action(batch)
    assert len(encodings) == 4


@pytest.mark.parametrize('head', HEADS)
def test_every_parameter_matters_to_the_loss(head):
    policy = tiny_policy(head)
    with torch.no_grad():
        for block in policy.backbone.blocks:  # zero at the start, so that nothing flows through it
            block.modulation.weight.normal_(std=0.1)
    policy(random_batch(policy, 4))[0].backward()
    idle = {name for name, p in policy.named_parameters() if p.grad is None or not p.grad.abs().any()}
    assert idle == ({'backbone.action_in.weight'} if head in ('bc', 'cvae') else set())


def test_uint8_and_float_images_give_the_same_chunk():
    policy = tiny_policy('bc').eval()
    batch = random_batch(policy, 2)
    floats = batch | {key: batch[key].float() / 255 for key in (FRONT, WRIST)}
    torch.testing.assert_close(
        policy.predict_action_chunk(batch), policy.predict_action_chunk(floats)
    )


def test_any_camera_shape_is_taken():
    policy = tiny_policy('flow')
    batch = random_batch(policy, 2, image_size=(48, 64))
    batch[WRIST] = batch[WRIST].transpose(2, 3)
    assert policy.predict_action_chunk(batch).shape == (2, 8, 9)


def test_resize_averages_and_leaves_a_fitting_image_alone():
    checker = torch.zeros(1, 3, 64, 96)
    checker[..., ::2] = 1.0
    small = resize(checker, (32, 48))
    assert small.shape == (1, 3, 32, 48)
    assert float((small[..., 2:-2] - 0.5).abs().max()) < 0.06
    assert resize(checker, (64, 96)) is checker


def test_unit_range():
    torch.testing.assert_close(
        to_unit_range(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)), torch.tensor([[[[-1.0, 1.0]]]])
    )
    torch.testing.assert_close(
        to_unit_range(torch.tensor([[[[0.0, 0.5]]]])), torch.tensor([[[[-1.0, 0.0]]]])
    )


def test_random_shift_moves_whole_images_by_whole_pixels():
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)
    shifted = random_shift(images, 2)
    padded = torch.nn.functional.pad(images.float(), (2, 2, 2, 2), mode='replicate').byte()
    found = []
    for image, before in zip(shifted, padded, strict=True):
        places = [(y, x) for y in range(5) for x in range(5)
                  if torch.equal(image, before[:, y:y + 16, x:x + 16])]
        assert len(places) == 1
        found += places
    assert len(set(found)) > 5


def test_augmentation_is_for_training_only():
    policy = tiny_policy('bc')
    batch = random_batch(policy, 2)

    def embedding():
        return policy.condition(batch).embedding

    policy.eval()
    torch.testing.assert_close(embedding(), embedding(), rtol=0, atol=0)
    policy.train()
    assert not torch.equal(embedding(), embedding())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'n_action_steps': 9}, r'n_action_steps 9 is outside 1\.\.8'),
        ({'n_obs_steps': 2}, 'looks at 1 observation'),
        ({'image_size': (30, 32)}, 'multiples of 16'),
        ({'solver': 'rk4'}, "solver 'rk4' is none of euler, midpoint, heun"),
        ({'prediction': 'noise'}, "prediction 'noise' is none of sample, velocity"),
        ({'draws_per_observation': 0}, 'draws_per_observation must be at least 1'),
        ({'width': 8}, 'cannot carry the noise through'),
    ],
)
def test_bad_configurations_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiny_policy('flow', **options)


def test_noise_of_a_wrong_shape_is_refused():
    policy = tiny_policy('flow')
    with pytest.raises(ValueError, match=r'noise must be of shape \(2, 8, 9\), got \(2, 9\)'):
        policy.predict_action_chunk(random_batch(policy, 2), noise=torch.zeros(2, 9))


def test_optimizer_state_is_contiguous_after_a_step():
    """LeRobot saves it as safetensors, which refuse anything else."""
    policy = tiny_policy('flow')
    optimizer = torch.optim.AdamW(policy.get_optim_params())
    policy(random_batch(policy, 2))[0].backward()
    optimizer.step()
    states = [value for state in optimizer.state.values() for value in state.values()]
    assert states
    assert all(value.is_contiguous() for value in states)
