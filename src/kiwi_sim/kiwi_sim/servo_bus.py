"""An emulated Feetech servo bus: nine STS3215 servos behind a pseudo-terminal.

A driver opens `ServoBus.path` as it would open /dev/ttyACM0.
"""

import errno
import os
import pty
import select
import threading
import time
import tty

from kiwi_sim.bus_faults import BusFaults
from kiwi_sim.feetech_protocol import BROADCAST, OVERHEAD, Instruction, PacketParser, encode_status
from kiwi_sim.port_link import PortLink
from kiwi_sim.registers import Address
from kiwi_sim.servo_bank import ServoBank
from kiwi_sim.wire_time import WireTime

_DELAY_UNIT = 2e-6
"""s per count of the return delay register."""


class ServoBus:
    """Serves a ServoBank on a pseudo-terminal from a thread of its own.

    A packet is obeyed when it comes in and its reply sent when the wire would have brought it. So
    commands act, and states are taken, up to half the USB latency early; a busy machine wakes the
    thread once per reply and not twice.

    Args:
        backend: a ServoBackend, or an already built ServoBank.
        calibration: nine calibration entries in bus order, see ServoBank.
        wire: WireTime; default: 1 Mbaud behind a CH343 adapter.
        faults: BusFaults; default: none.
        link: path of a symbolic link kept pointing to the pseudo-terminal; default: none.
        on_packet: called in the bus thread with every instruction Packet before it is obeyed.
    """

    def __init__(self, backend, calibration=None, wire=None, faults=None, link=None, on_packet=None):
        self.bank = backend if isinstance(backend, ServoBank) else ServoBank(backend, calibration)
        self.wire = WireTime() if wire is None else wire
        self.faults = BusFaults() if faults is None else faults
        self.packets = 0
        self._link = None if link is None else PortLink(link)
        self._on_packet = on_packet
        self._registered = {}
        self._master = self._slave = self._thread = None
        self._wake_read = self._wake_write = None
        self.path = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Open the pseudo-terminal and serve it. Returns the path of its device."""
        if self._thread is not None:
            raise RuntimeError(f'the servo bus already runs on {self.path}')
        self._master, self._slave = pty.openpty()
        self._wake_read, self._wake_write = os.pipe()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        try:
            if self._link is not None:
                self._link.point_to(self.path)
        except OSError:
            self._close()
            raise
        self._thread = threading.Thread(target=self._serve, name='servo-bus', daemon=True)
        self._thread.start()
        return self.path

    def stop(self):
        """Stop serving and remove the device, as pulling the USB plug does. May be called twice."""
        if self._thread is None:
            return
        os.write(self._wake_write, b'.')
        self._thread.join()
        self._thread = None
        if self._link is not None:
            self._link.remove()
        self._close()

    def _close(self):
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            os.close(descriptor)
        self.path = None

    def _serve(self):
        parser = PacketParser()
        while True:
            ready, _, _ = select.select([self._master, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            try:
                data = os.read(self._master, 4096)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EIO):
                    continue
                raise
            now = time.monotonic()
            for packet in parser.feed(data):
                self._obey(packet, now)

    def _obey(self, packet, now):
        self.packets += 1
        arrived = self.wire.request(now, packet.size)
        if self._on_packet is not None:
            self._on_packet(packet)
        replies = self._execute(packet)
        if not replies:
            return
        received, last = bytearray(), arrived
        for servo_id, params in replies:
            delay = self.bank.registers(servo_id)[Address.RETURN_DELAY] * _DELAY_UNIT
            last = self.wire.reply(arrived, OVERHEAD + len(params), delay)
            status = encode_status(servo_id, self.faults.errors.get(servo_id, 0), params)
            received += self.faults.pass_on(status)
        _sleep_until(last)
        try:
            os.write(self._master, received)
        except BlockingIOError:
            pass  # nobody reads: the adapter's buffer overflows

    def _execute(self, packet):
        """Obey a packet. Returns (servo_id, params) for each status packet it causes."""
        params, targets = packet.params, self._targets(packet.servo_id)
        match packet.instruction:
            case Instruction.PING:
                return [(servo_id, b'') for servo_id in targets]
            case Instruction.READ if len(params) == 2 and packet.servo_id != BROADCAST:
                return list(zip(targets, self._read(targets, *params)))
            case Instruction.SYNC_READ if len(params) >= 2:
                targets = [servo_id for servo_id in params[2:] if servo_id in self._listening()]
                return list(zip(targets, self._read(targets, params[0], params[1])))
            case Instruction.WRITE if len(params) >= 2:
                self.bank.write([(servo_id, params[0], params[1:]) for servo_id in targets])
                return self._acknowledge(packet, targets)
            case Instruction.REG_WRITE if len(params) >= 2:
                self._registered.update({servo_id: (params[0], params[1:]) for servo_id in targets})
                return self._acknowledge(packet, targets)
            case Instruction.ACTION:
                pending = [servo_id for servo_id in targets if servo_id in self._registered]
                self.bank.write([(servo_id, *self._registered.pop(servo_id)) for servo_id in pending])
                return self._acknowledge(packet, targets)
            case Instruction.SYNC_WRITE if len(params) >= 2:
                self._sync_write(params[0], params[1], params[2:])
        return []

    def _read(self, targets, address, length):
        return self.bank.read(targets, address, length, self.faults.errors) if targets else []

    def _sync_write(self, address, length, rows):
        listening = self._listening()
        starts = range(0, len(rows) - length, length + 1)
        self.bank.write([
            (rows[start], address, rows[start + 1:start + 1 + length])
            for start in starts if rows[start] in listening
        ])

    def _acknowledge(self, packet, targets):
        if packet.servo_id == BROADCAST:
            return []
        level = Address.RESPONSE_LEVEL
        return [(servo_id, b'') for servo_id in targets if self.bank.registers(servo_id)[level]]

    def _targets(self, servo_id):
        listening = self._listening()
        if servo_id == BROADCAST:
            return list(listening)
        return [servo_id] if servo_id in listening else []

    def _listening(self):
        return [servo_id for servo_id in self.bank.ids if servo_id not in self.faults.silent]


def _sleep_until(moment):
    if (remaining := moment - time.monotonic()) > 0:
        time.sleep(remaining)
