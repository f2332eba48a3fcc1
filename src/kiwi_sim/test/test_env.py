"""The gymnasium environment: contract, repeatability, and what its cameras see."""

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from kiwi_policy.core import features
from kiwi_sim.env import ForkEnv


@pytest.fixture
def env():
    env = ForkEnv()
    yield env
    env.close()


def _run(env, seed, ticks):
    rng = np.random.default_rng(9)
    observation, _ = env.reset(seed=seed)
    observations = [observation]
    for _ in range(ticks):
        scatter = rng.normal(size=9) * [4, 4, 4, 4, 4, 10, 0.1, 0.1, 20]
        observations.append(env.step(observation['observation.state'] + scatter)[0])
    return observations


def test_same_seed_and_actions_give_the_same_states_and_pictures(env):
    first = _run(env, seed=3, ticks=25)
    other = ForkEnv()
    second = _run(other, seed=3, ticks=25)
    other.close()
    for one, two in zip(first, second):
        assert one.keys() == two.keys()
        for key in one:
            assert one[key].tobytes() == two[key].tobytes(), key
    assert first[0]['observation.state'].tobytes() != first[-1]['observation.state'].tobytes()


def test_observations_and_spaces_agree(env):
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert set(observation) == {'observation.state', 'observation.images.front', 'observation.images.wrist'}
    assert info['seed'] == 0
    assert (info['success'], info['post_hit'], info['lifted'], info['side']) == (False, False, False, 'none')


def test_gymnasium_finds_nothing_to_complain_about():
    with warnings.catch_warnings():
        warnings.filterwarnings('error')
        warnings.filterwarnings('ignore', message='.*(Box action space|Box observation space).*')
        check_env(ForkEnv(cameras=()), skip_render_check=True)


def test_the_time_limit_truncates():
    env = ForkEnv(cameras=(), time_limit=0.1)
    hold = env.reset(seed=0)[0]['observation.state']
    assert [env.step(hold)[3] for _ in range(3)] == [False, False, True]


def test_seeds_are_drawn_when_none_is_given():
    env = ForkEnv(cameras=())
    env.reset(seed=1)
    seeds = {env.reset()[1]['seed'] for _ in range(3)}
    assert len(seeds) == 3


def test_unknown_cameras_are_refused():
    with pytest.raises(ValueError, match="unknown cameras.*rear.*front.*overview.*wrist"):
        ForkEnv(cameras=('rear',))


def _coloured(picture, colour):
    """Pixels whose `colour` channel stands out, as a boolean (height, width)."""
    strong = picture[..., colour]
    others = np.delete(picture, colour, axis=-1).max(axis=-1)
    return (strong > 90) & (strong > 1.6 * others)


@pytest.mark.parametrize('seed', range(8))
def test_the_front_camera_sees_cube_and_post_at_the_start(env, seed):
    picture = env.reset(seed=seed)[0]['observation.images.front']
    red, green, blue = (_coloured(picture, colour).sum() for colour in range(3))
    assert red > 40
    assert green > 40
    assert blue > 5


def test_the_overview_sees_the_whole_scene_at_video_size(env):
    env.reset(seed=0)
    picture = env.render_view('overview', 480, 640)
    assert picture.shape == (480, 640, 3)
    assert all(_coloured(picture, colour).sum() > 100 for colour in range(3))


def test_the_same_action_units_go_in_and_out(env):
    observation, _ = env.reset(seed=2)
    hold = observation['observation.state']
    for _ in range(15):
        observation, *_ = env.step(hold)
    np.testing.assert_allclose(
        observation['observation.state'][features.POSITIONS], hold[features.POSITIONS], atol=1.0
    )
