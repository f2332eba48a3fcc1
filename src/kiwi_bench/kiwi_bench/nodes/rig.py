"""The graph that faults are made in: a simulated robot here, executor and policy as processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from ament_index_python.packages import get_package_share_directory
from kiwi_msgs.msg import ExecutorStatus as S

from kiwi_bringup.domain import claim
from kiwi_bringup.environment import environment
from kiwi_bench.nodes import scripted_policy_node, shifted_clock
from kiwi_bench.nodes.observer import PATIENCE, Observer, Unanswered
from kiwi_bench.plant import Plant
from kiwi_sim.kinematics import body_to_wheel_raw
from kiwi_sim.servos import CALIBRATION_PATH

EXECUTOR, POLICY = 'kiwi_policy.nodes.chunk_executor_node', 'kiwi_bench.nodes.scripted_policy_node'
FULL_SPEED = np.abs(body_to_wheel_raw(np.array(scripted_policy_node.BASE_VELOCITY)))
"""(3,) ticks/s of the wheels as the policy drives them."""
PATIENT = {'executor': ('reply_timeout:=0.1', 'bus_timeout:=2.0', 'blind_timeout:=0.5', 'guardian_timeout:=1.0',
                        'connect_timeout:=300.0'),
           'policy': ('max_image_age:=3.0', 'max_state_age:=3.0', 'wait_for_inputs:=5.0')}
"""Parameters for a machine whose processes may wait seconds for a processor."""


class Rig:
    """Starts everything; `close` ends it. Make it in the main thread: the processes live no longer than that.

    Args:
        folder: logs of the processes, and the link to the bus.
        patient: run with `PATIENT` instead of the defaults.
    """

    def __init__(self, folder, patient=False):
        self.folder, self._patient = Path(folder).resolve(), patient
        self.folder.mkdir(parents=True, exist_ok=True)
        self._domain = claim(wanted='')
        profile = Path(get_package_share_directory('kiwi_bringup')) / 'config' / 'loopback_fastdds.xml'
        added = environment(True, self._domain.number, profile)
        os.environ.update(added)        # for this process's own node
        self._broken, self._shift = self.folder / 'broken', self.folder / 'clock-shift'
        self._broken.unlink(missing_ok=True)
        self._shift.write_bytes(shifted_clock.NO_SHIFT)
        self._environment = os.environ | {
            'PYTHONPATH': os.pathsep.join(path for path in sys.path if path), 'OMP_NUM_THREADS': '1',
            scripted_policy_node.BROKEN: str(self._broken)}
        self.processes, self._read_to = {}, {}
        self._burners, self._episodes = [], 0
        self.link = self.folder / 'servo-bus'
        self.plant = self.observer = None
        try:
            self.plant = Plant(self.link)
            self.observer = Observer(self._domain.number)
            self.start_executor()
            self.start_policy()
        except BaseException:
            self.close()
            raise

    # Processes.

    def start_executor(self):
        """chunk_executor_node on the emulated bus."""
        self._start('executor', EXECUTOR, f'robot_port:={self.link}', f'calibration:={CALIBRATION_PATH}')

    def start_policy(self):
        """policy_node with the scripted policy."""
        self._start('policy', POLICY)

    def signal(self, name, number):
        """Send a process a signal."""
        self.processes[name].send_signal(number)

    def ended(self, name):
        """Wait for the end of a process; returns its exit code."""
        return self.processes[name].wait(PATIENCE)

    def log(self, name):
        """What a process has printed since `mark`."""
        with open(self.folder / f'{name}.log') as file:
            file.seek(self._read_to.get(name, 0))
            return file.read()

    # Faults that are not the plant's or the observer's own.

    def break_policy(self, broken):
        """Let every inference raise, or none."""
        self._broken.touch() if broken else self._broken.unlink(missing_ok=True)

    def step_clocks(self, seconds):
        """Step the system clock as executor, policy and cameras read it; 0 steps it back."""
        self.observer.clock_shift = seconds
        shifted_clock.shift(self._shift, seconds)
        self.observer.use_sim_time(bool(seconds))

    def burn(self, processes):
        """Keep so many processors busy; 0 ends it."""
        for burner in self._burners:
            burner.kill()
            burner.wait()
        self._burners = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(processes)]

    # Driving.

    def drive(self, seed):
        """Place the robot and let the policy drive it; returns when wheels and arm move as they should."""
        self.until(lambda: self.observer.state() is not None, 'the executor to be there')
        self.observer.call('end', reason='next trial')
        self.observer.call('reset')
        self.until(lambda: self.observer.state() == S.IDLE, 'the executor to be idle')
        self.plant.reset(seed)
        self.begin()
        self.until_driving()

    def begin(self):
        """Begin an episode, as the rollout node does; a policy that is about to start gets its time."""
        self._episodes += 1
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.observer.call('begin', episode_id=f'trial-{self._episodes}', task='drive')
            if answer.success:
                return
            if time.monotonic() > deadline:
                raise Unanswered(f'no episode could be begun: {answer.message}')
            time.sleep(0.1)

    def until_driving(self):
        """Wait until the wheels turn as the policy wants, for half a second on end."""
        since = [None]

        def steady():
            close = np.all(np.abs(self.plant.witness.newest.speeds) >= 0.9 * FULL_SPEED)
            if not close or self.observer.state() != S.RUNNING:
                since[0] = None
            elif since[0] is None:
                since[0] = time.monotonic()
            return since[0] is not None and time.monotonic() - since[0] > 0.5

        self.until(steady, 'the wheels to turn as the policy wants')

    def mark(self):
        """Forget the past; returns the present, in monotonic s."""
        self.plant.witness.forget()
        self.observer.forget()
        for name in self.processes:
            self._read_to[name] = (self.folder / f'{name}.log').stat().st_size
        return time.monotonic()

    def until(self, condition, what):
        """Wait for a condition. Raises Unanswered, also where a process is gone that should not be."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.plant.failure:
                raise Unanswered(self.plant.failure)
            if time.monotonic() > deadline:
                raise Unanswered(f'waited {PATIENCE:.0f} s in vain for {what}; see the logs in {self.folder}')
            time.sleep(0.005)

    def close(self):
        """End everything."""
        self.burn(0)
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for part in (self.observer, self.plant):
            if part is not None:
                part.close()

    def _start(self, name, module, *parameters):
        words = [word for parameter in (*parameters, *(PATIENT[name] if self._patient else ()))
                 for word in ('-p', parameter)]
        command = [sys.executable, '-m', 'kiwi_bringup.tether', sys.executable, '-m',
                   'kiwi_bench.nodes.shifted_clock', str(self._shift), module, '--ros-args', *words]
        with open(self.folder / f'{name}.log', 'ab') as log:
            self.processes[name] = subprocess.Popen(command, env=self._environment, cwd=self.folder,
                                                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
