"""sim_host: LeRobot's own `lekiwi_host` on the simulated LeKiwi, for runs with robot:=lekiwi_client.

It drives the emulated servo bus and shows the pictures that sim_node publishes, whose camera topics are
remapped to sim/camera/<name>/image_raw/compressed, so that those of the bridge have the usual names.
"""

import argparse
import contextlib
import functools
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CompressedImage

from kiwi_sim.servos import CALIBRATION_PATH

CAMERAS = ('front', 'wrist')
FOR_EVER = 10**9        # s
PATIENCE = 2000         # ms for a reply of the bus, whose computer may be busy; LeRobot gives a real one 50


class PictureNode(Node):
    """Receives the pictures of sim_node.

    Args:
        newest: camera name -> newest JPEG, filled here.
    """

    def __init__(self, newest):
        super().__init__('sim_host')
        profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        for camera in CAMERAS:
            self.create_subscription(CompressedImage, f'sim/camera/{camera}/image_raw/compressed',
                                     functools.partial(self._keep, newest, camera), profile)

    @staticmethod
    def _keep(newest, camera, message):
        newest[camera] = bytes(message.data)


def host_config(options, pictures):
    """lekiwi_host's own configuration, which it would otherwise take from its command line."""
    from lerobot.robots.lekiwi.config_lekiwi import LeKiwiConfig, LeKiwiHostConfig
    from lerobot.robots.lekiwi.lekiwi_host import LeKiwiServerConfig

    from kiwi_sim.viewfinder import Viewfinder, ViewfinderConfig

    cameras = {}
    for name in CAMERAS:
        config = ViewfinderConfig(pictures=pictures, name=name)
        config.height, config.width, _ = Viewfinder(config).read().shape
        config.fps = 30
        cameras[name] = config
    calibration = Path(options.calibration)
    robot = LeKiwiConfig(
        port=options.port, id=calibration.stem, calibration_dir=calibration.parent, cameras=cameras,
        disable_torque_on_disconnect=False)
    return LeKiwiServerConfig(robot=robot, host=LeKiwiHostConfig(
        port_zmq_cmd=options.command_port, port_zmq_observations=options.observation_port,
        connection_time_s=FOR_EVER))


def stay_on_loopback():
    """Let the host, which takes no authentication and listens everywhere, listen on this machine only."""
    import zmq

    class LoopbackSocket(zmq.Socket):
        def bind(self, address):
            return super().bind(address.replace('tcp://*:', 'tcp://127.0.0.1:'))

    zmq.Context._socket_class = LoopbackSocket


def be_patient():
    """Let LeRobot's driver wait longer for servos that do not answer in real time on a busy computer."""
    from lerobot.motors.feetech import feetech

    feetech.patch_setPacketTimeout = lambda handler, _length: handler.setPacketTimeoutMillis(PATIENCE)


def wait_for_the_simulation(port, newest):
    """Return when the servo bus and a picture of every camera are there."""
    while not (os.path.exists(port) and all(camera in newest for camera in CAMERAS)):
        time.sleep(0.1)


class Interrupt:
    """Handles signals: raises KeyboardInterrupt at once, or at a good moment where `over` is given.

    Attributes:
        over: event that leads to an interrupt at a good moment; a second signal does not wait for it.
    """

    def __init__(self):
        self.over = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, *_):
        if self.over is None or self.over.is_set():
            raise KeyboardInterrupt
        self.over.set()


def parse(args):
    """Options of the command line, apart from ROS's own."""
    parser = argparse.ArgumentParser('sim_host', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--port', required=True, help='the emulated servo bus')
    parser.add_argument('--calibration', default=str(CALIBRATION_PATH), help='LeRobot calibration file')
    parser.add_argument('--command-port', type=int, default=5555)
    parser.add_argument('--observation-port', type=int, default=5556)
    return parser.parse_args(args)


def spin(node, executor):
    """Spin until rclpy shuts down."""
    with contextlib.suppress(ExternalShutdownException):
        executor.add_node(node)
        executor.spin()


def main(args=None):
    """Run the host until SIGINT or SIGTERM. Returns the exit code."""
    args = sys.argv if args is None else ['sim_host', *args]
    options = parse(remove_ros_args(args)[1:])
    interrupt = Interrupt()
    logging.basicConfig(level=logging.ERROR)    # the host warns of every cycle without a command
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    newest = {}
    node, executor = PictureNode(newest), SingleThreadedExecutor()
    thread = threading.Thread(target=spin, args=(node, executor), daemon=True)
    thread.start()
    try:
        from lerobot.robots.lekiwi import lekiwi_host

        from kiwi_sim.viewfinder import Pictures

        stay_on_loopback()
        be_patient()
        wait_for_the_simulation(options.port, newest)
        pictures = Pictures(newest)
        config = host_config(options, pictures)
        interrupt.over = pictures.over
        lekiwi_host.main(config)
        return 0
    except KeyboardInterrupt:
        return 0
    except (OSError, RuntimeError) as error:
        print(f'sim_host: error: {" ".join(str(error).split())}', file=sys.stderr, flush=True)
        return 1
    finally:
        executor.shutdown(timeout_sec=1.0)
        thread.join(2.0)
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
