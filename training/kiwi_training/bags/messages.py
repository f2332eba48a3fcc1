"""Makes ROS messages and their bytes without ROS, from the installed definitions."""

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore


class Messages:
    """Messages of the types of a rosbags type store.

    Args:
        store: knows the types.
    """

    def __init__(self, store):
        self.store = store

    @classmethod
    def installed(cls, kinds):
        """For these types, e.g. sensor_msgs/msg/JointState, by the definitions of the installed message packages.

        Raises:
            DefinitionError: one is not installed.
        """
        from kiwi_policy.bags.definitions import definition

        store, types = get_typestore(Stores.EMPTY), {}
        for kind in kinds:
            types.update(get_types_from_msg(definition(kind).text, kind))
        store.register(types)
        return cls(store)

    def new(self, kind, **fields):
        """A message with the given fields, and zeros, empty texts and empty lists elsewhere."""
        described = dict(self.store.fielddefs[kind][1])
        unknown = fields.keys() - described.keys()
        if unknown:
            raise ValueError(f'{kind} has no {", ".join(sorted(unknown))}; it has {", ".join(described)}')
        return self.store.types[kind](**{name: fields[name] if name in fields else self._default(description)
                                         for name, description in described.items()})

    def header(self, nanoseconds, frame=''):
        """std_msgs/Header stamped with ns since the epoch."""
        stamp = self.new('builtin_interfaces/msg/Time', sec=int(nanoseconds // 10**9), nanosec=int(nanoseconds % 10**9))
        return self.new('std_msgs/msg/Header', stamp=stamp, frame_id=frame)

    def to_bytes(self, message):
        """CDR with its encapsulation header."""
        return bytes(self.store.serialize_cdr(message, message.__msgtype__))

    def _default(self, description):
        kind, detail = description
        if kind.name == 'NAME':
            return self.new(detail)
        if kind.name == 'BASE':
            name = detail[0]
            return '' if name == 'string' else False if name == 'bool' else 0.0 if 'float' in name else 0
        (inner, element), length = detail
        if inner.name == 'BASE' and element[0] != 'string':
            count = length if kind.name == 'ARRAY' else 0
            return np.zeros(count, dtype=np.uint8 if element[0] == 'octet' else element[0])
        return []
