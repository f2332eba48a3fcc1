"""The figures of one recorded rollout, by the definitions that the rollout node and the bake-off use."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import ARM, NAMES
from kiwi_policy.core.metrics import first_planned, latency_percentiles, seam_ratio, smoothness

LAG_TICKS = 3
"""Ticks after which a servo has usually come to where it was sent: tracking is judged against the nearest since."""


@dataclass(frozen=True)
class Figures:
    """What a table says of a rollout; NaN and None where it is unknown.

    Attributes:
        seconds: s from the begin of the episode to its end.
        smoothness: deg. seam_ratio: 1 where takeovers step no further than ordinary motion.
        side: left, right, none, or '' where nothing was there to say.
        inference: (C,) s per chunk, by the policy. responses: (C,) s from request to chunk, NaN where unasked.
        chunks, evaluations: on record, counted per chunk.
        image_ages: s, of all images the chunks were made from.
        rejections: reason -> count.
        underruns, starved, skipped, clamped, takeovers, ticks: of the episode; starved in s.
        missed: control ticks that did not happen.
        step: (deg, joint, s) of the largest step of an arm joint at a takeover, or None.
        tracking: (deg, joint, s) of the largest distance between command and what was measured since, or None.
    """

    seconds: float
    smoothness: float
    seam_ratio: float
    side: str
    inference: np.ndarray
    responses: np.ndarray
    chunks: int
    evaluations: float
    image_ages: np.ndarray
    rejections: dict
    underruns: int
    starved: float
    skipped: int
    clamped: int
    takeovers: int
    ticks: int
    missed: int
    step: tuple | None
    tracking: tuple | None
    executed: tuple

    @property
    def latency(self):
        """(p50, p95) of inference in s."""
        return latency_percentiles(self.inference)

    @property
    def response(self):
        """(p50, p95) of request to chunk in s."""
        return latency_percentiles(self.responses[np.isfinite(self.responses)])

    @property
    def rejected(self):
        """Chunks rejected."""
        return sum(self.rejections.values())


def figures(material):
    """`Figures` of a `Material`."""
    ticks, final, result = material.ticks, material.final(), material.rollout.result
    own = episode_ticks(material)
    seconds = material.seconds[own]
    commands, takeover = np.asarray(ticks.commands)[own], np.asarray(ticks.takeover)[own]
    planned = slice(first_planned(np.asarray(ticks.sources)[own]), len(seconds))
    actions, seams = commands[planned], takeover[planned]
    chunks = material.rollout.chunks
    counters = final.counters if final else {}
    length = result.seconds if result is not None else seconds[-1] - seconds[0] if len(seconds) else 0.0
    period = material.period
    gaps = np.diff(material.seconds)
    return Figures(
        seconds=float(length), smoothness=smoothness(actions), seam_ratio=seam_ratio([(actions, seams)]),
        side=material.task.side[-1] if material.task else '',
        inference=np.array([chunk.inference_seconds for chunk in chunks], dtype=float),
        responses=np.array([material.logged(chunk.log_time) - material.requests.get(chunk.request_id, np.nan)
                            for chunk in chunks], dtype=float),
        chunks=len(chunks), evaluations=float(np.mean([chunk.evaluations for chunk in chunks])) if chunks else np.nan,
        image_ages=np.array([age for chunk in chunks for age in chunk.image_ages], dtype=float),
        rejections=dict(final.rejections) if final else {}, underruns=int(counters.get('underruns', 0)),
        starved=sum(end - start for state, start, end, _ in material.state_spans() if state == 'STARVED'),
        skipped=int(counters.get('skipped', 0)), clamped=int(np.asarray(ticks.clamped)[own].sum()),
        takeovers=int(takeover.sum()), ticks=int(own.sum()),
        missed=int(sum(round(gap / period) - 1 for gap in gaps if gap > 1.5 * period)),
        step=_largest_step(actions, seams, seconds[planned]),
        tracking=_tracking(actions, np.asarray(ticks.measured)[own][planned], seconds[planned]),
        executed=(actions, seams))


def episode_ticks(material):
    """(T,) bool: ticks of the episode that the recording is of; all where none has an id."""
    ids = np.array(material.ticks.episode_ids, dtype=object)
    result = material.rollout.result
    named = Counter(name for name in ids if name)
    if not named:
        return np.ones(len(ids), dtype=bool)
    wanted = result.episode_id if result is not None and result.episode_id in named else named.most_common(1)[0][0]
    return ids == wanted


def _largest_step(actions, seams, seconds):
    if len(actions) < 2 or not seams[1:].any():
        return None
    steps = np.abs(np.diff(actions[:, ARM], axis=0)) * seams[1:, None]
    tick, joint = np.unravel_index(np.argmax(steps), steps.shape)
    return float(steps[tick, joint]), _joint(joint), float(seconds[tick + 1])


def _tracking(actions, measured, seconds):
    """The largest distance of what was measured, in the ticks after a command, from that command."""
    if len(actions) <= LAG_TICKS:
        return None
    later = np.stack([measured[lag:len(measured) - LAG_TICKS + lag, ARM] for lag in range(LAG_TICKS + 1)])
    away = np.abs(later - actions[None, :-LAG_TICKS, ARM])
    away = np.where(np.isfinite(away), away, np.inf).min(axis=0)
    away = np.where(np.isfinite(away), away, 0.0)
    tick, joint = np.unravel_index(np.argmax(away), away.shape)
    return float(away[tick, joint]), _joint(joint), float(seconds[tick])


def _joint(index):
    return NAMES[index].removeprefix('arm_').removesuffix('.pos')
