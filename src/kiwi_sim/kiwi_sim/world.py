"""The simulated LeKiwi and the fork scene: physics, servos, ground truth. Knows nothing of ROS."""

import math
import threading
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from kiwi_policy.core import features
from kiwi_sim import kinematics
from kiwi_sim.servos import ServoUnits
from kiwi_sim.task import ForkTask

SCENE_PATH = Path(__file__).with_name('data') / 'fork.xml'
SUBSTEPS_PER_TICK = 16
"""Physics steps (1/480 s) in one control period (1/30 s)."""

START_POSE = np.array([0.0, -1.2, 1.0, 1.2, -1.57, 0.6])
"""Joint angles in rad at the start of an episode, before the seeded scatter."""

_LOAD_FULL_SCALE = 1000
_ARM_SERVOS = 6
_NUM_SERVOS = 9


@dataclass(frozen=True)
class ServoReading:
    """What a servo measures, in its own integers.

    Attributes:
        position: encoder ticks, 4096 to a turn.
        velocity: ticks/s, signed.
        load: tenths of a percent of the stall torque, signed.
    """

    position: int
    velocity: int
    load: int


class World:
    """MuJoCo world with servo-level access.

    Servo access, `state`, `command`, `advance` and `reset` may be called from any thread; hold `lock`
    around queries of the ground truth while another thread advances the world.

    Arm servos 1..6 are position servos; wheel servos 7..9 (left, back, right) are velocity servos
    whose goals drive the base through LeKiwi's wheel kinematics. Torque is on after construction.

    Attributes:
        model, data: the MuJoCo model and state; hold `lock` while touching `data`.
        lock: guards the state between the physics, bus and camera threads.
        units: the conversion between LeRobot units and encoder ticks.
        task: the judgement of the fork task, updated by every `advance`.
        seed: seed of the current episode.
    """

    def __init__(self, calibration=None):
        self.model = mujoco.MjModel.from_xml_path(str(SCENE_PATH))
        self.data = mujoco.MjData(self.model)
        self.lock = threading.RLock()
        self.units = ServoUnits(calibration)
        model = self.model
        joints = [model.joint(name) for name in features.JOINTS]
        self._joint_qpos = np.array([joint.qposadr[0] for joint in joints])
        self._joint_dof = np.array([joint.dofadr[0] for joint in joints])
        base = model.joint('base_x')
        self._base_qpos = slice(base.qposadr[0], base.qposadr[0] + 3)
        self._yaw_qpos = model.joint('base_yaw').qposadr[0]
        self._base_dof = slice(base.dofadr[0], base.dofadr[0] + 3)
        cube = model.joint('cube')
        self._cube_qpos = slice(cube.qposadr[0], cube.qposadr[0] + 7)
        self._cube_dof = slice(cube.dofadr[0], cube.dofadr[0] + 6)
        self._cube_geom = model.geom('cube').id
        self._post_geom = model.geom('post').id
        self._floor_geom = model.geom('floor').id
        self._target_mocap = model.body('target').mocapid[0]
        self._tip_site = model.site('tip').id
        self._gains = model.actuator_gainprm[:_ARM_SERVOS].copy()
        self._biases = model.actuator_biasprm[:_ARM_SERVOS].copy()
        self._stall = model.actuator_forcerange[:_ARM_SERVOS, 1].copy()
        self._torque = np.ones(_NUM_SERVOS, dtype=bool)
        self._goal_position = np.zeros(_ARM_SERVOS, dtype=np.int64)
        self._goal_speed = np.zeros(3, dtype=np.int64)
        self._body_goal = [0.0, 0.0, 0.0]
        self._wheel_angles = np.zeros(3)
        self.post_touched = False
        self.seed = None
        self.task = ForkTask(self)
        self.reset(0)

    def reset(self, seed, spread=1.0):
        """Start the episode of a seed: scatter robot, cube and disc, hold the arm, stop the base.

        Args:
            seed: of the scatter.
            spread: scatters over ranges so many times as wide as those of the demonstrations; 0 scatters nothing.
        """
        rng = np.random.default_rng([seed, 0])

        def scatter(low, high, count=None):
            drawn = rng.uniform(low, high, count)
            return drawn + (spread - 1.0) * (drawn - 0.5 * (low + high))

        with self.lock:
            data = self.data
            mujoco.mj_resetData(self.model, data)
            data.qpos[self._joint_qpos] = START_POSE + scatter(-0.03, 0.03, 6)
            data.qpos[self._base_qpos] = (
                scatter(-0.12, -0.05),
                scatter(-0.02, 0.02),
                math.radians(scatter(-5.0, 5.0)),
            )
            yaw = math.radians(scatter(-10.0, 10.0))
            data.qpos[self._cube_qpos] = (
                scatter(0.245, 0.285),
                scatter(-0.03, 0.03),
                0.0151,
                math.cos(yaw / 2),
                0.0,
                0.0,
                math.sin(yaw / 2),
            )
            data.mocap_pos[self._target_mocap] = (
                0.485 + scatter(-0.01, 0.01),
                scatter(-0.02, 0.02),
                0.001,
            )
            self._wheel_angles[:] = 0.0
            self._goal_position[:] = np.clip(
                self.units.read_positions(self.joint_angles()), self.units.low, self.units.high
            )
            data.ctrl[:_ARM_SERVOS] = self.units.goal_angles(self._goal_position)
            self._goal_speed[:] = 0
            self._update_base_goal()
            mujoco.mj_forward(self.model, data)
            self.post_touched = False
            self.seed = seed
            self.task.reset()

    def advance(self, substeps=SUBSTEPS_PER_TICK):
        """Advance the physics by `substeps` steps of 1/480 s under the servos' present goals."""
        with self.lock:
            model, data = self.model, self.data
            for _ in range(substeps):
                self._steer()
                mujoco.mj_step(model, data)
                if not self.post_touched:
                    self.post_touched = bool((data.contact.geom == self._post_geom).any())
            turned = kinematics.wheel_speeds(self.body_velocity()) * (substeps * model.opt.timestep)
            self._wheel_angles += turned
            mujoco.mj_kinematics(model, data)
            mujoco.mj_camlight(model, data)
            self.task.update()

    def state(self):
        """The nine values (9,) that LeRobot's LeKiwi would read now, in its units."""
        with self.lock:
            positions = self.units.read_positions(self.joint_angles())
            wheels = self.units.read_wheels(self.body_velocity())
        return self.units.decode(np.concatenate([positions, wheels]))

    def command(self, action):
        """Set all nine servo goals as LeRobot's LeKiwi would for an action (9,) in its units."""
        raw = self.units.encode(action)
        with self.lock:
            self._goal_position[:] = raw[:_ARM_SERVOS]
            self.data.ctrl[:_ARM_SERVOS] = self.units.goal_angles(self._goal_position)
            self._goal_speed[:] = raw[_ARM_SERVOS:]
            self._update_base_goal()

    def read_servo(self, servo_id):
        """`ServoReading` of servo 1..9."""
        index = _index(servo_id)
        with self.lock:
            if index >= _ARM_SERVOS:
                return self._read_wheel(index - _ARM_SERVOS)
            position = self.units.read_positions(self.joint_angles())[index]
            speed = self.data.qvel[self._joint_dof[index]]
            load = self.data.actuator_force[index] / self._stall[index]
        return ServoReading(
            position=int(position),
            velocity=round(speed * kinematics.TICKS_PER_TURN / (2 * math.pi)),
            load=round(load * _LOAD_FULL_SCALE),
        )

    def set_goal_position(self, servo_id, ticks):
        """Set an arm servo's goal in encoder ticks, clipped to its calibrated range.

        Raises:
            ValueError: the servo is not one of 1..6.
        """
        index = _index(servo_id)
        if index >= _ARM_SERVOS:
            raise ValueError(f'servo {servo_id} is a wheel; goal positions are for servos 1..6')
        with self.lock:
            self._goal_position[index] = min(self.units.high[index], max(self.units.low[index], ticks))
            self.data.ctrl[index] = self.units.goal_angles(self._goal_position)[index]

    def set_goal_velocity(self, servo_id, ticks_per_second):
        """Set a wheel servo's goal in signed ticks/s.

        Raises:
            ValueError: the servo is not one of 7..9.
        """
        index = _index(servo_id) - _ARM_SERVOS
        if index < 0:
            raise ValueError(f'servo {servo_id} is an arm servo; goal velocities are for servos 7..9')
        with self.lock:
            self._goal_speed[index] = ticks_per_second
            self._update_base_goal()

    def set_torque(self, servo_id, enabled):
        """Switch a servo's torque: off, an arm joint goes limp and a wheel comes to rest."""
        index = _index(servo_id)
        with self.lock:
            self._torque[index] = enabled
            if index < _ARM_SERVOS:
                self.model.actuator_gainprm[index] = self._gains[index] if enabled else 0.0
                self.model.actuator_biasprm[index] = self._biases[index] if enabled else 0.0
            else:
                self._update_base_goal()

    def joint_angles(self):
        """Arm joint angles (6,) in rad, gripper last."""
        return self.data.qpos[self._joint_qpos]

    def body_velocity(self):
        """Base velocity (3,) in its own frame: m/s forward, m/s left, rad/s."""
        x, y, turn = self.data.qvel[self._base_dof]
        yaw = self.data.qpos[self._base_qpos][2]
        cos, sin = math.cos(yaw), math.sin(yaw)
        return np.array([cos * x + sin * y, cos * y - sin * x, turn])

    def base_pose(self):
        """Base pose (3,) in the world: m, m, rad."""
        return self.data.qpos[self._base_qpos].copy()

    def cube_position(self):
        """Cube centre (3,) in the world, m."""
        return self.data.qpos[self._cube_qpos][:3].copy()

    def cube_velocity(self):
        """Cube velocity (6,) in the world: m/s, then rad/s."""
        return self.data.qvel[self._cube_dof].copy()

    def cube_held(self):
        """Whether anything but the floor touches the cube."""
        pairs = self.data.contact.geom
        touching = pairs[(pairs == self._cube_geom).any(axis=1)]
        return bool((touching != self._floor_geom).all(axis=1).any())

    def target_position(self):
        """Disc centre (2,) in the world, m."""
        return self.data.mocap_pos[self._target_mocap][:2].copy()

    def post_position(self):
        """Post axis (2,) in the world, m."""
        return self.model.geom_pos[self._post_geom][:2].copy()

    def tip_position(self):
        """Point between the fingertips (3,) in the world, m."""
        return self.data.site_xpos[self._tip_site].copy()

    @property
    def time(self):
        """Simulated s since the reset."""
        return self.data.time

    def _steer(self):
        """Turn the body velocity goal into the world frame, in which the base's actuators push."""
        x, y, turn = self._body_goal
        yaw = self.data.qpos[self._yaw_qpos]
        cos, sin = math.cos(yaw), math.sin(yaw)
        control = self.data.ctrl
        control[6] = cos * x - sin * y
        control[7] = sin * x + cos * y
        control[8] = turn

    def _read_wheel(self, index):
        speed = self.units.read_wheels(self.body_velocity())[index]
        turns = self._wheel_angles[index] / (2 * math.pi)
        return ServoReading(
            position=int(turns * kinematics.TICKS_PER_TURN) % kinematics.TICKS_PER_TURN,
            velocity=int(speed),
            load=0,
        )

    def _update_base_goal(self):
        goal = kinematics.wheel_raw_to_body(np.where(self._torque[_ARM_SERVOS:], self._goal_speed, 0))
        goal[2] = math.radians(goal[2])
        self._body_goal = goal.tolist()


def _index(servo_id):
    if not 1 <= servo_id <= _NUM_SERVOS:
        raise ValueError(f'servo id {servo_id} is not one of 1..{_NUM_SERVOS}')
    return servo_id - 1
