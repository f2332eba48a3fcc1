"""An SO-101 leader arm through LeRobot's teleoperator. LeRobot is imported when it connects."""

from pathlib import Path

import numpy as np

from kiwi_policy.core.features import JOINTS
from kiwi_policy.hardware.interface import HardwareError


class LeaderArm:
    """The pose of a leader arm that a person moves.

    Args:
        port: its serial device.
        calibration: LeRobot's calibration file of it, <folder>/<id>.json.

    Raises:
        HardwareError: LeRobot has no such teleoperator, the file is missing, the arm does not answer, or its
            servos hold another calibration.
    """

    def __init__(self, port, calibration):
        path = Path(calibration).expanduser()
        if not path.is_file():
            raise HardwareError(f'calibration {calibration!r} of the leader arm is no file: lerobot-calibrate '
                                f'--teleop.type=so101_leader --teleop.port={port} --teleop.id=NAME makes one')
        make, config = _teleoperator()
        self._arm = make(config(port=port, id=path.stem, calibration_dir=path.parent))
        self._port = port
        try:
            self._arm.connect(calibrate=False)
            calibrated = self._arm.is_calibrated
        except Exception as error:
            raise HardwareError(f'no leader arm on {port}: {" ".join(str(error).split())}') from error
        if not calibrated:
            self.close()
            raise HardwareError(f'the leader arm on {port} holds another calibration than {path}: use the file it was '
                                'calibrated with, or calibrate it again with lerobot-calibrate')

    def read(self):
        """(6,) positions: five joints in deg, gripper in percent. HardwareError where the arm does not answer."""
        try:
            pose = self._arm.get_action()
        except Exception as error:
            raise HardwareError(f'the leader arm on {self._port} does not answer: {" ".join(str(error).split())}') from error
        missing = [joint for joint in JOINTS if f'{joint}.pos' not in pose]
        if missing:
            raise HardwareError(f'the leader arm on {self._port} lacks {", ".join(missing)}')
        return np.array([pose[f'{joint}.pos'] for joint in JOINTS], dtype=float)

    def close(self):
        """Let go of the port."""
        if self._arm.is_connected:
            self._arm.disconnect()


def _teleoperator():
    """(class, config class) of the installed LeRobot, whose module has had two names."""
    try:
        from lerobot.teleoperators.so_leader import SO101Leader, SO101LeaderConfig
    except ImportError:
        try:
            from lerobot.teleoperators.so101_leader import SO101Leader, SO101LeaderConfig
        except ImportError as error:
            raise HardwareError('the installed LeRobot has no SO-101 leader (lerobot.teleoperators.so_leader or '
                                f'so101_leader): {error}') from error
    return SO101Leader, SO101LeaderConfig
