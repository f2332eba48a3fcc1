"""Message types as a bag carries them: the full text of the definition and the RIHS01 hash of the type.

Both come from the installed message packages, which ship <package>/msg/<Name>.msg and <Name>.json.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

ENCODING = 'ros2msg'
PRIMITIVES = {'bool', 'byte', 'char', 'float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32',
              'int64', 'uint64', 'string', 'wstring'}
_FIELD_TYPE = re.compile(r'(?:^|\n)\s*([a-zA-Z0-9_/]+)(?:\[[^\]]*\])?\s+')
_RULE = 80 * '='


class DefinitionError(ValueError):
    """A message type whose definition is not installed. The text names the type and what is missing."""


@dataclass(frozen=True)
class Definition:
    """A message type.

    Attributes:
        type: e.g. sensor_msgs/msg/JointState.
        text: its .msg file, followed by those of all types it uses, each under a rule and a line `MSG: <type>`.
        type_hash: RIHS01 hash, as publishers of the type announce it.
        encoding: of the text.
    """

    type: str
    text: str
    type_hash: str
    encoding: str = ENCODING


@cache
def definition(type_name):
    """The `Definition` of an installed message type, in the text and order that rosbag2 gives it.

    Args:
        type_name: package/msg/Name.

    Raises:
        DefinitionError: no such type is installed here.
    """
    seen = set()

    def with_dependencies(name):
        text = _file(name, '.msg').read_text(encoding='utf-8')
        parts = [text]
        for used in sorted(_used_types(text, name.split('/')[0])):
            if used not in seen:
                seen.add(used)
                parts.append(f'\n{_RULE}\nMSG: {used}\n{with_dependencies(used)}')
        return ''.join(parts)

    return Definition(type_name, with_dependencies(type_name), _hash(type_name))


def _used_types(text, package):
    names = (match[1] for match in _FIELD_TYPE.finditer(text))
    return {name if '/' in name else f'{package}/{name}' for name in names if name not in PRIMITIVES}


def _hash(type_name):
    path = _file(type_name, '.json')
    for entry in json.loads(path.read_text(encoding='utf-8'))['type_hashes']:
        if entry['type_name'] == type_name:
            return entry['hash_string']
    raise DefinitionError(f'{path} has no hash of {type_name}')


def _file(type_name, suffix):
    parts = type_name.split('/')
    if len(parts) not in (2, 3) or not all(parts):
        raise DefinitionError(f'{type_name!r} is no message type; it is written like sensor_msgs/msg/JointState')
    try:
        share = Path(get_package_share_directory(parts[0]))
    except (PackageNotFoundError, ValueError) as error:
        raise DefinitionError(f'message type {type_name}: package {parts[0]} is not installed in this environment') \
            from error
    path = share / (parts[1] if len(parts) == 3 else 'msg') / f'{parts[-1]}{suffix}'
    if not path.is_file():
        raise DefinitionError(f'message type {type_name}: there is no {path}')
    return path
