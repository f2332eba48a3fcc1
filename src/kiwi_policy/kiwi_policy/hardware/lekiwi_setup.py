"""Checks and power-up of LeKiwi's servos through LeRobot's bus. Imports LeRobot: import it late.

A servo under torque in its right mode is left as it is. Any other one is configured while limp, and
gets its goal before its torque: the present position for the arm, zero velocity for the wheels.
"""

from lerobot.motors.feetech import OperatingMode

from kiwi_policy.hardware.interface import HardwareError

RETRIES = 2
_STATIC = {'Return_Delay_Time': 0, 'Maximum_Acceleration': 254, 'Acceleration': 254}
_ARM_GAINS = {'P_Coefficient': 16, 'I_Coefficient': 0, 'D_Coefficient': 32}
_MULTI_TURN_FEEDBACK = 0x10
"""Bit of the Phase register; LeRobot clears it so that positions stay within one turn."""


def check_servos(bus, port):
    """Check that every servo answers with its model number and that all run one firmware.

    Raises:
        HardwareError: naming the servos that are missing or of another model.
    """
    found = {name: bus.ping(name, num_retry=RETRIES) for name in bus.motors}
    missing = [f'{name} (id {bus.motors[name].id})' for name, model in found.items() if model is None]
    if len(missing) == len(found):
        raise HardwareError(f'no servo answers on {port}: is the motor power on, and is it the right port?')
    if missing:
        raise HardwareError(f'no answer on {port} from {", ".join(missing)}: check cable, power and id')
    wrong = [
        f'{name} (model {found[name]}, expected {bus.model_number_table[motor.model]})'
        for name, motor in bus.motors.items() if found[name] != bus.model_number_table[motor.model]
    ]
    if wrong:
        raise HardwareError(f'wrong servos on {port}: {", ".join(wrong)}')
    firmware = {
        name: tuple(_read(bus, f'Firmware_{part}_Version', name) for part in ('Major', 'Minor'))
        for name in bus.motors
    }
    if len(set(firmware.values())) > 1:
        listed = ', '.join(f'{name} {major}.{minor}' for name, (major, minor) in firmware.items())
        raise HardwareError(f'servos on {port} run different firmware: {listed}')


def check_calibration(bus, calibration, path):
    """Check that the servos hold the calibration of the file.

    Args:
        bus: LeRobot's bus.
        calibration: servo name -> LeRobot MotorCalibration, as loaded from `path`.
        path: the file, for the message.

    Raises:
        HardwareError: naming each register that differs.
    """
    if set(calibration) != set(bus.motors):
        raise HardwareError(f'{path} calibrates {sorted(calibration)}, expected {sorted(bus.motors)}')
    different = []
    for name, entry in calibration.items():
        expected = {
            'Homing_Offset': entry.homing_offset,
            'Min_Position_Limit': entry.range_min,
            'Max_Position_Limit': entry.range_max,
        }
        for register, value in expected.items():
            stored = _read(bus, register, name)
            if stored != value:
                different.append(f'{name} {register} is {stored}, the file says {value}')
    if different:
        raise HardwareError(
            f'the servos hold another calibration than {path}: {"; ".join(different)}. Use the file '
            f'this robot was calibrated with, or calibrate it again with lerobot-calibrate'
        )


def power_up(bus, arm, wheels):
    """Put all servos under torque at their present positions, wheels at rest.

    Args:
        bus: LeRobot's bus.
        arm: names of the position servos.
        wheels: names of the velocity servos.

    Raises:
        HardwareError: a servo does not take its torque.
    """
    position, velocity = OperatingMode.POSITION.value, OperatingMode.VELOCITY.value
    modes = dict.fromkeys(arm, position) | dict.fromkeys(wheels, velocity)
    pending = [name for name, mode in modes.items() if not _powered(bus, name, mode)]
    for name in pending:
        _configure(bus, name, modes[name], _ARM_GAINS if name in arm else {})
    for name in pending:
        if name in arm:
            _write(bus, 'Goal_Position', name, _read(bus, 'Present_Position', name))
    for name in wheels:
        _write(bus, 'Goal_Velocity', name, 0)
    for name in pending:
        _write(bus, 'Torque_Enable', name, 1)
    limp = [name for name in pending if _read(bus, 'Torque_Enable', name) != 1]
    if limp:
        raise HardwareError(f'no torque on {", ".join(limp)} after switching it on: check power and overload')


def power_down(bus):
    """Take the torque off every servo.

    Raises:
        HardwareError: a servo keeps its torque.
    """
    for name in bus.motors:
        _write(bus, 'Torque_Enable', name, 0)
    stiff = [name for name in bus.motors if _read(bus, 'Torque_Enable', name) != 0]
    if stiff:
        raise HardwareError(f'{", ".join(stiff)} still under torque after switching it off')


def _powered(bus, name, mode):
    return _read(bus, 'Torque_Enable', name) == 1 and _read(bus, 'Operating_Mode', name) == mode


def _configure(bus, name, mode, gains):
    _write(bus, 'Torque_Enable', name, 0)
    _write(bus, 'Lock', name, 0)
    phase = _read(bus, 'Phase', name)
    settings = {**_STATIC, **gains, 'Operating_Mode': mode, 'Phase': phase & ~_MULTI_TURN_FEEDBACK}
    for register, value in settings.items():
        if _read(bus, register, name) != value:
            _write(bus, register, name, value)
    _write(bus, 'Lock', name, 1)


def _read(bus, register, name):
    return bus.read(register, name, normalize=False, num_retry=RETRIES)


def _write(bus, register, name, value):
    bus.write(register, name, value, normalize=False, num_retry=RETRIES)
