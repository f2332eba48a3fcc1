"""Parameters of policy_node."""

from kiwi_policy.core.parameters import Parameter as P
from kiwi_policy.core.prefix import CONDITIONINGS
from kiwi_policy.core.sampling_seeds import NOISES

TABLE = (
    P('checkpoint', '', 'Folder of a LeRobot checkpoint (config.json, model.safetensors, processors).'),
    P('device', 'cpu', 'torch device, e.g. cpu, cuda, mps.'),
    P('torch_threads', 1, 'Threads of torch; 0 leaves torch\'s own choice.', 'threads', 0, 256),
    P('niceness', 0, 'How far the node gives way to others, where inference disturbs the control loop.', '',
      0, 19),
    P('period', 0.0, 'Time between rows of a chunk. Needed only where the checkpoint does not say; 0 takes the '
      'checkpoint\'s.', 's', 0.0, 10.0),
    P('denoising_steps', 0, 'Denoising steps of flow and diffusion heads; 0 takes the checkpoint\'s.', 'steps',
      0, 1000),
    P('solver', '', 'Solver of the flow head: euler, midpoint or heun; empty takes the checkpoint\'s.'),
    P('noise_scheduler', '', 'Sampler of diffusion heads: DDPM or DDIM; empty takes the checkpoint\'s.'),
    P('latent', '', 'Latent of the CVAE head: zero or sample; empty takes the checkpoint\'s.'),
    P('prefix_conditioning', 'none', 'How flow and diffusion heads continue the plan that runs while a chunk is made: '
      'not at all (none), blended in at every denoising step (project), or drawn to it by gradients (guidance), which '
      'takes about twice as long. The executor\'s rate must be the checkpoint\'s.', choices=CONDITIONINGS),
    P('prefix_overlap', -1, 'Rows of that plan beyond those that are certain to run which are continued too, ever more '
      'softly: the fewer, the sooner a chunk follows what the policy sees now. -1 takes the checkpoint\'s.', 'rows',
      -1, 1000),
    P('arm_units', 'auto', 'auto tells from the training data whether the arm is in degrees; deg says that it is.',
      choices=('auto', 'deg')),
    P('allow_short_action_steps', False, 'Load a checkpoint whose n_action_steps is below half its chunk.'),
    P('sampling_seed', -1, 'Seed of the sampling noise; -1 draws one.', '', -1, 2**62),
    P('noise', 'chunk', 'Sampling noise: fresh per chunk, or one for a whole episode, which keeps a head that samples '
      'to one mode.', choices=NOISES),
    P('task', '', 'Task text for requests that carry none.'),
    P('max_image_age', 0.15, 'Oldest image a chunk is made from.', 's', 0.02, 10.0),
    P('max_state_age', 0.15, 'Oldest joint_states a chunk is made from.', 's', 0.02, 10.0),
    P('frozen_after', 0.5, 'Time for which a camera may repeat one image while the robot moves.', 's', 0.1, 60.0),
    P('wait_for_inputs', 1.0, 'How long a request waits for its joint_states and for images, unless a newer one '
      'comes.', 's', 0.0, 5.0),
    P('warm_up', 5, 'Chunks made from blank observations at start, to measure the latency.', 'chunks', 0, 100),
)
