"""Writes config/{policy,executor,rollout,recorder,bridge,camera,takeover,view}.yaml from the parameter tables.

    python -m kiwi_policy.nodes.write_config FOLDER
"""

import sys
from pathlib import Path

from kiwi_policy.core.parameters import to_yaml
from kiwi_policy.nodes import (
    bridge_parameters,
    camera_parameters,
    executor_parameters,
    policy_parameters,
    recorder_parameters,
    rollout_parameters,
    takeover_parameters,
    view_parameters,
)

FILES = {
    'camera.yaml': ('Parameters of camera_node', camera_parameters.TABLE),
    'policy.yaml': ('Parameters of policy_node', policy_parameters.TABLE),
    'executor.yaml': ('Parameters of chunk_executor_node', executor_parameters.TABLE),
    'rollout.yaml': ('Parameters of rollout_node', rollout_parameters.TABLE),
    'recorder.yaml': ('Parameters of recorder_node', recorder_parameters.TABLE),
    'bridge.yaml': ('Parameters of lekiwi_bridge_node', bridge_parameters.TABLE),
    'takeover.yaml': ('Parameters of takeover_node', takeover_parameters.TABLE),
    'view.yaml': ('Parameters of view_node', view_parameters.TABLE),
}


def texts():
    """File name -> text of every parameter file."""
    return {name: to_yaml(title, table) for name, (title, table) in FILES.items()}


def main():
    """Write the files into the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        raise SystemExit('usage: python -m kiwi_policy.nodes.write_config FOLDER')
    for name, text in texts().items():
        (Path(sys.argv[1]) / name).write_text(text)


if __name__ == '__main__':
    main()
