"""The front end without launch: the same composition, started, watched and stopped by this process.

    python -m kiwi_bringup.run [name:=value ...]

Standard output carries what the processes print and nothing else; this program's own messages go to standard error.
"""

import os
import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix

from kiwi_bringup import arguments
from kiwi_bringup.composition import compose
from kiwi_bringup.domain import claim
from kiwi_bringup.environment import environment
from kiwi_bringup.supervisor import Supervisor


def locate(package: str) -> Path:
    """The install prefix of a package of the sourced workspace."""
    return Path(get_package_prefix(package))


def main(words: list[str] | None = None) -> int:
    """Run the composition; returns its status, 2 for arguments that it does not take."""
    words = sys.argv[1:] if words is None else words
    if {'-h', '--help', '--show-args', '-s'} & set(words):
        print(arguments.describe())
        return 0
    try:
        values = arguments.parse(words)
        simulated = values['sim'] == 'true'
        domain = claim(wanted=None if simulated else os.environ.get('ROS_DOMAIN_ID') or '0')
        processes = compose(values, locate, domain.bus_link)
        profile = locate('kiwi_bringup') / 'share' / 'kiwi_bringup' / 'config' / 'loopback_fastdds.xml'
    except (ValueError, PackageNotFoundError, RuntimeError) as error:
        print(f'pickplace: error: {error}', file=sys.stderr)
        return 2
    print(f'[kiwi] ROS domain {domain.number}', file=sys.stderr, flush=True)
    added = environment(simulated, domain.number, profile)
    return Supervisor(processes, {**os.environ, **added}, sys.stdout.buffer, sys.stderr.buffer).run()


if __name__ == '__main__':
    sys.exit(main())
