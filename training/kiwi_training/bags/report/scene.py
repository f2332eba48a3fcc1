"""The scene from above: where robot, cube, post and disc were, or the way the wheels say the robot went."""

from functools import cache

import numpy as np

from kiwi_policy.core.features import BASE

FROM_SIMULATION = 'From above, as the simulation knew it: the robot\'s path, and the cube\'s in blue.'
FROM_WHEELS = 'From above, added up from the measured base velocity: slip and drift are in it.'


def scene(material):
    """JSON-ready dict of the scene over time, None where the base neither moved nor is known; and its caption."""
    if material.task is not None:
        task, furniture = material.task, _furniture()
        return {
            't': _rounded(task.seconds, 3), 'base': _rounded(task.base, 4), 'cube': _rounded(task.cube[:, :2], 4),
            'target': _rounded(task.target[-1, :2], 4), 'target_radius': furniture['target_radius'],
            'post': furniture['post'], 'post_radius': furniture['post_radius'], 'robot': True,
        }, FROM_SIMULATION
    path = dead_reckoning(np.asarray(material.ticks.measured)[:, BASE], material.seconds)
    if np.ptp(path[:, :2], axis=0).max() < 0.01:
        return None, ''
    return {'t': _rounded(material.seconds, 3), 'base': _rounded(path, 4), 'cube': [], 'target': None,
            'target_radius': 0, 'post': None, 'post_radius': 0, 'robot': True}, FROM_WHEELS


def dead_reckoning(velocity, seconds):
    """Path (T, 3) in m, m, rad from body velocities (T, 3) in m/s, m/s, deg/s; unknown ones count as rest."""
    velocity = np.nan_to_num(np.asarray(velocity, dtype=float))
    spacing = np.diff(seconds, prepend=seconds[:1])
    heading = np.cumsum(np.deg2rad(velocity[:, 2]) * spacing)
    cos, sin = np.cos(heading), np.sin(heading)
    x = np.cumsum((cos * velocity[:, 0] - sin * velocity[:, 1]) * spacing)
    y = np.cumsum((sin * velocity[:, 0] + cos * velocity[:, 1]) * spacing)
    return np.stack([x, y, heading], axis=1)


@cache
def _furniture():
    from kiwi_training.bakeoff.summary import scene as furniture

    return furniture()


def _rounded(values, digits):
    return np.round(np.asarray(values, dtype=float), digits).tolist()
