"""An emulated servo bus on ideal servos that notes what is written to it."""

from kiwi_sim.feetech_protocol import BROADCAST, Instruction
from kiwi_sim.ideal_servos import IdealServos
from kiwi_sim.registers import Address
from kiwi_sim.servo_bank import ServoBank
from kiwi_sim.servo_bus import ServoBus
from kiwi_sim.servos import CALIBRATION_PATH, load_calibration
from kiwi_sim.wire_time import WireTime

from kiwi_policy.hardware.lekiwi import LeKiwiHardware

PATIENT = 1.0
"""s to wait for a reply where a test machine may be busy."""
ARM_IDS, WHEEL_IDS = range(1, 7), range(7, 10)


class Rig:
    """A bus on ideal servos that notes every write as (id, address, value)."""

    def __init__(self, goal_enables_torque=False):
        self.servos = IdealServos()
        self.writes = []
        calibration = list(load_calibration().values())
        self.bank = ServoBank(self.servos, calibration, goal_enables_torque)
        self.bus = ServoBus(self.bank, wire=WireTime(enabled=False), on_packet=self._note)
        self.bus.start()

    def _note(self, packet):
        params = packet.params
        if packet.instruction == Instruction.WRITE:
            self.writes.append((packet.servo_id, params[0], int.from_bytes(params[1:], 'little')))
        elif packet.instruction == Instruction.SYNC_WRITE and packet.servo_id == BROADCAST:
            width = params[1] + 1
            for row in range(2, len(params), width):
                value = int.from_bytes(params[row + 1:row + width], 'little')
                self.writes.append((params[row], params[0], value))

    def hardware(self, **options):
        """Without a guardian, unless asked for: it would kill a test that takes a pause while the wheels turn."""
        return LeKiwiHardware(self.bus.path, CALIBRATION_PATH,
                              **{'reply_timeout': PATIENT, 'guardian_timeout': 0, **options})

    def power(self):
        """Put all servos under torque as a former session would have left them."""
        for servo_id in self.bank.ids:
            self.bank.write([(servo_id, Address.TORQUE_ENABLE, b'\1')])

    def torque(self):
        return [self.bank.registers(servo_id)[Address.TORQUE_ENABLE] for servo_id in self.bank.ids]

    def goals(self, address):
        return [self.bank.registers(servo_id).get(address) for servo_id in self.bank.ids]
