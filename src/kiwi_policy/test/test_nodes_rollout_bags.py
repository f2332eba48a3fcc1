import json
from types import SimpleNamespace

import pytest
from kiwi_msgs.msg import EpisodeResult

from kiwi_policy.nodes.episode_log import EpisodeLog
from kiwi_policy.nodes.rollout_bags import Bag, RolloutBags
from kiwi_policy.nodes.rollout_runner import Plan, RunAborted, Verdict

PLAN = Plan(3, 40, 20.0, 'pick')
LOG = EpisodeLog(1, 'run-0001', 41)
SUCCESS = Verdict(True, 'success')


class Client:
    """A service that is there or not."""

    def __init__(self, name, ready=True):
        self.srv_name, self.ready = name, ready

    def service_is_ready(self):
        return self.ready


class Ports:
    """Scripted answers of the recorder."""

    def __init__(self, start=None, stop=None, ready=True):
        self.status = SimpleNamespace(mode='latest')
        self.start_recording, self.stop_recording = Client('recorder/start', ready), Client('recorder/stop', ready)
        self.order, self.requests, self.patience = [], [], []
        self.results = SimpleNamespace(publish=self._publish, wait_for_all_acked=lambda duration: True)
        self._answers = {self.start_recording: start, self.stop_recording: stop}

    def call(self, client, request, patience):
        self.order.append(client.srv_name)
        self.requests.append(request)
        self.patience.append(patience)
        answer = self._answers[client]
        if isinstance(answer, Exception):
            raise answer
        return answer or SimpleNamespace(success=True, message='', folder=self.requests[0].folder)

    def _publish(self, message):
        assert isinstance(message, EpisodeResult)
        self.order.append(f'result {message.outcome}')


def bags_on(ports, folder, record=True, interrupted=False):
    said = []
    parameters = SimpleNamespace(record=record, sim=True, service_timeout=10.0)
    return RolloutBags(ports, parameters, folder, lambda: interrupted, said.append), said


def summary():
    return LOG.summary(True, 'success', 3.0, None)


def refusal(message, folder=''):
    return SimpleNamespace(success=False, message=message, folder=folder)


def test_a_rollout_has_its_bag_with_result_inside(tmp_path):
    ports = Ports()
    bags, said = bags_on(ports, tmp_path)
    bags.start(LOG, PLAN, lambda seconds: False)
    assert bags.stop(SUCCESS, summary()) == Bag('bags/rollout_002', 'true')
    assert ports.order == ['recorder/start', 'result success', 'recorder/stop'] and said == []
    start, stop = ports.requests
    assert (start.folder, start.episode_id) == (str(tmp_path / 'bags' / 'rollout_002'), 'run-0001')
    details = json.loads(start.details)
    assert details == {'seed': 41, 'index': 1, 'rollouts': 3, 'task': 'pick', 'time_limit': 20.0, 'mode': 'latest',
                       'sim': True, 'run': tmp_path.name}
    assert (stop.outcome, stop.labelled, stop.rollout_success) == ('success', True, True)


@pytest.mark.parametrize('ports', [
    Ports(start=refusal('0.01 GB are free')), Ports(start=RunAborted('service recorder/start did not answer')),
    Ports(ready=False)])
def test_a_recording_that_does_not_begin_is_said_and_the_result_published(ports, tmp_path):
    bags, said = bags_on(ports, tmp_path)
    bags.start(LOG, PLAN, lambda seconds: True)
    assert said[0].startswith('rollout 2 is not recorded: ') and len(said) == 1
    assert bags.stop(SUCCESS, summary()) == Bag('', '')
    assert ports.order[-1] == 'result success'


@pytest.mark.parametrize(('stop', 'complete'), [
    (RunAborted('recorder/stop did not answer within 60 s'), 'no, recorder/stop did not answer within 60 s'),
    (refusal('nothing is being recorded'), 'no, the recorder was started again: nothing is being recorded')])
def test_a_bag_that_does_not_close_is_named_as_incomplete(stop, complete, tmp_path):
    ports = Ports(stop=stop)
    bags, said = bags_on(ports, tmp_path)
    bags.start(LOG, PLAN, lambda seconds: False)
    assert bags.stop(SUCCESS, summary()) == Bag('bags/rollout_002', complete)
    assert said == [f'the recording {tmp_path / "bags" / "rollout_002"} is not complete: {complete}']


def test_an_interrupted_rollout_is_not_labelled_and_its_bag_closes_in_time(tmp_path):
    ports = Ports()
    bags, _ = bags_on(ports, tmp_path, interrupted=True)
    bags.start(LOG, PLAN, lambda seconds: False)
    assert bags.stop(Verdict(False, 'interrupted', labelled=False), None).complete == 'true'
    assert (ports.requests[-1].outcome, ports.requests[-1].labelled) == ('interrupted', False)
    assert ports.patience[-1] < 10.0 and ports.order == ['recorder/start', 'recorder/stop']


def test_an_episode_that_never_began_still_closes_its_bag(tmp_path):
    ports = Ports()
    bags, _ = bags_on(ports, tmp_path)
    bags.start(LOG, PLAN, lambda seconds: False)
    bags.stop(None, None)
    assert (ports.requests[-1].outcome, ports.requests[-1].labelled) == ('aborted', False)


def test_without_recording_only_the_result_is_published(tmp_path):
    ports = Ports()
    bags, said = bags_on(ports, tmp_path, record=False)
    bags.start(LOG, PLAN, lambda seconds: False)
    assert bags.stop(SUCCESS, summary()) == Bag() and ports.order == ['result success'] and said == []
