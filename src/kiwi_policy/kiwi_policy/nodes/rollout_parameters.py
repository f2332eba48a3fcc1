"""Parameters of rollout_node."""

from kiwi_policy.core.parameters import Parameter as P

TABLE = (
    P('rollouts', 0, 'Episodes to run at start, after which the node exits; 0 waits for run_rollouts goals.',
      'episodes', 0, 100000),
    P('seed', 1000, 'Seed of the first simulated episode; episode i uses seed + i.', '', 0, 2**62),
    P('time_limit', 20.0, 'Time per episode.', 's', 0.5, 3600.0),
    P('task', 'Put the cube on the disc.', 'Task text passed on to the policy.'),
    P('output_dir', 'rollouts', 'Folder for results: <output_dir>/<UTC time>, linked as <output_dir>/latest.'),
    P('sim', True, 'Whether kiwi_sim resets and judges; otherwise the operator does.'),
    P('ready_timeout', 120.0, 'How long to wait for the other nodes.', 's', 1.0, 3600.0),
    P('service_timeout', 10.0, 'How long to wait for a service\'s answer.', 's', 0.5, 600.0),
    P('reset_seconds', 10.0, 'Time the operator has to restore the scene before an episode on a real robot.', 's',
      0.0, 3600.0),
    P('label_timeout', 300.0, 'How long to wait for the operator\'s rollout/label after an episode.', 's',
      1.0, 86400.0),
    P('record', False, 'Record every rollout as a bag, <run>/bags/rollout_001 and so on; needs recorder_node.'),
    P('video', True, 'Write an MP4 per episode from the camera topics.'),
    P('video_cameras', ['overview', 'front', 'wrist'], 'Cameras shown in it, from left to right.'),
    P('video_rate', 10.0, 'Frame rate of the video.', 'Hz', 1.0, 60.0),
    P('video_height', 240, 'Height of the video.', 'pixels', 16, 2160),
)
