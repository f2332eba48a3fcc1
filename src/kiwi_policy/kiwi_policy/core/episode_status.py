"""What the executor's parts have counted in the current or the last episode, as one frozen `Status`."""

from kiwi_policy.core.records import Status


def episode_status(now, config, machine, counters, gatekeeper, timeline, latency, requests, takeover):
    """The `Status` at `now` (s) of an executor made of these parts."""
    newest = gatekeeper.newest
    known = bool(len(latency))
    return Status(
        state=machine.state, reason=machine.reason, mode=config.mode, episode_id=machine.shown_episode,
        run_id=newest.run_id if newest else 0, chunk_id=newest.chunk_id if newest else 0,
        accepted=counters.accepted, rejected=gatekeeper.counts.total(), reject_counts=dict(gatekeeper.counts),
        skipped=counters.skipped, underruns=counters.underruns, clamped=counters.clamped,
        takeovers=counters.takeovers, ticks=counters.ticks, overlap=counters.overlap(),
        queue_seconds=timeline.seconds_left(now), latency_p50=latency.percentile(50) if known else 0.0,
        latency_p95=latency.percentile(95) if known else 0.0, request_interval=requests.mean_interval(), requests=dict(requests.causes),
        lost=requests.lost, dissents=counters.dissents, starved_seconds=counters.starved_ticks * config.period,
        dropped=counters.dropped, operator_takeovers=takeover.count, operator_seconds=takeover.ticks * config.period,
        operator_refused=dict(takeover.refused))
