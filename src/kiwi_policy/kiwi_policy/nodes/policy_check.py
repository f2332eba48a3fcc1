"""Whether a policy fits the executor, asked before an episode begins."""

from kiwi_policy.core.executor import ExecutorError
from kiwi_policy.core.features import UNITS

PERIOD_TOLERANCE = 0.01


def check_policy(info, config):
    """Raise ExecutorError, naming what to change, where a PolicyInfo does not fit an ExecutorConfig.

    Args:
        info: PolicyInfo message, or None where no policy runs.
        config: the executor's settings.
    """
    if info is None:
        raise ExecutorError('no policy: start policy_node and wait for policy_info')
    names = tuple(info.names)
    if names != tuple(config.names):
        raise ExecutorError(f'the policy commands {names}, the robot has {tuple(config.names)}')
    other = [f'{name} in {unit}' for name, unit, ours in zip(names, getattr(info, 'units', ()), UNITS) if unit and unit != ours]
    if other:
        raise ExecutorError(f'the policy commands {", ".join(other)}, this robot is calibrated in degrees: train it on data '
                            'in degrees, or set arm_units of policy_node to deg where you know it was')
    if not (info.period > 0 and info.period < float('inf')):
        raise ExecutorError(f'policy_info gives the period {info.period!r} s; it must be finite and > 0')
    if info.horizon < 1:
        raise ExecutorError('policy_info gives a horizon of 0 rows; it must be at least 1')
    if config.resample or abs(info.period - config.period) <= PERIOD_TOLERANCE * config.period:
        return
    raise ExecutorError(f'the policy was trained at {1.0 / info.period:.2f} Hz, the executor runs at '
                        f'{1.0 / config.period:.2f} Hz: set rate to match, or resample to true')
