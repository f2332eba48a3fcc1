"""Parameters of lekiwi_bridge_node."""

from kiwi_policy.core.features import CAMERAS
from kiwi_policy.core.parameters import Parameter as P

TABLE = (
    P('remote_ip', '', 'IP address or name of the robot\'s computer, where lekiwi_host runs.'),
    P('command_port', 5555, 'Port on which lekiwi_host takes commands.', '', 1, 65535),
    P('observation_port', 5556, 'Port on which lekiwi_host gives observations.', '', 1, 65535),
    P('bridge_socket', '', 'Path of the socket for the executor, which has a parameter of the same name.'),
    P('cameras', list(CAMERAS), 'Cameras of the host that are published.'),
    P('jpeg_quality', 95, 'JPEG quality of the published pictures, whose red and blue are put right.', '', 1, 100),
    P('stale_after', 0.25, 'Time without an observation after which the base does not drive.', 's', 0.05, 5.0),
    P('command_timeout', 0.15, 'Time without a command of the executor after which the bridge brings the base to '
      'rest.', 's', 0.05, 0.5),
)
