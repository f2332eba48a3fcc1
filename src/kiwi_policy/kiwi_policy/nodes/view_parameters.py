"""Parameters of view_node."""

from kiwi_policy.core.features import CAMERAS
from kiwi_policy.core.parameters import Parameter as P

TABLE = (
    P('viewer', 'serve', 'Where to look. serve: a web page on this machine, http://127.0.0.1:<web_port>; spawn: a '
      'window of Rerun, on a machine with a display; none: nowhere, for save alone.',
      choices=('serve', 'spawn', 'none')),
    P('port', 9876, 'Port of the data of serve and spawn, on 127.0.0.1 only.', '', 1024, 65535),
    P('web_port', 9090, 'Port of the web page of serve, on 127.0.0.1 only.', '', 1024, 65535),
    P('connect', '', 'Address of a Rerun that runs elsewhere, in place of viewer: rerun+http://HOST:9876/proxy.'),
    P('save', '', 'An .rrd file to which the view is saved as well; rerun FILE opens it later. It is overwritten.'),
    P('memory_limit', 256, 'Memory that the viewer\'s store may take; the oldest data are dropped first.', 'MB',
      16, 65536),
    P('cameras', list(CAMERAS), 'Cameras that are shown. The simulation has overview as well.'),
    P('image_rate', 10.0, 'Pictures per second of each camera at most; 0 shows none.', 'Hz', 0.0, 60.0),
    P('state_rate', 10.0, 'Rate at which the robot is drawn; values are plotted of every tick.', 'Hz', 1.0, 60.0),
    P('nice', 10, 'Niceness of this process and its viewer: the higher, the more it gives way to others.', '', 0, 19),
)
