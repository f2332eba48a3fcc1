"""States of the executor and sources of a command, numbered as in kiwi_msgs."""

from enum import IntEnum


class State(IntEnum):
    """What the executor is doing. The numbers are ExecutorStatus.msg's."""

    IDLE = 0        # no episode: nothing is commanded but a base at rest
    WAITING = 1     # no chunk yet, or none since an operator handed back: arm held, base coming to rest
    RAMPING = 2     # moving to where the chunk begins at limited speed
    RUNNING = 3     # executing chunks
    STARVED = 4     # ran out of actions: arm held, base decaying to rest
    STOPPED = 5     # latched stop: arm held, base at rest until reset
    FAULT = 6       # bus or state fault, latched as a stop is
    MOVING = 7      # slow move to a named pose, base at rest
    LIMP = 8        # torque released: nothing is commanded
    TAKEOVER = 9    # an operator drives, the policy's chunks are not run


class Source(IntEnum):
    """Where a command came from. The numbers are ExecutedAction.msg's."""

    IDLE = 0        # write no arm goal, keep the base at rest
    HOLD = 1        # held pose, base at rest or decaying
    RAMP = 2        # ramp towards the chunk
    CHUNK = 3       # a chunk's action, after blending and limits
    POSE = 4        # on the way to a named pose
    OPERATOR = 5    # an operator's takeover command, after limits


LATCHED = frozenset({State.STOPPED, State.FAULT})
ACTIVE = frozenset({State.WAITING, State.RAMPING, State.RUNNING, State.STARVED, State.TAKEOVER})
