"""Every parameter of sim_node: default, unit, bounds, description. config/sim.yaml is written from it.

    python -m kiwi_sim.sim_parameters > config/sim.yaml
"""

from kiwi_policy.core.parameters import Parameter, to_yaml

TITLE = 'Parameters of sim_node'

TABLE = (
    Parameter('seed', 0, 'Seed of the episode that the simulation starts with.', '', 0, 2**31 - 1),
    Parameter(
        'port_link', '',
        "Link kept pointing to the servo bus's pseudo-terminal; empty: kiwi/<ROS_DOMAIN_ID>/servo-bus below "
        'XDG_RUNTIME_DIR, or below a folder of the user in the temporary directory.'),
    Parameter('wire_time', True, 'Let the bus take the time that 1 Mbaud and a USB adapter take.'),
    Parameter(
        'usb_latency', 0.001,
        'What the USB adapter adds to a round trip; a CH343 shows about 0.001.', 's', 0.0, 0.1),
    Parameter(
        'camera_rate', 30.0,
        'Pictures per second of the cameras front and wrist; 0 switches them off.', 'Hz', 0.0, 120.0),
    Parameter('image_height', 96, 'Height of their pictures.', 'pixels', 16, 480),
    Parameter('image_width', 96, 'Width of their pictures.', 'pixels', 16, 640),
    Parameter('jpeg_quality', 95, 'JPEG quality of all pictures.', '', 1, 100),
    Parameter(
        'overview_rate', 10.0,
        'Pictures per second of the overview camera, for videos; 0 switches it off.', 'Hz', 0.0, 60.0),
    Parameter('overview_height', 240, 'Height of its pictures.', 'pixels', 16, 480),
    Parameter('overview_width', 320, 'Width of its pictures.', 'pixels', 16, 640),
    Parameter(
        'start_spread', 1.0,
        "Scatter of the starts as a multiple of the demonstrations'.", '', 0.0, 4.0),
    Parameter(
        'operator', 'none',
        'Who takes over where the policy goes wrong: nobody, or the scripted expert, which knows the truth '
        '(takeover/command).', choices=('none', 'expert')),
    Parameter(
        'operator_margin', 0.06,
        'How close to the axis of the post the gripper may come before the expert takes over.', 'm', 0.0, 0.2),
    Parameter(
        'operator_patience', 5.0,
        'Time for the next stage (lifted, past the post, on the disc) before it does.', 's', 0.1, 600.0),
    Parameter('operator_rate', 0.0, 'Takeovers at random beside.', 'Hz', 0.0, 10.0),
    Parameter('task_state_rate', 10.0, 'Rate of sim/task_state.', 'Hz', 0.1, 100.0),
)

if __name__ == '__main__':
    print(to_yaml(TITLE, TABLE), end='')
