"""A made-up rollout with everything a report can show: late and refused chunks, starvation, limits, an operator."""

import json

import numpy as np
from bag_fixture import EPOCH, PERIOD_NS, RUN, BagMaker, header, image, new, parameters, stamp_of

from kiwi_policy.core import features
from kiwi_policy.core.states import Source, State

EPISODE = 'episode-7'
ROWS = 32
EVERY = 8           # ticks between requests
IDLE = 9            # ticks before the first chunk
CAMERAS = ('front', 'wrist', 'overview')
DIGEST = '0123456789abcdef'


def plan_at(tick):
    """(9,) what a smooth policy wants at a tick."""
    t = tick / 30
    return np.array([18 * np.sin(0.9 * t), -40 + 25 * np.sin(0.5 * t), 55 - 30 * np.sin(0.6 * t), 20 * np.cos(0.7 * t),
                     4 * np.sin(1.7 * t), 60 if t < 2.5 else 12, 0.12 * max(np.sin(0.45 * t), 0),
                     0.03 * np.sin(1.3 * t), 14 * np.sin(0.8 * t)])


def rich_rollout(folder, ticks=300, seed=7, outcome='post_hit', success=False, task='Put the cube on the disc.',
                 simulated=True, cameras=CAMERAS, chunks=True, starved=(150, 165), operator=(), missed=(90,),
                 rejected=((60, 'too_old', 2), (200, 'older', 1)), complete='true', hit=260, size=(48, 48), judged=True,
                 camera_offset=0, head='flow'):
    """A bag of `ticks` control ticks at 30 Hz.

    Args:
        folder: of the bag, new.
        starved, operator: (first, end) ticks without an action, or driven by an operator; () for none.
        missed: ticks that did not happen.
        rejected: (tick, reason, how many more) as the executor's status counts them.
        hit: tick at which the post was touched, or the disc reached where `success`.
        camera_offset: s that the cameras' clock is ahead of the executor's.
    """
    rng = np.random.default_rng(seed)
    custom = {'episode_id': EPISODE, 'details': json.dumps({'seed': seed, 'task': task, 'index': 0}),
              'outcome': outcome, 'checkpoint_digest': DIGEST, 'labelled': 'true' if judged else 'false',
              'success': 'true' if success else 'false', 'complete': complete, 'namespace': ''}
    with BagMaker(folder, '', custom) as bag:
        for node, values in (('/chunk_executor_node', {'mode': 'latest', 'rate': 30.0, 'speed_scale': 1.0}),
                             ('/policy_node', {'device': 'cpu', 'seed': seed})):
            bag.add('/parameter_events', EPOCH - 10**7, parameters(node, values))
        bag.add('policy_info', EPOCH - 10**6, new('kiwi_msgs/msg/PolicyInfo', head=head, checkpoint='/somewhere/flow',
                                                  checkpoint_digest=DIGEST, horizon=ROWS))
        made = _chunks(bag, rng, ticks, cameras, head) if chunks else []
        _ticks(bag, rng, ticks, made, starved, operator, missed)
        _statuses(bag, ticks, starved, operator, rejected, ticks // 40)
        for camera in cameras:
            shown = (2 * size[0], 2 * size[1]) if camera == 'overview' else size
            for tick in range(ticks):
                stamp = EPOCH + tick * PERIOD_NS - 9_000_000
                bag.add(f'camera/{camera}/image_raw/compressed', stamp + 4_000_000,
                        image(stamp + int(camera_offset * 1e9), _picture(tick, shown)))
        if simulated:
            _task(bag, ticks, seed, success, hit)
        if judged:
            bag.add('rollout/result', EPOCH + ticks * PERIOD_NS,
                    new('kiwi_msgs/msg/EpisodeResult', episode_id=EPISODE, seed=seed, success=success, outcome=outcome,
                        seconds=(ticks - 3) / 30))
    return folder


def _chunks(bag, rng, ticks, cameras, head):
    """Publish requests and chunks; returns a list of (arrival tick, id, tick of row 0, rows)."""
    made = []
    for number, tick in enumerate(range(1, ticks, EVERY), start=1):
        stamp = EPOCH + tick * PERIOD_NS
        delay = 0.09 + 0.05 * rng.random() + (0.25 if number == 12 else 0)
        drift = np.linspace(0, 1, ROWS)[:, None] * rng.normal(0, 1, 9) * np.array([3, 4, 4, 3, 2, 4, 0.01, 0.01, 2])
        rows = np.stack([plan_at(tick + row) for row in range(ROWS)]) + drift
        bag.add('chunk_request', stamp + 10**6, new(
            'kiwi_msgs/msg/ChunkRequest', header=header(stamp), request_id=number, episode_id=EPISODE, task='',
            names=list(features.NAMES), period=PERIOD_NS / 1e9, expected_delay=0.15))
        bag.add('action_chunk', stamp + int(delay * 1e9), new(
            'kiwi_msgs/msg/ActionChunk', header=header(stamp), run_id=RUN, episode_id=EPISODE, chunk_id=number,
            request_id=number, names=list(features.NAMES), period=PERIOD_NS / 1e9, horizon=ROWS,
            actions=rows.astype(np.float32).ravel(), image_names=list(cameras[:2]),
            image_ages=np.full(len(cameras[:2]), 0.012 + 0.02 * rng.random(), np.float32),
            image_stamps=[stamp_of(stamp - 9_000_000)] * len(cameras[:2]), head=head, checkpoint_digest=DIGEST,
            evaluations=10, inference_seconds=delay - 0.02))
        made.append((tick + int(np.ceil(delay * 30)), number, tick, rows))
    return made


def _ticks(bag, rng, ticks, made, starved, operator, missed):
    measured, command, before = plan_at(0), plan_at(0), 0
    for tick in range(ticks):
        if tick in missed:
            continue
        ready = [entry for entry in made if entry[0] <= tick and tick - entry[2] < ROWS]
        held = tick < IDLE or not ready or starved and starved[0] <= tick < starved[1]
        driven = operator and operator[0] <= tick < operator[1]
        entry = ready[-1] if ready and not held else (0, 0, 0, None)
        clamped = False
        if driven:
            command, source = plan_at(tick), Source.OPERATOR
        elif held:
            command, source = np.where(np.arange(9) < 6, command, 0), Source.HOLD
        else:
            wanted = entry[3][tick - entry[2]]
            limit = np.array([4, 4, 4, 4, 4, 20, 1, 1, 60])
            command = command + np.clip(wanted - command, -limit, limit)
            clamped, source = bool(np.any(np.abs(wanted - command) > 1e-9)), Source.CHUNK
        noise = rng.normal(0, 1, 9) * np.array([.1] * 5 + [.3, .004, .004, .5])
        measured = measured + 0.5 * (command - measured) + noise
        stamp = EPOCH + tick * PERIOD_NS
        index = tick - entry[2] if entry[3] is not None and not driven else -1
        bag.add('executor/action', stamp + 2_000_000 + int(rng.random() * 4e6), new(
            'kiwi_msgs/msg/ExecutedAction', header=header(stamp), episode_id=EPISODE if tick >= 2 else '',
            names=list(features.NAMES), command=command.astype(np.float32), measured=measured.astype(np.float32),
            source=int(source), run_id=RUN if index >= 0 else 0, chunk_id=entry[1] if index >= 0 else 0, index=index,
            blended=int(index >= 0), takeover=index >= 0 and entry[1] != before, clamped=clamped))
        before = entry[1] if index >= 0 else before


def _statuses(bag, ticks, starved, operator, rejected, clamped):
    running = State.RUNNING, 'executing chunks'
    changes = {0: (State.IDLE, ''), 2: (State.WAITING, 'waiting for the first chunk'), IDLE: running}
    for span, state, reason in ((starved, State.STARVED, 'ran out of actions'),
                                (operator, State.TAKEOVER, 'an operator drives')):
        if span:
            changes |= {span[0]: (state, reason), span[1]: running}
    counts, known = {}, (State.IDLE, '')
    for tick in range(ticks):
        known = changes.get(tick, known)
        for at, reason, more in rejected:
            if at == tick:
                counts[reason] = counts.get(reason, 0) + more
        if tick in changes or tick % 6 == 0 or tick == ticks - 1:
            stamp = EPOCH + tick * PERIOD_NS
            bag.add('executor/status', stamp + 2_500_000, new(
                'kiwi_msgs/msg/ExecutorStatus', header=header(stamp), state=int(known[0]), reason=known[1],
                mode='latest', episode_id=EPISODE if tick >= 2 else '', accepted=tick // EVERY, rejected=sum(counts.values()),
                reject_reasons=list(counts), reject_counts=np.array(list(counts.values()), np.uint32), skipped=4,
                underruns=int(bool(starved) and tick >= starved[0]), clamped=clamped, overlap=1.0, jitter_p99=0.0021,
                cycle_p95=0.0113))
        if tick % 30 == 0:
            bag.add('diagnostics', EPOCH + tick * PERIOD_NS, _diagnostics(tick))


def _diagnostics(tick):
    def status(level, name, message, **values):
        return new('diagnostic_msgs/msg/DiagnosticStatus', level=level, name=name, message=message,
                   hardware_id='lekiwi', values=[new('diagnostic_msgs/msg/KeyValue', key=key.replace('_', ' '), value=str(value))
                           for key, value in values.items()])

    hot = tick >= 120
    return new('diagnostic_msgs/msg/DiagnosticArray', header=header(EPOCH + tick * PERIOD_NS), status=[
        status(0, 'chunk_executor_node: control', 'RUNNING', bus_errors=int(hot),
               last_bus_error='no answer from servo 3', missed_ticks=1),
        status(int(hot), 'chunk_executor_node: servos', 'servo 3 is at 61 deg C' if hot else '9 servos are well')])


def _task(bag, ticks, seed, success, hit):
    for tick in range(0, ticks, 2):
        t, stamp = tick / 30, EPOCH + tick * PERIOD_NS
        x = -0.08 + 0.02 * t
        carried = t > 3
        cube = (x + 0.32, -0.02 * np.sin(t / 3), 0.05) if carried else (0.27, 0.01, 0.015)
        bag.add('sim/task_state', stamp + 1_500_000, new(
            'kiwi_msgs/msg/TaskState', header=header(stamp), seed=seed, seconds=t, success=success and tick >= hit,
            post_hit=not success and tick >= hit, lifted=carried, side='right' if tick >= hit - 30 else 'none',
            base=new('geometry_msgs/msg/Pose2D', x=x, y=0.01 * np.sin(t), theta=0.1 * np.sin(t)),
            cube=new('geometry_msgs/msg/Point', x=cube[0], y=cube[1], z=cube[2]),
            target=new('geometry_msgs/msg/Point', x=0.485, y=-0.005, z=0.001), realtime_factor=1.0, camera_rate=29.8))


def _picture(tick, size):
    """A bar that moves to the right by a pixel a tick, on a gradient."""
    rows, columns = np.mgrid[0:size[0], 0:size[1]]
    pixels = np.stack([rows * 120 // size[0] + 40, columns * 120 // size[1] + 40, np.full(size, 90)], axis=-1)
    pixels[:, tick % size[1]:tick % size[1] + 4] = 250
    return pixels.astype(np.uint8)
