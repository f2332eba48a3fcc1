"""Loading checkpoint folders: ours, LeRobot's act and diffusion, and folders that are none."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from heads_support import FRONT, WRIST, lekiwi_policy, lekiwi_stats, tiny_policy
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors

from kiwi_policy.core.features import NAMES, UNITS
from kiwi_policy.core.prefix import Prefix
from kiwi_policy.heads.checkpoint import CheckpointError
from kiwi_policy.heads.info import ActionStepsError, check_action_steps
from kiwi_policy.heads.loader import load_policy


def save(policy, folder, stats=None):
    stats = stats or lekiwi_stats()
    for key in policy.config.image_features:
        stats[key] = {name: torch.full((3, 1, 1), value)
                      for name, value in (('mean', 0.5), ('std', 0.2), ('min', 0.0), ('max', 1.0))}
    policy.eval().save_pretrained(folder)
    for processor in make_pre_post_processors(policy.config, dataset_stats=stats):
        processor.save_pretrained(folder)
    return folder


def lerobot_policy(config_class, image_size=(32, 32), **options):
    features = {'observation.state': PolicyFeature(FeatureType.STATE, (9,))}
    features |= {key: PolicyFeature(FeatureType.VISUAL, (3, *image_size)) for key in (FRONT, WRIST)}
    config = config_class(
        input_features=features,
        output_features={'action': PolicyFeature(FeatureType.ACTION, (9,))},
        device='cpu', pretrained_backbone_weights=None, **options,
    )
    return get_policy_class(config.type)(config)


def tiny_act(**options):
    return lerobot_policy(
        ACTConfig, **({'chunk_size': 12, 'n_action_steps': 12} | options), dim_model=16, n_heads=2,
        dim_feedforward=16, n_encoder_layers=1, n_decoder_layers=1, n_vae_encoder_layers=1,
    )


def tiny_diffusion(**options):
    return lerobot_policy(
        DiffusionConfig, horizon=16, n_action_steps=8, down_dims=(16, 32), n_groups=4,
        diffusion_step_embed_dim=8, noise_scheduler_type='DDIM', num_inference_steps=5,
        spatial_softmax_num_keypoints=4, use_group_norm=True, **options,
    )


def observation(seed=0, size=(32, 32)):
    rng = np.random.default_rng(seed)
    state = lekiwi_stats()['observation.state']['mean'].numpy() + rng.normal(size=9)
    images = {key: rng.integers(0, 256, (*size, 3), dtype=np.uint8) for key in (FRONT, WRIST)}
    return {'observation.state': state.astype(np.float32)} | images


@pytest.fixture(scope='module')
def flow_folder(tmp_path_factory):
    torch.manual_seed(0)
    return save(lekiwi_policy('flow', n_action_steps=6), tmp_path_factory.mktemp('flow'))


@pytest.fixture(scope='module')
def act_folder(tmp_path_factory):
    return save(tiny_act(), tmp_path_factory.mktemp('act'))


@pytest.fixture(scope='module')
def diffusion_folder(tmp_path_factory):
    return save(tiny_diffusion(), tmp_path_factory.mktemp('diffusion'))


@pytest.mark.parametrize(('head', 'evaluations'), [('bc', 1), ('cvae', 1), ('diffusion', 10), ('flow', 10)])
def test_round_trip_gives_the_same_chunk(head, evaluations, tmp_path):
    torch.manual_seed(0)
    policy = lekiwi_policy(head).eval()
    save(policy, tmp_path)
    pre, post = make_pre_post_processors(policy.config, dataset_stats=lekiwi_stats())
    seen = observation()
    batch = {'observation.state': torch.from_numpy(seen['observation.state'])}
    batch |= {key: torch.from_numpy(seen[key]).permute(2, 0, 1) for key in (FRONT, WRIST)}
    torch.manual_seed(5)
    expected = post(policy.predict_action_chunk(pre(batch)))[0].numpy()
    got = load_policy(tmp_path).predict([seen], rng=5)
    np.testing.assert_allclose(got.actions, expected, rtol=1e-5, atol=1e-5)
    assert got.actions.dtype == np.float32
    assert got.evaluations == evaluations


def test_info_of_our_checkpoint(flow_folder):
    info = load_policy(flow_folder).info
    assert (info.head, info.horizon, info.n_action_steps, info.n_obs_steps) == ('kiwi_flow', 8, 6, 1)
    assert info.period == pytest.approx(1 / 30)
    assert (info.names, info.units, info.cameras) == (NAMES, UNITS, ('front', 'wrist'))
    np.testing.assert_allclose(info.action_spread, [20, 25, 30, 15, 1, 30, 0.08, 0.02, 10])
    assert len(info.digest) == 16
    assert int(info.digest, 16) >= 0
    assert info.notes == ()


def test_digest_is_the_weights_sha256(flow_folder):
    import hashlib

    content = (flow_folder / 'model.safetensors').read_bytes()
    assert load_policy(flow_folder).info.digest == hashlib.sha256(content).hexdigest()[:16]


@pytest.mark.parametrize('folder', ['flow_folder', 'diffusion_folder'])
def test_same_seed_same_chunk(folder, request):
    policy = load_policy(request.getfixturevalue(folder))
    first, again, other = (policy.predict([observation()], rng=seed).actions for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_generator_is_drawn_from_and_the_global_one_left_alone(flow_folder):
    policy = load_policy(flow_folder)
    generator = torch.Generator().manual_seed(1)
    before = torch.get_rng_state()
    first, second = (policy.predict([observation()], rng=generator).actions for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert not np.array_equal(first, second)
    again = policy.predict([observation()], rng=torch.Generator().manual_seed(1)).actions
    np.testing.assert_array_equal(first, again)


def test_our_policy_takes_any_camera_size(flow_folder):
    assert load_policy(flow_folder).predict([observation(size=(60, 80))], rng=0).actions.shape == (8, 9)


def test_sampling_overrides(flow_folder, act_folder):
    policy = load_policy(flow_folder, num_inference_steps=3, solver='midpoint')
    assert policy.predict([observation()], rng=0).evaluations == 6
    assert policy.info.notes == ('num_inference_steps set to 3', 'solver set to midpoint')
    with pytest.raises(ValueError, match="solver 'rk4' is none of"):
        load_policy(flow_folder, solver='rk4')
    with pytest.raises(ValueError, match="kiwi_flow has no sampling option 'width'; it has num_inf"):
        load_policy(flow_folder, width=4)
    with pytest.raises(ValueError, match="act has no sampling option 'solver'; it has none"):
        load_policy(act_folder, solver='euler')


@pytest.mark.parametrize('head', ['flow', 'diffusion'])
def test_a_prefix_is_continued_in_the_datasets_units(head, tmp_path):
    torch.manual_seed(0)
    save(lekiwi_policy(head), tmp_path)
    mean, std = (lekiwi_stats()['action'][name].numpy() for name in ('mean', 'std'))
    rows = mean + 0.5 * std * np.random.default_rng(0).uniform(-1, 1, (20, 9))
    free = load_policy(tmp_path).predict([observation()], rng=3)
    assert free.actions.shape == (8, 9)
    policy = load_policy(tmp_path, prefix_conditioning='project')
    for planned in (5, 20):
        got = policy.predict([observation()], rng=3, prefix=Prefix(rows[:planned], 3))
        np.testing.assert_allclose(got.actions[:3], rows[:3], rtol=1e-4, atol=1e-4)
        assert not np.allclose(got.actions[3:], free.actions[3:], atol=1e-3)
        assert got.evaluations == free.evaluations == 10
    strict = load_policy(tmp_path, prefix_conditioning='project', prefix_overlap=0)
    np.testing.assert_array_equal(strict.predict([observation()], rng=3, prefix=Prefix(rows, 3)).actions,
                                  policy.predict([observation()], rng=3, prefix=Prefix(rows[:3], 3)).actions)
    for nothing in (None, Prefix(rows[:0], 0)):
        got = policy.predict([observation()], rng=3, prefix=nothing)
        np.testing.assert_array_equal(got.actions, free.actions)


@pytest.mark.parametrize('head', ['flow', 'diffusion'])
def test_guidance_draws_a_chunk_to_the_prefix(head, tmp_path):
    torch.manual_seed(0)
    save(lekiwi_policy(head), tmp_path)
    policy = load_policy(tmp_path, prefix_conditioning='guidance', guidance_limit=5.0)
    assert policy.info.notes == ('prefix_conditioning set to guidance', 'guidance_limit set to 5.0')
    free = policy.predict([observation()], rng=3)
    rows = free.actions + 0.3 * lekiwi_stats()['action']['std'].numpy()
    got = policy.predict([observation()], rng=3, prefix=Prefix(rows, 8))
    assert np.isfinite(got.actions).all() and got.evaluations == free.evaluations
    assert not np.allclose(got.actions, free.actions, atol=1e-3)


def test_what_continues_a_prefix_says_so(flow_folder, act_folder):
    assert (load_policy(flow_folder).info.prefix_conditioning, load_policy(act_folder).info.prefix_conditioning) == (
        'none', None)
    assert not load_policy(flow_folder, prefix_conditioning='none').info.continues_prefix
    continuing = load_policy(flow_folder, prefix_conditioning='project').info
    assert continuing.continues_prefix and continuing.notes == ('prefix_conditioning set to project',)
    act = load_policy(act_folder, prefix_conditioning='none')
    assert not act.info.continues_prefix
    plan = Prefix(np.ones((3, 9)), 2)
    np.testing.assert_array_equal(act.predict([observation()], prefix=plan).actions,
                                  act.predict([observation()]).actions)
    with pytest.raises(ValueError, match="act has no sampling option 'prefix_conditioning'"):
        load_policy(act_folder, prefix_conditioning='project')
    with pytest.raises(ValueError, match="prefix_conditioning 'soft' is none of none, project, guidance"):
        load_policy(flow_folder, prefix_conditioning='soft')


@pytest.mark.parametrize('rows', [np.zeros((3, 8)), np.zeros(9), np.full((3, 9), np.nan)])
def test_a_prefix_that_does_not_fit_is_refused(flow_folder, rows):
    policy = load_policy(flow_folder, prefix_conditioning='project')
    with pytest.raises(ValueError, match=r'rows of a prefix must be finite and of shape \(R, 9\)'):
        policy.predict([observation()], prefix=Prefix(rows, 1))


def test_act(act_folder):
    policy = load_policy(act_folder)
    got = policy.predict([observation(1), observation(2)], rng=0)
    assert (policy.info.head, policy.info.horizon, policy.info.n_action_steps) == ('act', 12, 12)
    assert got.actions.shape == (12, 9)
    assert got.evaluations == 1
    assert policy.info.period is None
    assert policy.info.names == NAMES
    assert 'names no actions' in policy.info.notes[0]
    np.testing.assert_array_equal(got.actions, policy.predict([observation(2)], rng=1).actions)


def test_diffusion_returns_every_row_and_reads_a_history(diffusion_folder):
    policy = load_policy(diffusion_folder)
    info = policy.info
    assert (info.head, info.horizon, info.n_action_steps, info.n_obs_steps) == ('diffusion', 15, 8, 2)
    assert 'n_action_steps 15 (horizon 16 - 2 observations + 1)' in info.notes[0]
    got = policy.predict([observation(1), observation(2)], rng=0)
    assert got.actions.shape == (15, 9)
    assert got.evaluations == 5
    first = policy.predict([observation(0), observation(2)], rng=0).actions
    assert not np.allclose(got.actions, first)
    older = policy.predict([observation(0), observation(1), observation(2)], rng=0).actions
    np.testing.assert_array_equal(got.actions, older)


def test_a_short_history_repeats_its_oldest(diffusion_folder):
    policy = load_policy(diffusion_folder)
    np.testing.assert_array_equal(
        policy.predict([observation(2)], rng=0).actions,
        policy.predict([observation(2), observation(2)], rng=0).actions,
    )


def test_diffusion_evaluations_follow_its_sampler(diffusion_folder):
    policy = load_policy(diffusion_folder, num_inference_steps=3)
    assert policy.predict([observation()], rng=0).evaluations == 3


def test_images_of_another_size_are_resized_and_said_once(act_folder, caplog):
    policy = load_policy(act_folder)
    with caplog.at_level('WARNING'):
        policy.predict([observation(size=(48, 64))], rng=0)
        policy.predict([observation(size=(48, 64))], rng=0)
    said = [record.getMessage() for record in caplog.records if 'resized' in record.getMessage()]
    assert len(said) == 2  # once per camera
    assert f'{FRONT}: images of 48 x 64 are resized to the 32 x 32' in said[0]


def test_read_only_images_are_taken(flow_folder):
    seen = observation()
    seen[FRONT].flags.writeable = False
    assert load_policy(flow_folder).predict([seen], rng=0).actions.shape == (8, 9)


def test_observations_are_checked(flow_folder):
    policy = load_policy(flow_folder)
    seen = observation()
    with pytest.raises(ValueError, match='holds no observation'):
        policy.predict([])
    with pytest.raises(ValueError, match=f"needs '{WRIST}', the observation has"):
        policy.predict([{key: value for key, value in seen.items() if key != WRIST}])
    with pytest.raises(ValueError, match=r"state 'observation.state' must be of shape \(9,\), got \(6,\)"):
        policy.predict([seen | {'observation.state': np.zeros(6)}])
    with pytest.raises(ValueError, match='must be uint8 .height, width, 3., got float64'):
        policy.predict([seen | {FRONT: np.zeros((32, 32, 3))}])


def test_missing_folder():
    with pytest.raises(CheckpointError, match="'/no/such' does not exist; expected a local folder with"):
        load_policy('/no/such')


def test_the_step_folder_around_it_will_do(flow_folder, tmp_path):
    shutil.copytree(flow_folder, tmp_path / 'pretrained_model')
    assert load_policy(tmp_path).info.digest == load_policy(flow_folder).info.digest


@pytest.mark.parametrize(
    'name',
    ['config.json', 'model.safetensors', 'policy_preprocessor.json', 'policy_postprocessor.json'],
)
def test_missing_file_is_named(flow_folder, tmp_path, name):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f'holds no {name}; found .*, expected config.json'):
        load_policy(folder)


def test_missing_processor_state_is_named(flow_folder, tmp_path):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    name = 'policy_preprocessor_step_3_normalizer_processor.safetensors'
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f'holds no {name}, which policy_preprocessor.json needs'):
        load_policy(folder)


@pytest.mark.parametrize('name', ['pytorch_model.bin', 'last.ckpt', 'policy.pt', 'weights.pkl'])
def test_pickled_weights_are_refused(flow_folder, tmp_path, name):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    (folder / 'model.safetensors').rename(folder / name)
    with pytest.raises(CheckpointError, match=f'holds {name} but no model.safetensors: pickled'):
        load_policy(folder)


def test_weights_that_are_no_safetensors(flow_folder, tmp_path):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    (folder / 'model.safetensors').write_bytes(b'version https://git-lfs.github.com/spec/v1')
    with pytest.raises(CheckpointError, match='do not fit its config.json'):
        load_policy(folder)


def edit(folder, name, change):
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))


def test_weights_of_another_network(flow_folder, tmp_path):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    edit(folder, 'config.json', lambda config: config.update(width=24))
    with pytest.raises(CheckpointError, match='do not fit its config.json'):
        load_policy(folder)


def test_unknown_type(flow_folder, tmp_path):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    edit(folder, 'config.json', lambda config: config.update(type='kiwi_magic'))
    with pytest.raises(CheckpointError, match="'kiwi_magic'.* is not registered"):
        load_policy(folder)


def test_no_type_and_no_json(flow_folder, tmp_path):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    edit(folder, 'config.json', lambda config: config.pop('type'))
    with pytest.raises(CheckpointError, match='names no policy type'):
        load_policy(folder)
    (folder / 'config.json').write_text('{')
    with pytest.raises(CheckpointError, match='is not valid JSON'):
        load_policy(folder)


def test_a_processor_that_names_a_class_is_refused(flow_folder, tmp_path):
    folder = shutil.copytree(flow_folder, tmp_path / 'copy')
    step = {'class': 'subprocess.Popen', 'config': {'args': 'true'}}
    edit(folder, 'policy_preprocessor.json', lambda pipeline: pipeline['steps'].append(step))
    with pytest.raises(CheckpointError, match="names the class 'subprocess.Popen' to import"):
        load_policy(folder)


@pytest.mark.parametrize(('steps', 'accepted'), [(8, True), (4, True), (3, False), (1, False)])
def test_action_steps_below_half_the_chunk_are_refused(flow_folder, steps, accepted):
    info = dataclasses.replace(load_policy(flow_folder).info, n_action_steps=steps)
    if accepted:
        check_action_steps(info)
    else:
        with pytest.raises(ActionStepsError, match=f'n_action_steps {steps} is below half .*4..8'):
            check_action_steps(info)
    check_action_steps(info, override=True)


def test_temporal_ensembling_may_ask_every_step(tmp_path):
    save(tiny_act(n_action_steps=1, temporal_ensemble_coeff=0.01), tmp_path)
    info = load_policy(tmp_path).info
    assert info.temporal_ensembling
    check_action_steps(info)
    with pytest.raises(ActionStepsError):
        check_action_steps(dataclasses.replace(info, temporal_ensembling=False))


def test_a_policy_without_known_names(tmp_path):
    policy = tiny_policy('bc', action_dim=2, state_dim=3, cameras=())
    save(policy, tmp_path, stats={
        'observation.state': {'mean': torch.zeros(3), 'std': torch.ones(3)},
        'action': {'mean': torch.zeros(2), 'std': torch.ones(2)},
    })
    info = load_policy(tmp_path).info
    assert (info.names, info.units, info.period) == (('action_0', 'action_1'), ('', ''), None)
