"""faults.json and faults.md from the outcomes of all trials."""

import json
from pathlib import Path
from statistics import median

JSON, PAGE = 'faults.json', 'faults.md'

ABOUT = """\
# Faults made on purpose

`make bench-faults` starts the real `chunk_executor_node` with LeRobot's driver on the emulated servo bus, and the real
`policy_node` with a scripted policy, which turns the base on a small circle and swings the arm. In each trial the robot
drives, then one fault is made. What the servos are told is noted where the bus hands it to the physics, with the wire's
time of 1 Mbaud behind a USB adapter; nothing below rests on what the executor says of itself.

A trial is survived where all of this holds:

- the base is told to stand within {bound} s, from the fault or, where actions that were received in time still run,
  from the last of these; wheels that cannot be reached, within {bound} s of contact. Where the fault is none of the
  base's business, it drives on undisturbed, or with pauses that the table counts;
- the arm is held: torque on, goals unchanged, no joint moves by more than 1 deg;
- no goal jumps by more than a period at the speed limit allows, no wheel turns faster and the shoulder goes no further
  than the policy asked for, up to the recovery and beyond it;
- somebody is told: in `executor/status`, in `diagnostics` or in the log;
- the robot drives again, by itself or by the one command.

"""
LIMITS = """\
## How the faults stand for the real ones

- clock_step: nobody steps this machine's clock. In the processes of executor and policy `time.time` and
  `time.time_ns` are shifted, and their ROS clocks are moved by `use_sim_time` and a `/clock` an hour behind; the stamps
  of the pictures follow. What C++ libraries read for themselves is not moved. The nodes' timers run on the monotonic
  clock.
- bus_checksums: replies of the servos are garbled, commands to them are not.
- The cameras are played, one new picture of one colour at 30 Hz, so that no rendering disturbs the timing.
- executor_terminated, executor_killed, executor_hung: the processes are started again as `{restart}` starts them.
- A servo that cannot be reached keeps its last goal until there is contact. No software can help; the battery switch
  does.
"""


def summary(fault, outcomes):
    """The row of faults.json for a `Fault` and its `Outcome`s."""
    stops = [outcome.base_stop for outcome in outcomes if outcome.base_stop is not None]
    after = [outcome.after_fault for outcome in outcomes if outcome.after_fault is not None]
    row = {
        'fault': fault.name, 'trials': len(outcomes), 'survived': sum(outcome.survived for outcome in outcomes),
        'base_stop_s_max': _rounded(max, stops), 'base_stop_s_median': _rounded(median, stops),
        'base_stop_from': fault.stop.value, 'after_fault_s_max': _rounded(max, after), 'recovery': fault.recovery,
        'said': next((outcome.said for outcome in outcomes if outcome.said), ''),
        'paused_trials': sum(outcome.paused for outcome in outcomes),
        'wrong': sorted({text for outcome in outcomes for text in outcome.wrong}),
    }
    if not stops:
        row['reason'] = fault.stop.value if fault.stop.name in ('NEVER', 'PAUSES') else 'no trial came so far'
    return row


def write(folder, faults, rows, bound, restart):
    """Write both files; returns the path of the page.

    Args:
        folder: where they go.
        faults: name -> `Fault`.
        rows: of `summary`.
        bound: s within which the base must stand.
        restart: the command that starts everything.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(rows, indent=2) + '\n')
    (folder / PAGE).write_text(page(faults, rows, bound, restart))
    return folder / PAGE


def page(faults, rows, bound, restart):
    """The page, from the same rows."""
    parts = [ABOUT.format(bound=bound), _table(rows)]
    for row in rows:
        fault = faults[row['fault']]
        back = 'By itself.' if fault.recovery == 'automatic' else f'`{fault.recovery}`'
        parts.append(f'## {fault.name}\n\n{fault.made}\n\n- What happens: {fault.happens}\n'
                     f'- What the operator reads: `{row["said"] or "nothing"}`\n- How it recovers: {back}\n'
                     + ''.join(f'- **Went wrong**: {text}\n' for text in row['wrong']) + '\n')
    parts.append(LIMITS.format(restart=restart))
    return ''.join(parts)


def _table(rows):
    lines = ['| fault | survived | base stands after, median / max (s) | counted | from fault, max (s) | recovery |',
             '|---|---:|---:|---|---:|---|']
    for row in rows:
        by = 'automatic' if row['recovery'] == 'automatic' else 'one command'
        stop = (f'{row["base_stop_s_median"]:.2f} / {row["base_stop_s_max"]:.2f}'
                if row['base_stop_s_max'] is not None else '')
        after = f'{row["after_fault_s_max"]:.2f}' if row['after_fault_s_max'] is not None else ''
        counted = row['base_stop_from'] + (f' in {row["paused_trials"]} trials' if row['paused_trials'] else '')
        lines.append(f'| {row["fault"]} | {row["survived"]}/{row["trials"]} | {stop} | {counted} | {after} | {by} |')
    return '\n'.join(lines) + '\n\n'


def _rounded(function, values):
    return round(function(values), 3) if values else None
