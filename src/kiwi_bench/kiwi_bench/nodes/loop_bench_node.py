"""Measures the control loop of a chunk_executor_node: plays a policy of a given inference time, begins an episode,
and writes what the executor tells of its ticks.

The played policy answers each chunk_request, `inference` s after it came, with a chunk that moves the arm and the base.
"""

import json
import math
import secrets
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from kiwi_msgs.msg import ActionChunk, ChunkRequest, ExecutedAction, ExecutorStatus, PolicyInfo
from kiwi_msgs.srv import BeginEpisode, EndEpisode
from rclpy.node import Node

from kiwi_bench.nodes.loop_bench_parameters import TABLE
from kiwi_bench.nodes.loop_figures import control_values, figures, processor_times
from kiwi_bench.nodes.played_motion import swing
from kiwi_policy.core import features
from kiwi_policy.core.parameters import ParameterError, help_text
from kiwi_policy.nodes import conversions, process, qos
from kiwi_policy.nodes.parameters import declare

NAME = 'loop_bench_node'
TELL_EVERY = 10.0       # s between two lines of progress
RETRY = 1.0             # s between attempts to begin
SETTLE = 5.0            # s for which the newest diagnostics may be awaited


class LoopBenchNode(Node):
    """One measurement; `result` is its outcome once `finished`, `failure` says why there is none."""

    def __init__(self):
        super().__init__(NAME)
        self.parameters = declare(self, TABLE)
        if not self.parameters.output:
            raise ParameterError('parameter output is empty: name the JSON file to write')
        self.result, self.failure = None, ''
        self._episode = f'bench-{secrets.token_hex(4)}'
        self._run_id, self._chunk_id = secrets.randbits(63) | 1, 0
        self._first_stamp = self._pose = self._before = self._values = self._probe = None
        self._began = self._told = self._processors = None
        self._asking, self._said, self._opened = False, '', time.monotonic()

        self._infos = self.create_publisher(PolicyInfo, 'policy_info', qos.LATCHED)
        self._chunks = self.create_publisher(ActionChunk, 'action_chunk', qos.CHUNK)
        self.create_subscription(ChunkRequest, 'chunk_request', self._on_request, qos.REQUEST)
        self.create_subscription(ExecutedAction, 'executor/action', self._on_action, qos.ACTION)
        self.create_subscription(ExecutorStatus, 'executor/status', self._on_status, qos.STATUS)
        self.create_subscription(DiagnosticArray, 'diagnostics', self._on_diagnostics, qos.STATUS)
        self._begin = self.create_client(BeginEpisode, 'executor/begin_episode')
        self._end = self.create_client(EndEpisode, 'executor/end_episode')
        self._publish_info()
        self.create_timer(RETRY, self._advance)

    @property
    def finished(self):
        """True when there is a result or a failure."""
        return self.result is not None or bool(self.failure)

    def close(self):
        """End the probe."""
        if self._probe is not None and self._probe.poll() is None:
            self._probe.kill()
            self._probe.wait()

    # The played policy.

    def _publish_info(self):
        p = self.parameters
        info = PolicyInfo(
            run_id=self._run_id, head='played', names=list(features.NAMES), units=list(features.UNITS),
            period=1.0 / p.rate, horizon=self._rows(), n_action_steps=self._rows(), action_spread=[10.0] * features.DIM,
            observation_steps=1, latency_p50=p.inference, latency_p95=p.inference)
        info.header.stamp = self.get_clock().now().to_msg()
        self._infos.publish(info)

    def _rows(self):
        return max(round(self.parameters.horizon * self.parameters.rate), 1)

    def _on_request(self, request):
        def answer():
            timer.cancel()
            self.destroy_timer(timer)
            self._chunks.publish(self._chunk(request))

        timer = self.create_timer(max(self.parameters.inference, 1e-3), answer)

    def _chunk(self, request):
        p, rows = self.parameters, self._rows()
        stamp = conversions.to_nanoseconds(request.header.stamp)
        self._first_stamp = self._first_stamp or stamp
        seconds = (stamp - self._first_stamp) / conversions.NANO + np.arange(rows) / p.rate
        self._chunk_id += 1
        chunk = ActionChunk(
            run_id=self._run_id, episode_id=request.episode_id, chunk_id=self._chunk_id, request_id=request.request_id,
            names=list(features.NAMES), period=1.0 / p.rate, horizon=rows, head='played', evaluations=1,
            actions=swing(self._pose, seconds).astype(np.float32).ravel().tolist(), inference_seconds=p.inference)
        chunk.header.stamp = request.header.stamp
        return chunk

    # The measurement.

    def _on_action(self, message):
        if self._pose is None and np.all(np.isfinite(message.measured)):
            self._pose = list(message.measured)

    def _on_status(self, message):
        if self._began is not None and message.state in (ExecutorStatus.FAULT, ExecutorStatus.STOPPED):
            self.failure = f'the executor ended the episode: {message.reason}'

    def _on_diagnostics(self, message):
        values = control_values(message)
        if values is None:
            return
        self._values = values
        if self._began is not None:
            self._tell()

    def _advance(self):
        now, seconds = time.monotonic(), 60.0 * self.parameters.minutes
        if self._began is None:
            self._try_to_begin(now)
        elif now - self._began >= seconds and not self._asking:
            self._asking = True
            probe = self._end_probe()
            processors = self._processors, processor_times()
            self._end.call_async(EndEpisode.Request(reason='the benchmark is over')).add_done_callback(
                lambda future: self._conclude(future.result(), processors, probe))

    def _try_to_begin(self, now):
        ready = self._pose is not None and self._values is not None and self._begin.service_is_ready()
        if now - self._opened > self.parameters.ready_timeout:
            self.failure = (f'no episode could be begun within {self.parameters.ready_timeout:.0f} s: '
                            f'{self._said if ready else "the executor is not there"}')
        if self._asking or not ready:
            return
        self._asking = True
        before = self._values
        self._begin.call_async(BeginEpisode.Request(episode_id=self._episode, task='benchmark')).add_done_callback(
            lambda future: self._on_begun(future.result(), before))

    def _on_begun(self, response, before):
        self._asking = False
        if not response.success:
            if response.message != self._said:
                self._said = response.message
                self.get_logger().info(f'waiting: {response.message}')
            self._publish_info()
            return
        self._before, self._began = before, time.monotonic()
        self._told, self._processors = self._began, processor_times()
        self._probe = subprocess.Popen([sys.executable, '-m', 'kiwi_bench.loop.wake_probe', f'{self.parameters.rate:g}'],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def _end_probe(self):
        self._probe.terminate()
        try:
            return json.loads(self._probe.communicate(timeout=SETTLE)[0])
        except (ValueError, subprocess.TimeoutExpired):
            return None

    def _conclude(self, response, processors, probe):
        if not response.success:
            self.failure = f'the episode could not be ended: {response.message}'
            return
        p = self.parameters
        self.result = {'rate': p.rate, 'minutes': p.minutes, 'load': p.load, 'bus_priority': p.bus_priority,
                       'inference_ms': 1e3 * p.inference,
                       **figures(response.status, self._before, self._values, processors, probe)}

    def _tell(self):
        now = time.monotonic()
        if now - self._told < TELL_EVERY:
            return
        self._told = now
        v, gone, whole = self._values, now - self._began, 60.0 * self.parameters.minutes
        print(f'{self.parameters.rate:g} Hz, {self.parameters.load or "no load"}: {gone:.0f} of {whole:.0f} s, '
              f'{math.ceil(max(whole - gone, 0.0) / 60.0)} min left; jitter p99 {v["jitter p99 (ms)"]} ms, '
              f'max {v["jitter max (ms)"]} ms; cycle p95 {v["cycle p95 (ms)"]} ms; missed ticks '
              f'{int(v["missed ticks"]) - int(self._before["missed ticks"])}; underruns {v["underruns"]}', flush=True)


def main(args=None):
    """Run the node; returns the exit code."""
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))

    def work(node):
        process.spin(node, lambda: interrupt.is_set() or node.finished)
        if node.failure:
            return process.fail(NAME, node.failure)
        if node.result is None:
            return 130
        Path(node.parameters.output).write_text(json.dumps(node.result, indent=1) + '\n')
        return 0

    return process.run(NAME, LoopBenchNode, work)


if __name__ == '__main__':
    sys.exit(main())
