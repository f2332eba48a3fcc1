"""The bus on its pseudo-terminal, byte by byte."""

import os
import select
import stat
import time

import pytest

from kiwi_sim.bus_faults import BusFaults
from kiwi_sim.feetech_protocol import BROADCAST, Instruction, StatusError, encode_instruction, encode_status
from kiwi_sim.ideal_servos import IdealServos
from kiwi_sim.port_link import PortLink, default_port_link
from kiwi_sim.registers import Address
from kiwi_sim.servo_bus import ServoBus
from kiwi_sim.wire_time import WireTime


class Host:
    """The other end of the wire: writes packets, collects replies."""

    def __init__(self, bus):
        self._port = os.open(bus.path, os.O_RDWR | os.O_NOCTTY)

    def ask(self, *packet, size, wait=2.0):
        """Send an instruction packet and return up to `size` bytes of reply."""
        os.write(self._port, encode_instruction(*packet))
        return self.receive(size, wait)

    def receive(self, size, wait):
        reply, deadline = b'', time.monotonic() + wait
        while len(reply) < size and (left := deadline - time.monotonic()) > 0:
            if select.select([self._port], [], [], left)[0]:
                reply += os.read(self._port, 1024)
        return reply

    def close(self):
        os.close(self._port)


def word(value):
    return value.to_bytes(2, 'little')


@pytest.fixture
def bus():
    with ServoBus(IdealServos(), wire=WireTime(enabled=False)) as bus:
        yield bus


@pytest.fixture
def host(bus):
    host = Host(bus)
    yield host
    host.close()


def test_ping_answers_with_an_empty_status_packet(host):
    assert host.ask(3, Instruction.PING, size=6) == encode_status(3)


def test_broadcast_ping_answers_from_every_servo(host):
    assert host.ask(BROADCAST, Instruction.PING, size=54) == b''.join(encode_status(i) for i in range(1, 10))


def test_read_and_write(host):
    assert host.ask(1, Instruction.READ, bytes((3, 2)), size=8) == encode_status(1, 0, b'\x09\x03')
    write = bytes((Address.ACCELERATION, 254))
    assert host.ask(2, Instruction.WRITE, write, size=6) == encode_status(2)
    assert host.ask(2, Instruction.READ, bytes((41, 1)), size=7) == encode_status(2, 0, b'\xfe')


def test_sync_write_is_silent_and_sync_read_answers_in_the_order_asked(host):
    rows = bytes((42, 2, 1)) + word(1000) + bytes((2,)) + word(3000)
    assert host.ask(BROADCAST, Instruction.SYNC_WRITE, rows, size=1, wait=0.05) == b''
    expected = encode_status(2, 0, word(3000)) + encode_status(1, 0, word(1000))
    assert host.ask(BROADCAST, Instruction.SYNC_READ, bytes((56, 2, 2, 1)), size=16) == expected


def test_a_registered_write_waits_for_action(bus, host):
    write = bytes((Address.GOAL_POSITION,)) + (1234).to_bytes(2, 'little')
    assert host.ask(4, Instruction.REG_WRITE, write, size=6) == encode_status(4)
    assert bus.bank.registers(4).get(Address.GOAL_POSITION) == 2048
    host.ask(BROADCAST, Instruction.ACTION, size=1, wait=0.05)
    assert bus.bank.registers(4).get(Address.GOAL_POSITION) == 1234


def test_what_is_not_for_a_servo_gets_no_answer(host):
    assert host.ask(42, Instruction.PING, size=1, wait=0.05) == b''
    assert host.ask(1, 0x77, size=1, wait=0.05) == b''


def test_silent_servos_and_error_bits(bus, host):
    bus.faults.silent.add(5)
    bus.faults.errors[6] = StatusError.OVERLOAD
    assert host.ask(5, Instruction.PING, size=1, wait=0.05) == b''
    assert host.ask(6, Instruction.PING, size=6) == encode_status(6, 0x20)
    assert host.ask(6, Instruction.READ, bytes((65, 1)), size=7) == encode_status(6, 0x20, b'\x20')


def test_lost_and_garbled_replies():
    faults = BusFaults(drop=1.0)
    packet = encode_status(1, 0, b'\x00\x08')
    assert faults.pass_on(packet) == b''
    faults.drop, faults.corrupt = 0.0, 1.0
    garbled = faults.pass_on(packet)
    assert len(garbled) == len(packet)
    assert sum((a ^ b).bit_count() for a, b in zip(garbled, packet)) == 1


def test_wire_time_of_a_sync_read():
    wire = WireTime(baud=1_000_000, latency=1e-3)
    request = wire.request(10.0, 8 + 6)
    assert request == pytest.approx(10.0 + 0.5e-3 + 140e-6)
    arrivals = [wire.reply(request, 8) for _ in range(6)]
    assert arrivals[-1] == pytest.approx(request + 6 * 80e-6 + 0.5e-3)
    assert WireTime(enabled=False).reply(10.0, 1000) == 10.0


def test_two_requests_share_the_wire_but_not_the_latency():
    wire = WireTime(latency=2e-3)
    wire.request(0.0, 100)
    assert wire.request(0.0, 100) == pytest.approx(1e-3 + 2 * 1e-3)


def test_replies_take_at_least_the_wire_time():
    with ServoBus(IdealServos(), wire=WireTime(latency=20e-3)) as bus:
        host = Host(bus)
        start = time.monotonic()
        host.ask(1, Instruction.PING, size=6)
        assert time.monotonic() - start >= 20e-3 + 12 * 10e-6
        host.close()


def test_stopping_looks_like_an_unplugged_adapter_and_the_link_goes(tmp_path):
    link = tmp_path / 'run' / 'servo-bus'
    bus = ServoBus(IdealServos(), link=link)
    path = bus.start()
    assert os.readlink(link) == path
    assert stat.S_IMODE(link.parent.stat().st_mode) == 0o700
    port = os.open(link, os.O_RDWR | os.O_NOCTTY)
    bus.stop()
    bus.stop()
    assert not link.is_symlink()
    assert os.read(port, 1) == b''
    with pytest.raises(OSError):
        os.write(port, b'x')
    os.close(port)
    bus.start()
    assert os.readlink(link) == bus.path
    bus.stop()


def test_a_link_is_not_laid_over_a_file(tmp_path):
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(FileExistsError, match='choose another port_link'):
        PortLink(tmp_path / 'file')


def test_a_link_has_one_keeper_and_a_stale_one_is_replaced(tmp_path):
    path = tmp_path / 'link'
    path.symlink_to('/dev/pts/99')
    link, rival = PortLink(path), PortLink(path)
    link.point_to('/dev/pts/1')
    link.point_to('/dev/pts/2')
    with pytest.raises(FileExistsError, match='another simulation serves'):
        rival.point_to('/dev/pts/3')
    rival.remove()
    assert os.readlink(path) == '/dev/pts/2'
    link.remove()
    assert list(tmp_path.iterdir()) == []
    rival.point_to('/dev/pts/3')
    assert os.readlink(path) == '/dev/pts/3'
    rival.remove()


def test_a_bus_whose_link_is_taken_opens_nothing(tmp_path):
    with ServoBus(IdealServos(), link=tmp_path / 'link'):
        before = len(os.listdir('/proc/self/fd'))
        with pytest.raises(FileExistsError):
            ServoBus(IdealServos(), link=tmp_path / 'link').start()
        assert len(os.listdir('/proc/self/fd')) == before


def test_the_default_link_differs_by_domain(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_RUNTIME_DIR', str(tmp_path))
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    assert default_port_link() == tmp_path / 'kiwi' / '7' / 'servo-bus'
    monkeypatch.delenv('XDG_RUNTIME_DIR')
    assert default_port_link(3).parts[-3:] == (f'kiwi-{os.getuid()}', '3', 'servo-bus')
