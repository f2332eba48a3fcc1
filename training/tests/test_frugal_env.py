"""Rendering on demand: what is shown equals what the full environment shows, for either task."""

import numpy as np
import pytest

from kiwi_sim.env import ForkEnv
from kiwi_sim.forced_fork import ForcedForkEnv
from kiwi_training.frugal_env import FrugalForcedForkEnv, FrugalForkEnv


@pytest.mark.parametrize(('full', 'frugal'), [(ForkEnv, FrugalForkEnv), (ForcedForkEnv, FrugalForcedForkEnv)])
def test_the_frugal_environment_shows_what_the_full_one_shows(full, frugal):
    full, frugal = full((24, 32)), frugal((24, 32), ('front', 'wrist'))
    (expected, info), (observation, frugal_info) = full.reset(seed=4), frugal.reset(seed=4)
    assert info == frugal_info
    assert full.time_limit == frugal.time_limit
    for _ in range(3):
        assert set(observation) == {'observation.state'}
        complete = frugal.complete(observation)
        assert set(complete) == set(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(complete[key], value)
        action = expected['observation.state'] + 1.0
        expected, observation = full.step(action)[0], frugal.step(action)[0]
    full.close()
    frugal.close()
