"""Entities, colours and the timeline of the view, named once for the drawing and for the layout."""

from kiwi_policy.core.features import JOINTS

TIMELINE = 'time'
"""Stamps of the messages, which are the robot's clock."""

WORLD, ROBOT, PLAN, TRAIL = 'world', 'world/robot', 'world/plan', 'world/trail'
CUBE, TARGET = 'world/cube', 'world/target'
CAMERA = 'camera'
JOINT, BASE = 'joints', 'base'
STATE, STATUS, EVENTS = 'executor/state', 'executor/status', 'executor/events'
TIMING = 'executor/timing'

SERIES = (*(f'{JOINT}/{name}' for name in JOINTS), *(f'{BASE}/{name}' for name in ('x', 'y', 'theta')))
"""The nine values' entities, in LeRobot's order."""

PLAN_SLOTS = 8
"""Chunks whose rows are plotted ahead at the same time."""

MEASURED, COMMANDED, PLANNED = (90, 190, 255), (255, 165, 60), (120, 220, 120)

STATE_COLOURS = {
    'IDLE': 0x6B7280FF, 'WAITING': 0x8B7FD8FF, 'RAMPING': 0x4FB3BFFF, 'RUNNING': 0x4CAF50FF, 'STARVED': 0xF2B134FF,
    'STOPPED': 0xE0682FFF, 'FAULT': 0xE53935FF, 'MOVING': 0x5A9BD5FF, 'LIMP': 0x9E9E9EFF, 'TAKEOVER': 0xE91E93FF}
