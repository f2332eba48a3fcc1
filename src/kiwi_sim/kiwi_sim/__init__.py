"""A simulated LeKiwi: MuJoCo world, gymnasium environment and emulated servo bus."""

import os

os.environ.setdefault('MUJOCO_GL', 'egl')  # pictures are rendered off screen; read when mujoco is imported
