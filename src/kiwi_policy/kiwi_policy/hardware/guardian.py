"""Stops LeKiwi's wheels when the process that drives them dies or hangs. Standard library only.

    python -I guardian.py PORT_FD DRIVER_PID TIMEOUT WHEEL_ID...

PORT_FD is the driver's own serial port, inherited. Standard input is the driver's heartbeat, bytes of
MOVING or RESTING. When it ends, or MOVING is not renewed for TIMEOUT s, the driver is killed and the
wheels are commanded to zero until each of them confirms it. The arm keeps its last goal under torque.
STOP asks for the same without killing; QUIT ends the guardian.
"""

import contextlib
import os
import select
import signal
import sys
import termios
import time

MOVING, RESTING, STOP, QUIT = b'm', b'r', b's', b'q'
DEAD, HUNG = b'', b'h'
READY = b'+'
GOAL_VELOCITY, READ, SYNC_WRITE, BROADCAST = 46, 0x02, 0x83, 0xFE
POLL, REPLY, GIVE_UP = 0.02, 0.02, 60.0     # s


def main(port, driver_pid, timeout, wheels):
    """Watch until told to quit; the exit code says whether the wheels stand."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))    # where it is allowed
    driver = os.pidfd_open(driver_pid)
    os.write(1, READY)
    last_word = watch(timeout)
    if last_word == QUIT:
        return 0
    if last_word != STOP:
        signal.pidfd_send_signal(driver, signal.SIGKILL)
        select.select([driver], [], [], REPLY)      # dead: it can write no more
    standing = stop(port, wheels)
    why = {DEAD: f'process {driver_pid}, which drove the wheels, ended without a word',
           HUNG: f'process {driver_pid} was silent for {timeout:g} s while the wheels turned, and was killed',
           STOP: f'process {driver_pid} could not stop the wheels'}[last_word]
    say(f'{why}: ' + ('the wheels are commanded to stand, and confirm it' if standing
                      else 'not all wheels are known to stand'))
    return 0 if standing else 1


def watch(timeout):
    """QUIT or STOP where the driver said so, DEAD where it died, HUNG where it hangs while the wheels may turn."""
    moving, last = False, time.monotonic()
    while True:
        asked = time.monotonic()
        ready, _, _ = select.select([0], [], [], POLL)
        now = time.monotonic()
        if ready:
            beats = os.read(0, 4096)
            if not beats or beats[-1:] in (QUIT, STOP):
                return beats[-1:]
            moving, last = beats[-1:] == MOVING, now
            continue
        last += max(now - asked - POLL, 0.0)        # time in which this process stood still as well
        if moving and now - last > timeout:
            return HUNG


def stop(port, wheels):
    """Command zero velocity until every wheel confirms it; False where the port is gone or nobody answers."""
    turning, deadline = set(wheels), time.monotonic() + GIVE_UP
    zero = packet(BROADCAST, SYNC_WRITE, GOAL_VELOCITY, 2, *(byte for wheel in wheels for byte in (wheel, 0, 0)))
    while turning and time.monotonic() < deadline:
        try:
            termios.tcflush(port, termios.TCIOFLUSH)
            os.write(port, zero)
            turning -= {wheel for wheel in turning if goal_velocity(port, wheel) == 0}
        except BlockingIOError:
            time.sleep(POLL)
        except (OSError, termios.error) as error:
            say(f'the servo bus is gone: {error}')
            return False
    for wheel in turning:
        say(f'wheel {wheel} did not confirm that it stands')
    return not turning


def say(text):
    """Tell whoever reads the driver's error output, if anybody still does."""
    with contextlib.suppress(OSError):
        print(f'guardian: {text}', file=sys.stderr, flush=True)


def goal_velocity(port, wheel):
    """The wheel's goal velocity register, None without a valid reply in time."""
    os.write(port, packet(wheel, READ, GOAL_VELOCITY, 2))
    reply, until = b'', time.monotonic() + REPLY
    while time.monotonic() < until:
        if select.select([port], [], [], max(until - time.monotonic(), 0.0))[0]:
            reply += os.read(port, 64)
        start = reply.find(bytes((0xFF, 0xFF, wheel, 4)))
        answer = reply[start:start + 8]
        if start >= 0 and len(answer) == 8 and answer[-1] == checksum(answer[2:-1]):
            return int.from_bytes(answer[5:7], 'little')
    return None


def packet(servo, instruction, *parameters):
    """A Feetech instruction packet."""
    body = bytes((servo, len(parameters) + 2, instruction, *parameters))
    return b'\xff\xff' + body + bytes((checksum(body),))


def checksum(body):
    """The last byte of a packet, from the bytes between header and checksum."""
    return ~sum(body) & 0xFF


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), [int(word) for word in sys.argv[4:]]))
