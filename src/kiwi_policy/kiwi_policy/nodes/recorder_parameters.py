"""Parameters of recorder_node."""

from kiwi_policy.bags.mcap_file import COMPRESSIONS
from kiwi_policy.core.parameters import Parameter as P

CONTINUE, STOP = 'continue', 'stop'

TABLE = (
    P('cameras', ['front', 'wrist', 'overview'], 'Cameras to record; one that publishes nothing costs nothing.'),
    P('output_dir', 'recordings', 'Folder for recordings whose request names none: <output_dir>/<UTC time>.'),
    P('min_free_gb', 1.0, 'Free disk space below which no recording is begun.', 'GB', 0.0, 10000.0),
    P('reserve_mb', 100.0, 'Free disk space at which a running recording is closed, so that it stays readable.', 'MB',
      0.0, 1000000.0),
    P('on_failure', CONTINUE, 'What becomes of the robot when a recording has to end early, e.g. since the disk '
      'is full: it goes on, or executor/stop is called.', choices=(CONTINUE, STOP)),
    P('compression', 'none', 'Of the file. JPEG images do not compress, the rest is small.',
      choices=tuple(COMPRESSIONS)),
    P('queue_mb', 64.0, 'Messages that may wait for a slow disk; beyond it they are dropped and counted.', 'MB',
      1.0, 10000.0),
    P('depth', 300, 'Messages per topic that may wait for this process in the middleware.', 'messages', 10, 10000),
    P('poll_interval', 0.02, 'How often messages are taken from the middleware while recording. When they were '
      'received is the middleware\'s time, whatever this is.', 's', 0.001, 0.2),
    P('niceness', 10, 'Niceness of taking and writing messages, so that the control loop comes first. Receiving '
      'them, which the middleware does in threads of its own, keeps the usual one, so that receive times stay true.',
      '', 0, 19),
)
