"""The ZMQ sockets to LeRobot's `lekiwi_host`. No call waits for the host."""

import zmq

from kiwi_policy.hardware import lekiwi_wire

DRAIN = 50              # messages taken at once at most
HEARTBEAT = 1000        # ms between signs of life, so that a cut cable is noticed
LOST_AFTER = 3000       # ms
RECONNECT = 100, 1000   # ms, shortest and longest time between attempts


class HostLink:
    """Newest observation in, newest command out.

    A command goes to a host that is there or nowhere: none waits for a host that comes back. All calls
    must come from one thread.

    Args:
        address: IP address or name of the robot's computer.
        command_port, observation_port: ports of lekiwi_host.

    Raises:
        ValueError: an address that ZMQ does not take.
    """

    def __init__(self, address, command_port=5555, observation_port=5556):
        self.address = address
        self.dropped = 0        # observations that a newer one overtook
        self._context = zmq.Context(io_threads=1)
        try:
            self._commands = self._socket(zmq.PUSH, command_port, {zmq.CONFLATE: 1, zmq.IMMEDIATE: 1})
            self.observations = self._socket(zmq.PULL, observation_port, {
                zmq.RCVHWM: 2, zmq.MAXMSGSIZE: lekiwi_wire.MAX_PICTURE})
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ValueError(f'{address!r} is no address of a robot: {error}') from error

    def send(self, values):
        """Send a command (9,); returns False where no host is connected.

        Raises:
            WireError: values that are not finite.
        """
        try:
            self._commands.send(lekiwi_wire.encode_command(values), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self):
        """The newest `HostObservation`, None where nothing has come.

        Raises:
            WireError: the newest message is of another format.
        """
        frames, taken = None, 0
        while taken < DRAIN:
            try:
                frames = self.observations.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            taken += 1
        self.dropped += max(taken - 1, 0)
        return None if frames is None else lekiwi_wire.decode_observation(frames)

    def close(self, linger=200):
        """Close within `linger` ms, in which the last command may still leave."""
        self._context.destroy(linger=linger)

    def _socket(self, kind, port, options):
        socket = self._context.socket(kind)
        common = {zmq.LINGER: 0, zmq.HEARTBEAT_IVL: HEARTBEAT, zmq.HEARTBEAT_TIMEOUT: LOST_AFTER,
                  zmq.RECONNECT_IVL: RECONNECT[0], zmq.RECONNECT_IVL_MAX: RECONNECT[1]}
        for option, value in {**common, **options}.items():
            socket.setsockopt(option, value)    # before connect: later ones do not count
        socket.connect(f'tcp://{self.address}:{port}')
        return socket
