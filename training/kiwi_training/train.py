"""`kiwi-train`: trains a LeRobot policy on a LeRobotDataset v3 without starving the processor."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

DESCRIPTION = """\
Train a LeRobot policy on a LeRobotDataset v3.

The dataset is decoded once into a memory-mapped cache of uint8 frames; every later start uses it.
Policy, processors, optimizer and checkpoints are LeRobot's, so whatever loads a LeRobot checkpoint
loads the result. Nothing is ever uploaded."""

EXAMPLES = """\
examples:
  train the flow head for half an hour; the learning rate ends its cosine with the time
    kiwi-train --dataset demos --output runs/flow --minutes 30
  train the policy that ran further, on its demonstrations and an operator's corrections (counted twice)
    kiwi-train --init runs/flow --dataset demos --dataset corrections --dataset corrections --output runs/round1 \\
               --steps 2000 --lr 3e-4
  the same run to the bit each time: a number of steps, a seed, a number of threads
    kiwi-train --dataset demos --output runs/flow --steps 20000 --seed 7 --threads 2
  the MSE baseline, and LeRobot's own policies
    kiwi-train --dataset demos --output runs/bc --policy kiwi_bc --steps 20000
    kiwi-train --dataset demos --output runs/act --policy act --horizon 32 --steps 5000
    kiwi-train --dataset demos --output runs/diffusion --policy diffusion --horizon 32 --steps 20000
  change any field of the policy's config, its optimizer or its schedule
    kiwi-train --dataset demos --output runs/small --policy act --steps 5000 \\
               --set policy.dim_model=256 --set policy.use_vae=false --set optimizer.weight_decay=0.001
    kiwi-train --policy act --list-settings
  a dataset of large images, cached at a quarter of the size on another disk
    kiwi-train --dataset owner/name --output runs/real --resize 120x160 --cache-dir /data/kiwi --steps 50000
  demonstrations together with what an operator corrected, which counts twice
    kiwi-train --dataset demos --dataset corrections --dataset corrections --output runs/corrected --steps 20000
  go on after Ctrl-C, or train a finished run for longer
    kiwi-train --resume runs/flow
    kiwi-train --resume runs/flow --steps 40000
  two GPUs
    accelerate launch --num_processes 2 -m kiwi_training.train --dataset demos --output runs/two --steps 20000
  run the installed lerobot-train itself, its flags checked first
    kiwi-train --via-lerobot --policy.type=act --dataset.repo_id=local/demos --dataset.root=demos --steps=1000

a run's folder:
  log.jsonl                               losses, one JSON object per line
  checkpoints/last/pretrained_model       what to load: averaged (EMA) weights, config, processors
  checkpoints/last/training_state         what --resume needs"""


def build_parser() -> argparse.ArgumentParser:
    """The command line of `kiwi-train`."""
    parser = argparse.ArgumentParser(
        'kiwi-train', description=DESCRIPTION, epilog=EXAMPLES, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group('what to train')
    what.add_argument('--dataset', metavar='ROOT', action='append',
                      help='folder of a LeRobotDataset v3, or a Hub id owner/name; repeated: all of them as one, '
                           'a dataset named twice counts twice')
    what.add_argument('--policy', default='kiwi_flow', metavar='TYPE',
                      help='LeRobot policy type: kiwi_flow, kiwi_bc, act, diffusion, ... (default kiwi_flow)')
    what.add_argument('--output', metavar='DIR', help='folder of the run; must not hold checkpoints yet')
    what.add_argument('--init', metavar='CHECKPOINT',
                      help='begin with the weights, config and normalisation of this checkpoint: its pretrained_model '
                           'folder or a run; --policy, --horizon and --set policy.* are its own then')
    what.add_argument('--resume', metavar='DIR', help='continue the run in this folder, with its own options')
    what.add_argument('--set', action='append', default=[], metavar='policy.KEY=VALUE', dest='settings',
                      help='change a field of the config (also optimizer.KEY, scheduler.KEY); may be repeated')
    what.add_argument('--horizon', type=int, metavar='N', help='actions per chunk (default: the policy\'s)')
    what.add_argument('--list-settings', action='store_true', help='print the config of --policy and exit')
    budget = parser.add_argument_group('how long')
    budget.add_argument('--steps', type=int, help='train this many steps (repeats exactly)')
    budget.add_argument('--minutes', type=float, help='train this long, decoding not counted (the schedule follows the clock)')
    how = parser.add_argument_group('how')
    how.add_argument('--batch-size', type=int, default=64, help='frames per step and process (default 64)')
    how.add_argument('--lr', type=float, help='peak learning rate (default: the policy\'s preset)')
    how.add_argument('--schedule', choices=('preset', 'cosine', 'constant'), default='preset',
                     help='learning-rate schedule (default: the policy\'s preset)')
    how.add_argument('--ema', type=float, default=0.999, metavar='D',
                     help='decay of the averaged weights that are saved; 0 saves the raw ones (default 0.999)')
    how.add_argument('--seed', type=int, default=1000, help='seed of weights, order and noise (default 1000)')
    how.add_argument('--precision', choices=('auto', 'fp32', 'bf16'), default='auto',
                     help='auto: bf16 autocast where the processor multiplies it natively (default auto)')
    how.add_argument('--device', choices=('cpu', 'cuda', 'mps'),
                     help='default: cuda if there is one, else cpu; CUDA_VISIBLE_DEVICES chooses among several')
    how.add_argument('--threads', type=int, metavar='N', help='CPU threads for torch (default: its own choice)')
    how.add_argument('--val-split', type=float, default=0.05, metavar='F',
                     help='fraction of episodes held out for the validation loss (default 0.05; 0: none)')
    how.add_argument('--val-every', type=int, default=1000, metavar='N', help='steps between validations (default 1000)')
    how.add_argument('--no-imagenet-stats', action='store_true',
                     help='normalise images by the dataset\'s statistics where the policy normalises them')
    files = parser.add_argument_group('files')
    files.add_argument('--resize', type=_size, metavar='HxW', help='cache and train on images of this size')
    files.add_argument('--cache-dir', metavar='DIR', help='where decoded frames are kept '
                       '(default $XDG_CACHE_HOME/kiwi or ~/.cache/kiwi)')
    files.add_argument('--save-minutes', type=float, default=10, metavar='M', help='time between checkpoints (default 10)')
    files.add_argument('--save-steps', type=int, metavar='N', help='also save every N steps')
    files.add_argument('--log-every', type=int, default=50, metavar='N', help='steps per line of log.jsonl (default 50)')
    parser.add_argument('--via-lerobot', action='store_true',
                        help='pass everything that follows to the installed lerobot-train, flags checked first')
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs `kiwi-train`; returns the exit status (0 done, 1 refused, 130 interrupted)."""
    argv = sys.argv[1:] if argv is None else argv
    if '--via-lerobot' in argv:
        from kiwi_training.via_lerobot import run_lerobot
        argv = list(argv)
        argv.remove('--via-lerobot')
        return run_lerobot(argv)
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.list_settings:
        return _list_settings(arguments.policy)
    if arguments.threads:
        os.environ['OMP_NUM_THREADS'] = str(arguments.threads)
    try:
        options, checkpoint = _options(parser, arguments, argv)
        from kiwi_training.trainer import Trainer
        trainer = Trainer(options, checkpoint)
        outcome = trainer.run()
    except KeyboardInterrupt:
        print('kiwi-train: interrupted; what was saved before stays', file=sys.stderr)
        return 130
    except (ValueError, RuntimeError, FloatingPointError, OSError) as error:
        if os.environ.get('KIWI_TRACEBACK'):
            raise
        print(f'kiwi-train: {error}', file=sys.stderr)
        return 1
    if not trainer.accelerator.is_main_process:
        return 0 if outcome.finished else 130
    loss = f'loss {outcome.loss:.4f}' + ('' if outcome.val_loss is None else f', validation {outcome.val_loss:.4f}')
    print(f'{"finished" if outcome.finished else "stopped"} at step {outcome.step}, {loss}\n'
          f'policy: {outcome.checkpoint / "pretrained_model"}')
    if not outcome.finished:
        print(f'continue with: kiwi-train --resume {options.output}')
        return 130
    return 0


def _options(parser: argparse.ArgumentParser, arguments: argparse.Namespace, argv: list[str]):
    """(TrainOptions, checkpoint folder or None) of a command line."""
    from kiwi_training import checkpoint
    from kiwi_training.options import TrainOptions
    if arguments.resume is not None:
        allowed = {'resume', 'steps', 'minutes'}
        extra = [f'--{name.replace("_", "-")}' for name, value in vars(arguments).items()
                 if name not in allowed and value != parser.get_default(name)]
        if extra:
            parser.error(f'a resumed run keeps its options: {", ".join(sorted(extra))} cannot be given with '
                         '--resume (only --steps or --minutes)')
        folder = checkpoint.find_checkpoint(arguments.resume)
        options = TrainOptions.load(folder / checkpoint.STATE / checkpoint.OPTIONS)
        options = replace(options, output=str(Path(os.path.relpath(folder.parents[1]))))
        return options.with_budget(arguments.steps, arguments.minutes), folder
    missing = [f'--{name}' for name in ('dataset', 'output') if getattr(arguments, name) is None]
    if missing:
        parser.error(f'{" and ".join(missing)} must be given (or --resume); see --help for examples')
    if (Path(arguments.output) / checkpoint.CHECKPOINTS).exists():
        parser.error(f'{arguments.output} already holds checkpoints: continue them with --resume '
                     f'{arguments.output}, or choose another --output')
    if arguments.init is not None:
        from kiwi_training.fine_tuning import find_pretrained
        fixed = ['--policy'] if arguments.policy != parser.get_default('policy') else []
        fixed += ['--horizon'] if arguments.horizon is not None else []
        fixed += [f'--set {text}' for text in arguments.settings if text.startswith('policy.')]
        if fixed:
            parser.error(f'{", ".join(fixed)}: with --init the policy\'s config is the checkpoint\'s')
        arguments.init = str(find_pretrained(arguments.init))
    values = {name: value for name, value in vars(arguments).items()
              if name not in ('resume', 'list_settings', 'via_lerobot', 'no_imagenet_stats')}
    values['settings'] = tuple(values['settings'])
    values['dataset'], *more = map(_located, arguments.dataset)
    values['more_datasets'] = tuple(more)
    return TrainOptions(**values, imagenet_stats=not arguments.no_imagenet_stats), None


def _located(dataset: str) -> str:
    folder = Path(dataset).expanduser()
    return str(folder.resolve()) if folder.is_dir() else dataset


def _list_settings(policy: str) -> int:
    import dataclasses

    from lerobot.configs.policies import PreTrainedConfig

    from kiwi_training.overrides import suggestion
    from kiwi_training.policy_setup import register_policies
    known = register_policies()
    if policy not in known:
        print(f'kiwi-train: no policy type {policy!r}{suggestion(policy, known)}', file=sys.stderr)
        return 1
    config = PreTrainedConfig.get_choice_class(policy)(device='cpu')
    for field in dataclasses.fields(config):
        if field.init:
            print(f'--set policy.{field.name}={getattr(config, field.name)}')
    return 0


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition('x')
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form HEIGHTxWIDTH, such as 96x128')
    return int(height), int(width)


if __name__ == '__main__':
    sys.exit(main())
