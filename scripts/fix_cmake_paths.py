"""Point the CMake files of the ROS wheels at this environment's Python.

The wheels export the include folders of the Python they were built with, which exist on no other machine.
Run with the virtual environment's own interpreter; running it again changes nothing.
"""
import re
import sys
import sysconfig
from pathlib import Path

import numpy


def main() -> int:
    replacements = (
        (re.compile(r'/opt/python/[^/;"]+/lib/python3\.\d+/site-packages/numpy/_?core/include'), numpy.get_include()),
        (re.compile(r'/opt/python/[^/;"]+/include/python3\.\d+'), sysconfig.get_paths()['include']),
    )
    share = Path(sys.prefix) / 'share'
    if not share.is_dir():
        print(f'no CMake files: {share} does not exist; are the ROS wheels installed?', file=sys.stderr)
        return 1
    changed = 0
    for path in share.rglob('*.cmake'):
        old = path.read_text()
        new = old
        for pattern, value in replacements:
            new = pattern.sub(lambda _: value, new)
        if new != old:
            path.write_text(new)
            changed += 1
    left = [str(path) for path in share.rglob('*.cmake') if '/opt/python/' in path.read_text()]
    if left:
        print('paths of the build machine remain in: ' + ', '.join(left), file=sys.stderr)
        return 1
    print(f'{changed} CMake files now name {sys.prefix}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
