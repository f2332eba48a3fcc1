"""A front end with fake processes: fake_front_end.py run|launch PROCESSES_JSON."""
import importlib.util
import json
import os
import sys
from pathlib import Path

from kiwi_bringup import exits
from kiwi_bringup.process import OnExit, Process

exits.INTERRUPT_GRACE = exits.TERMINATE_GRACE = 3.0
exits.RESPAWN_DELAY = 0.2


def processes(rows):
    script = Path(__file__).with_name('fake_process.py')
    for row in rows:
        command = (sys.executable, str(script), row['name'], *row['words'])
        yield Process(row['name'], command, OnExit(row['on_exit']), row['stop_stage'], row['prefixed'])


def under_run(made, added):
    from kiwi_bringup.supervisor import Supervisor

    return Supervisor(made, {**os.environ, **added}, sys.stdout.buffer, sys.stderr.buffer).run()


def under_launch(made, added):
    from launch import LaunchDescription, LaunchService

    path = Path(__file__).parents[1] / 'launch' / 'pickplace.launch.py'
    spec = importlib.util.spec_from_file_location('pickplace_launch', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    service = LaunchService()
    service.include_launch_description(LaunchDescription(list(module.Run(made, added).entities())))
    return service.run()


if __name__ == '__main__':
    front_end = {'run': under_run, 'launch': under_launch}[sys.argv[1]]
    added = {'PYTHONUNBUFFERED': '1', 'KIWI_TETHER_PARENT': str(os.getpid())}
    sys.exit(front_end(tuple(processes(json.loads(sys.argv[2]))), added))
