"""A configuration that shows every setting; `kiwi-bakeoff --example` prints it."""

EXAMPLE = """\
# kiwi-bakeoff bakeoff.toml
title = 'Heads for my LeKiwi'
dataset = 'demos'               # LeRobotDataset v3, relative to this file; or a Hub id owner/name
output = 'bakeoff'              # work folder; everything in it is resumed, nothing is done twice

[training]                      # what all heads share; see kiwi-train --help
steps = 6000                    # or minutes = 30
batch_size = 64
horizon = 32                    # rows per chunk
threads = 1
seeds = [7]                     # the first one stands for the head

[[heads]]
name = 'bc'
policy = 'kiwi_bc'

[[heads]]
name = 'cvae'
policy = 'kiwi_cvae'
settings = ['policy.kl_weight=0.1']
  [[heads.rows]]                # ways to sample the same weights, each a row of the table
  name = 'cvae z=0'
  sampling = { latent = 'zero' }
  [[heads.rows]]
  name = 'cvae z sampled'
  sampling = { latent = 'sample' }

[[heads]]
name = 'flow'
policy = 'kiwi_flow'
seeds = [7, 8, 9]
  [[heads.rows]]
  name = 'flow Euler 4'
  sampling = { solver = 'euler', num_inference_steps = 4 }

[[heads]]
name = 'act'
policy = 'act'
stock = true                    # LeRobot's own: its flags are checked against the installed lerobot-train
note = 'reduced to what two cores can train'
settings = ['policy.dim_model=128', 'policy.n_heads=4', 'policy.dim_feedforward=512']
minutes = 40

[rollouts]                      # the table: executor mode latest, paired starts, measured latency played back
trials = 200
extra_seed_trials = 100
time_limit = 20.0

[coverage]                      # sides taken from one fixed start. A table that is missing is left out
trials = 50

[executors]
trials = 50
modes = ['sync', 'latest', 'ensemble newest', 'ensemble oldest']

[requery]                       # asked again after so many actions
rows = ['flow Euler 4', 'cvae z sampled']
intervals = ['1', 'H/4', 'H/2', 'H']
trials = 50

[noise]                         # a sampling seed for each chunk, or one for an episode
rows = ['flow Euler 4']
trials = 50

[control]                       # the forced fork: kiwi-demos --task forced-fork --root demos-forced
dataset = 'demos-forced'
trials = 100

[latent]                        # KL, active dimensions, reconstruction of CVAE heads

[overlay]                       # chunks at the fork, for the plots
samples = 24

[films]

[decision]
reference = 'flow Euler 4'      # compared with every other row, on paired starts
"""
