"""Rollout bags made up for tests: a robot that moves smoothly, cameras that show the time, chunks that are followed."""

import json
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from kiwi_policy.core import features
from kiwi_policy.core.states import Source
from kiwi_policy.nodes.images import encode_rgb
from kiwi_training.bags.messages import Messages

DEFINITIONS = Path(__file__).resolve().parents[2] / 'src' / 'kiwi_msgs' / 'msg'
EPOCH = 1_790_000_000_000_000_000
PERIOD_NS = 33_333_333
HORIZON = 16
RUN = 77
EXPOSED_NS = 7_000_000          # ns between an image and the tick it is seen at
TRANSPORT_NS = 2_000_000        # ns between a stamp and the recorder's receipt


def typestore():
    """rosbags' types of ROS 2 Jazzy and of kiwi_msgs."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for path in sorted(DEFINITIONS.glob('*.msg')):
        types.update(get_types_from_msg(path.read_text(), f'kiwi_msgs/msg/{path.stem}'))
    store.register(types)
    return store


STORE = typestore()
MESSAGES = Messages(STORE)
new, header = MESSAGES.new, MESSAGES.header


def stamp_of(nanoseconds):
    """builtin_interfaces/Time of ns."""
    return new('builtin_interfaces/msg/Time', sec=int(nanoseconds // 10**9), nanosec=int(nanoseconds % 10**9))


def state_at(tick):
    """(9,) measured at a tick, in LeRobot's units."""
    phase = tick / 20
    return np.array([10 * np.sin(phase), -20 + tick * 0.1, 30.0, 5 * np.cos(phase), 1.0, 50.0, 0.1, 0.02, 12.0])


def command_at(tick):
    """(9,) commanded at a tick."""
    return state_at(tick + 1).astype(np.float32)


def picture_at(tick, camera, size=(32, 32)):
    """uint8 (height, width, 3): smooth, different at every tick and in every camera."""
    rows, columns = np.mgrid[0:size[0], 0:size[1]]
    base = 40 * (sum(map(ord, camera)) % 3)
    return np.stack([(rows * 3 + base) % 200, (columns * 3 + tick) % 200, np.full(size, (5 * tick) % 200)], -1).astype(np.uint8)


class BagMaker:
    """Writes messages into a new bag. Use as a context manager."""

    def __init__(self, folder, namespace='', custom=None):
        self.folder = Path(folder)
        self._writer = Writer(self.folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._prefix, self._connections, self._messages = namespace, {}, []
        for key, value in (custom or {}).items():
            self._writer.set_custom_data(key, value)

    def __enter__(self):
        self._writer.open()
        return self

    def __exit__(self, *_):
        for log_time, topic, message in sorted(self._messages, key=lambda entry: entry[0]):
            self._write(topic, log_time, message)
        self._writer.close()

    def add(self, topic, log_time, message):
        """Add a message; a topic with a leading slash is absolute."""
        self._messages.append((log_time, topic, message))

    def _write(self, topic, log_time, message):
        name = topic if topic.startswith('/') else f'{self._prefix}/{topic}'
        if name not in self._connections:
            self._connections[name] = self._writer.add_connection(name, message.__msgtype__, typestore=STORE)
        self._writer.write(self._connections[name], log_time, STORE.serialize_cdr(message, message.__msgtype__))


def make_rollout(folder, ticks=40, idle=4, seed=0, success=True, task='put the cube on the disc', size=(32, 32),
                 takeover=None, handed_back=(), drop=(), never=(), blind=(0, 0), images_behind=0, namespace='',
                 outcome=None, camera_delay=0, cameras=features.CAMERAS, period=PERIOD_NS):
    """A rollout of `ticks` control ticks; the first `idle` have no chunk yet.

    Args:
        folder: of the bag, new.
        takeover: (first, end) ticks that an operator drives, except those of `handed_back`.
        drop: ticks whose joint_states never reached the recorder.
        never: ticks that never were.
        blind: (first, end) ticks without images.
        images_behind: how many images before the newest the policy used.
        camera_delay: ticks before the cameras show anything.
        period: ns between ticks.
    """
    episode = f'episode-{seed}'
    outcome = outcome if outcome is not None else ('success' if success else 'timeout')
    custom = {
        'episode_id': episode, 'details': json.dumps({'seed': seed, 'task': task, 'index': seed}), 'outcome': outcome,
        'checkpoint_digest': '0123456789abcdef', 'labelled': 'true', 'success': 'true' if success else 'false',
        'complete': 'true', 'namespace': namespace,
    }
    with BagMaker(folder, namespace, custom) as bag:
        bag.add('/parameter_events', EPOCH - 10**7, parameters('/chunk_executor_node', {'mode': 'latest', 'rate': 30.0}))
        for tick in range(ticks):
            stamp = EPOCH + tick * period
            received = stamp + TRANSPORT_NS
            if tick >= camera_delay and not blind[0] <= tick < blind[1]:
                for number, camera in enumerate(cameras):
                    bag.add(f'camera/{camera}/image_raw/compressed', received - 1000 + number,
                            image(stamp - EXPOSED_NS, picture_at(tick, camera, size)))
            if tick in never:
                continue
            if tick not in drop:
                for topic, message in state_messages(stamp, state_at(tick)).items():
                    bag.add(topic, received, message)
            if tick % 8 == 0:
                request = tick // 8 + 1
                bag.add('chunk_request', received + 10, chunk_request(stamp, request, episode, task))
                bag.add('action_chunk', received + 20 * 10**6,
                        action_chunk(stamp, request, episode, tick, cameras, stamp - images_behind * period - EXPOSED_NS))
            operator = takeover is not None and takeover[0] <= tick < takeover[1] and tick not in handed_back
            bag.add('executor/action', received + 500, executed(stamp, tick, episode, idle, operator))
            if tick % 10 == 0:
                bag.add('executor/status', received + 600, new('kiwi_msgs/msg/ExecutorStatus', header=header(stamp), state=3))
        end = EPOCH + ticks * period
        bag.add('rollout/result', end, new('kiwi_msgs/msg/EpisodeResult', index=seed, episode_id=episode, seed=seed,
                                           success=success, outcome=outcome))
        bag.add('/parameter_events', end, parameters('/chunk_executor_node', {'speed_scale': 0.5}, changed={'rate': 20.0}))
    return Path(folder)


def state_messages(stamp, values):
    """joint_states and base_velocity of a state (9,)."""
    positions, velocity = features.to_ros(values)
    base = new('geometry_msgs/msg/TwistStamped', header=header(stamp, 'base_link'))
    base.twist.linear.x, base.twist.linear.y, base.twist.angular.z = velocity.tolist()
    joints = new('sensor_msgs/msg/JointState', header=header(stamp), name=list(features.JOINTS), position=positions)
    return {'joint_states': joints, 'base_velocity': base}


def image(stamp, pixels):
    """CompressedImage of uint8 (height, width, 3) RGB."""
    return new('sensor_msgs/msg/CompressedImage', header=header(stamp), format='jpeg',
               data=np.frombuffer(encode_rgb(pixels), np.uint8))


def chunk_request(stamp, request_id, episode, task):
    """ChunkRequest without a plan."""
    return new('kiwi_msgs/msg/ChunkRequest', header=header(stamp), request_id=request_id, episode_id=episode, task=task,
               names=list(features.NAMES), period=PERIOD_NS / 1e9)


def action_chunk(stamp, chunk_id, episode, tick, cameras, image_stamp):
    """ActionChunk of the commands due from `tick` on."""
    rows = np.stack([command_at(tick + row) for row in range(HORIZON)])
    return new('kiwi_msgs/msg/ActionChunk', header=header(stamp), run_id=RUN, episode_id=episode, chunk_id=chunk_id,
               request_id=chunk_id, names=list(features.NAMES), period=PERIOD_NS / 1e9, horizon=HORIZON,
               actions=rows.ravel(), image_names=list(cameras), image_ages=np.full(len(cameras), 0.01, np.float32),
               image_stamps=[stamp_of(image_stamp)] * len(cameras), head='flow',
               checkpoint_digest='0123456789abcdef', evaluations=10, inference_seconds=0.02)


def executed(stamp, tick, episode, idle, operator):
    """ExecutedAction of a tick."""
    source = Source.HOLD if tick < idle else Source.OPERATOR if operator else Source.CHUNK
    arrived = [tick // 8 + 1] if tick % 8 == 1 else []
    return new('kiwi_msgs/msg/ExecutedAction', header=header(stamp), episode_id=episode, names=list(features.NAMES),
               command=command_at(tick), measured=state_at(tick).astype(np.float32), source=int(source), run_id=RUN,
               chunk_id=tick // 8 + 1, index=tick % 8, blended=1, takeover=bool(tick % 8 == 1),
               received_runs=np.array([RUN] * len(arrived), np.uint64), received_chunks=np.array(arrived, np.uint64))


def parameters(node, values, changed=None):
    """ParameterEvent with new and changed parameters of a node."""
    return new('rcl_interfaces/msg/ParameterEvent', stamp=stamp_of(EPOCH), node=node,
               new_parameters=[_parameter(*entry) for entry in values.items()],
               changed_parameters=[_parameter(*entry) for entry in (changed or {}).items()])


def _parameter(name, value):
    number, field = {bool: (1, 'bool_value'), int: (2, 'integer_value'), float: (3, 'double_value'),
                     str: (4, 'string_value')}[type(value)]
    return new('rcl_interfaces/msg/Parameter', name=name,
               value=new('rcl_interfaces/msg/ParameterValue', **{'type': number, field: value}))
