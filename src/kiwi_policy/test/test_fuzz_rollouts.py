"""Whatever rollout_node hears or is asked: a run ends with results or one clear reason, and its file is JSON."""

import json
import math
import time
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from builtin_interfaces.msg import Time  # noqa: E402
from kiwi_msgs.action import RunRollouts  # noqa: E402
from kiwi_msgs.msg import ActionChunk, ExecutedAction, ExecutorStatus, PolicyInfo, TaskState  # noqa: E402
from kiwi_msgs.srv import BeginEpisode, EndEpisode, LabelEpisode, ResetWorld  # noqa: E402
from rclpy.action import GoalResponse  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from kiwi_policy.nodes import rollout_node, rollout_parameters, rollout_stage  # noqa: E402
from kiwi_policy.nodes.results import RunResults, table  # noqa: E402
from kiwi_policy.nodes.rollout_node import RolloutNode, episode_result  # noqa: E402
from kiwi_policy.nodes.rollout_ports import RolloutPorts  # noqa: E402
from kiwi_policy.nodes.rollout_runner import Plan, Runner  # noqa: E402

FLOATS = st.floats(width=32)
TEXT = st.text(max_size=20)
SIDE = st.sampled_from(['left', 'right', 'none']) | TEXT
UINT8, UINT32, UINT64 = st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
INT32 = st.integers(-2**31, 2**31 - 1)
STAMPS = st.builds(Time, sec=INT32, nanosec=UINT32)
MINE = st.sampled_from(['mine', 'mine', 'mine', 'other'])
PROFILE = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def nine_or(values):
    return st.lists(values, min_size=9, max_size=9) | st.lists(values, max_size=12)


ACTIONS = st.builds(
    ExecutedAction, episode_id=MINE, names=st.lists(TEXT, max_size=9), command=nine_or(FLOATS), measured=nine_or(FLOATS),
    source=UINT8, run_id=UINT64, chunk_id=UINT64, index=INT32, blended=UINT32, takeover=st.booleans(),
    clamped=st.booleans(), received_runs=st.lists(UINT64, max_size=2), received_chunks=st.lists(UINT64, max_size=3))
CHUNKS = st.builds(
    ActionChunk, run_id=UINT64, episode_id=MINE, chunk_id=UINT64, request_id=UINT64, names=st.lists(TEXT, max_size=9),
    period=st.floats(), horizon=UINT32, actions=st.lists(FLOATS, max_size=20), image_names=st.lists(TEXT, max_size=3),
    image_ages=st.lists(FLOATS, max_size=3), image_stamps=st.lists(STAMPS, max_size=3), head=TEXT,
    checkpoint_digest=TEXT, evaluations=UINT32, inference_seconds=FLOATS)
TASKS = st.builds(
    TaskState, seed=st.just(7) | UINT64, seconds=FLOATS, success=st.booleans(), post_hit=st.booleans(),
    lifted=st.booleans(), side=SIDE, realtime_factor=FLOATS, camera_rate=FLOATS)
STATUSES = st.builds(
    ExecutorStatus, state=st.integers(0, 9) | UINT8, reason=TEXT, mode=TEXT, episode_id=MINE, run_id=UINT64,
    chunk_id=UINT64, accepted=UINT32, rejected=UINT32, reject_reasons=st.lists(TEXT, max_size=3),
    reject_counts=st.lists(UINT32, max_size=3), skipped=UINT32, underruns=UINT32, clamped=UINT32, takeovers=UINT32,
    ticks=UINT32, overlap=FLOATS, queue_seconds=FLOATS, latency_p50=FLOATS, latency_p95=FLOATS, request_interval=FLOATS,
    jitter_p99=FLOATS, cycle_p95=FLOATS)
INFOS = st.builds(
    PolicyInfo, run_id=UINT64, head=TEXT, checkpoint=TEXT, checkpoint_digest=TEXT, names=st.lists(TEXT, max_size=9),
    units=st.lists(TEXT, max_size=9), period=st.floats(), horizon=UINT32, n_action_steps=UINT32,
    action_spread=st.lists(FLOATS, max_size=9), cameras=st.lists(TEXT, max_size=3), observation_steps=UINT32,
    latency_p50=FLOATS, latency_p95=FLOATS, evaluations=UINT32)
IMAGES = st.builds(lambda form, data: serialize_message(CompressedImage(format=form, data=data)), TEXT,
                   st.binary(max_size=40))
LABELS = st.builds(LabelEpisode.Request, success=st.booleans(), note=TEXT)
HEARD = st.one_of(*(st.tuples(st.just(kind), messages) for kind, messages in (
    ('action', ACTIONS), ('chunk', CHUNKS), ('task', TASKS), ('status', STATUSES), ('info', INFOS), ('image', IMAGES),
    ('label', LABELS))))


class DeafNode:
    """Makes publishers, clients and subscriptions that go nowhere."""

    def __getattr__(self, name):
        return lambda *_args, **_options: SimpleNamespace(srv_name=name, service_is_ready=lambda: True)


class ScriptedPorts(RolloutPorts):
    """Hears one message whenever the run waits, and gets the answers of a script from the services."""

    def __init__(self, parameters, heard, answers):
        super().__init__(DeafNode(), parameters)
        self.heard, self.answers = list(heard), answers
        self.begin, self.end, self.clear, self.reset = 'begin', 'end', 'clear', 'reset'

    def call(self, client, request, interrupted=lambda: False):
        if client == 'begin':
            self.log.episode_id = 'mine'
        return self.answers[client]

    def hear(self):
        """The next message; False where there is none."""
        if not self.heard:
            return False
        kind, message = self.heard.pop(0)
        if kind == 'image':
            self._on_image('front', message)
            self._take_frame()
        elif kind == 'label':
            answer = self._on_label(message, LabelEpisode.Response())
            assert answer.accepted is (answer.message == 'noted')
        else:
            getattr(self, f'_on_{kind}')(message)
        return True


@PROFILE
@given(acted=st.lists(st.tuples(st.just('action'), ACTIONS), min_size=2, max_size=5),
       heard=st.lists(HEARD, max_size=10), info=INFOS, final=STATUSES, ended=st.booleans(),
       cleared=st.booleans(), sim=st.booleans(), note=TEXT)
def test_a_run_survives_whatever_it_hears(tmp_path_factory, acted, heard, info, final, ended, cleared, sim, note):
    folder = tmp_path_factory.mktemp('run')
    parameters = SimpleNamespace(**{parameter.name: parameter.default for parameter in rollout_parameters.TABLE})
    parameters.sim, parameters.reset_seconds, parameters.label_timeout, parameters.video_height = sim, 0.0, 0.0, 16
    ports = ScriptedPorts(parameters, acted + heard, {
        'begin': BeginEpisode.Response(success=True), 'end': EndEpisode.Response(success=ended, message=note, status=final),
        'clear': Trigger.Response(success=cleared, message=note), 'reset': ResetWorld.Response(success=True)})
    ports.info, ports.status = info, ExecutorStatus(mode='latest')
    stage = rollout_stage.RosStage(ports, parameters, folder, lambda: False, lambda text: None)
    stage.wait = lambda seconds: bool(not (seconds and ports.hear()) and time.sleep(0.1 * seconds))
    node = SimpleNamespace(_ports=ports, parameters=parameters)
    plan = Plan(2, 7, 0.02, note)
    results = RunResults(folder, RolloutNode._header(node, plan))
    published = []
    message = Runner(stage, results, lambda summary: published.append(episode_result(summary))).run(plan)
    written = json.loads(results.path.read_text(), parse_constant=lambda word: pytest.fail(f'{word} is no JSON'))
    assert written['finished_rollouts'] == len(published) == len(results.episodes) and written['message'] == message
    assert message == ' '.join(message.splitlines()) or any(text in message for text in (note, *reasons(heard)))
    assert str(results.path) in table(results)


def reasons(heard):
    return [message.reason for kind, message in heard if kind == 'status']


@PROFILE
@given(goal=st.builds(RunRollouts.Goal, rollouts=st.integers(0, 3) | UINT32, time_limit=FLOATS, task=TEXT, seed=UINT64),
       busy=st.booleans())
def test_an_accepted_goal_can_be_run(goal, busy):
    node = SimpleNamespace(parameters=SimpleNamespace(rollouts=0, time_limit=20.0, task=''), busy=busy,
                           _interrupt=SimpleNamespace(is_set=lambda: False))
    if RolloutNode._on_goal(node, goal) == GoalResponse.REJECT:
        assert busy or goal.rollouts < 1 or not 0 <= goal.time_limit < math.inf or \
            goal.seed + goal.rollouts > rollout_node.MAX_SEED
        return
    plan = Plan(goal.rollouts, goal.seed, goal.time_limit or 20.0, goal.task)
    assert RolloutPorts.reset_request(plan.seed + plan.rollouts - 1).seed >= goal.seed
