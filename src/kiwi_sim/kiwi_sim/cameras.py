"""The simulation's end of the camera process: gives it states, receives frames."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict

import mujoco
import numpy as np

from kiwi_sim.camera_wire import STATE, pack_shot, read_frame, read_ready
from kiwi_sim.gl_backends import gl_backends

_MAX_IN_FLIGHT = 2
_STOP_SECONDS = 3.0


class CameraError(RuntimeError):
    """Pictures cannot be rendered on this machine, or no longer. The message says why."""


class Cameras:
    """Cameras rendered and encoded in a process of their own.

    Mesa's software renderer is told to use no threads of its own (LP_NUM_THREADS=0, unless the
    environment says otherwise): handing small pictures between threads costs more than it gains, many
    times more where the processors are busy.

    Args:
        world: the `World` to show.
        specs: `CameraSpec`s, at most 32.
        quality: JPEG quality, 1..100.
        on_frame: called with every `Frame` in a thread of its own.
        on_fault: called with a message when the process ends unasked.
        backends: values of MUJOCO_GL to try in turn; default: `gl_backends()`.
    """

    def __init__(self, world, specs, quality, on_frame, on_fault, backends=None):
        self.skipped = 0
        self.backend = None
        self._world = world
        self._specs = specs
        self._quality = quality
        self._on_frame = on_frame
        self._on_fault = on_fault
        self._backends = backends or gl_backends()
        self._state = np.empty(mujoco.mj_stateSize(world.model, STATE))
        self._process = self._thread = None
        self._errors = None
        self._in_flight = 0
        self._in_flight_lock = threading.Lock()
        self._stopping = False

    def start(self):
        """Start the process and wait until it renders.

        Raises:
            CameraError: with the reason of every backend tried.
        """
        reasons = []
        for backend in self._backends:
            self._process, reason = self._launch(backend)
            if self._process is not None:
                self.backend = backend
                break
            reasons.append(f'{backend}: {reason}')
        else:
            raise CameraError(
                f'no OpenGL for rendering ({"; ".join(reasons)}). Install libegl1, libegl-mesa0 and '
                f'libgl1-mesa-dri (or libosmesa6), or name a working backend in MUJOCO_GL'
            )
        self._stopping = False
        self._in_flight = 0
        self._thread = threading.Thread(target=self._receive, name='cameras', daemon=True)
        self._thread.start()

    def shoot(self, stamp, mask):
        """Ask for pictures of the world as it is now.

        A shot is skipped while two others are still being rendered: pictures may become fewer, but
        never late.

        Args:
            stamp: ns since the epoch, passed on to the frames.
            mask: a bit per camera.
        """
        with self._in_flight_lock:
            if self._in_flight >= _MAX_IN_FLIGHT:
                self.skipped += 1
                return
            self._in_flight += 1
        with self._world.lock:
            mujoco.mj_getState(self._world.model, self._world.data, self._state, STATE)
        try:
            self._process.stdin.write(pack_shot(stamp, mask, self._state))
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the receiving thread reports the end of the process

    def stop(self):
        """End the process. May be called twice."""
        self._stopping = True
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        process.stdout.close()
        self._errors.close()

    def _launch(self, backend):
        options = {'cameras': [asdict(spec) for spec in self._specs], 'quality': self._quality}
        environment = {'LP_NUM_THREADS': '0'} | os.environ | {
            'MUJOCO_GL': backend,
            'PYTHONPATH': os.pathsep.join(path for path in sys.path if path),
        }
        self._errors = tempfile.TemporaryFile()
        process = subprocess.Popen(
            [sys.executable, '-P', '-m', 'kiwi_sim.camera_process', json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment,
        )
        if read_ready(process.stdout):
            return process, None
        process.kill()
        process.communicate()
        return None, self._last_words(process)

    def _last_words(self, process):
        """Why the process ended, in a line."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors='replace').strip().splitlines()
        return lines[-1] if lines else f'exit code {process.returncode}'

    def _receive(self):
        process = self._process
        while (frame := read_frame(process.stdout)) is not None:
            if frame.last:
                with self._in_flight_lock:
                    self._in_flight -= 1
            self._on_frame(frame)
        if not self._stopping:
            process.wait()
            self._on_fault(f'the camera process ended: {self._last_words(process)}')
