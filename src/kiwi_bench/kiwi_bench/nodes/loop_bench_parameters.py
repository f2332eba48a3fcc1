"""Parameters of loop_bench_node."""

from kiwi_policy.core.features import RATE_HZ
from kiwi_policy.core.parameters import Parameter as P

TABLE = (
    P('rate', RATE_HZ, 'Control rate of the executor that is measured.', 'Hz', 1.0, 200.0),
    P('minutes', 10.0, 'How long to measure.', 'min', 0.05, 600.0),
    P('inference', 0.3, 'How long the played policy takes for a chunk.', 's', 0.0, 5.0),
    P('horizon', 1.0667, 'How far a chunk of the played policy reaches.', 's', 0.1, 20.0),
    P('load', '', 'What keeps the machine busy meanwhile, in words for the report.'),
    P('bus_priority', 0, 'Real-time priority of the emulated bus, for the report.', low=0, high=98),
    P('output', '', 'JSON file to write.'),
    P('ready_timeout', 180.0, 'How long to wait for the executor.', 's', 1.0, 3600.0),
)
