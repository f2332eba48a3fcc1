"""Which OpenGL to render with on a machine without a display."""

import os

HEADLESS = ('egl', 'osmesa')
_OFF = ('', 'disable', 'disabled', 'off', 'false', '0')


def gl_backends():
    """Values of MUJOCO_GL to try in turn: the one in the environment, or EGL and then OSMesa."""
    chosen = os.environ.get('MUJOCO_GL', '').lower()
    return HEADLESS if chosen in _OFF else (chosen,)
