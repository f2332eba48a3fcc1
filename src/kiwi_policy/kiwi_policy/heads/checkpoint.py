"""A LeRobot checkpoint folder: what must be in it, and its digest."""

import hashlib
import json
from pathlib import Path

CONFIG = 'config.json'
WEIGHTS = 'model.safetensors'
PROCESSORS = ('policy_preprocessor.json', 'policy_postprocessor.json')
NESTED = 'pretrained_model'
PICKLED = ('.bin', '.pt', '.pth', '.ckpt', '.pkl', '.pickle')


class CheckpointError(ValueError):
    """A folder that is no checkpoint this loader accepts; the message says what is wrong."""


def find_checkpoint(path):
    """The folder that holds the checkpoint, every file it needs checked for.

    Args:
        path: the folder, or the `checkpoints/<step>` folder around its `pretrained_model`.

    Returns:
        Path of the folder.

    Raises:
        CheckpointError: naming what was found and what was expected.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        kind = 'is a file' if folder.exists() else 'does not exist'
        raise CheckpointError(
            f'checkpoint {str(path)!r} {kind}; expected a local folder with {_expected()} '
            '(nothing is fetched from a hub)'
        )
    if not (folder / CONFIG).exists() and (folder / NESTED / CONFIG).exists():
        folder = folder / NESTED
    _check_weights(folder)
    config = _read_json(folder / CONFIG)
    if not isinstance(config.get('type'), str):
        raise CheckpointError(f'{folder / CONFIG} names no policy type (field "type")')
    for name in PROCESSORS:
        _check_processor(folder, name)
    return folder


def digest(folder):
    """First 16 hex digits of the SHA-256 of the weights file."""
    with open(Path(folder) / WEIGHTS, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()[:16]


def _check_weights(folder):
    if (folder / WEIGHTS).is_file():
        return
    pickled = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLED)
    if pickled:
        raise CheckpointError(
            f'{folder} holds {", ".join(pickled)} but no {WEIGHTS}: pickled weights can run code and '
            f'are not loaded; convert them to safetensors'
        )
    raise CheckpointError(f'{folder} holds no {WEIGHTS}; {_found(folder)}, expected {_expected()}')


def _check_processor(folder, name):
    for step in _read_json(folder / name).get('steps', []):
        if 'registry_name' not in step:
            raise CheckpointError(
                f'{folder / name} names the class {step.get("class")!r} to import; only processor '
                'steps registered by name are loaded'
            )
        state = step.get('state_file')
        if state and not (folder / state).is_file():
            raise CheckpointError(f'{folder} holds no {state}, which {name} needs; {_found(folder)}')


def _read_json(file):
    if not file.is_file():
        raise CheckpointError(
            f'{file.parent} holds no {file.name}; {_found(file.parent)}, expected {_expected()}'
        )
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise CheckpointError(f'{file} is not valid JSON: {error}') from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{file} must hold a JSON object, got {type(content).__name__}')
    return content


def _expected():
    return ', '.join((CONFIG, WEIGHTS, *PROCESSORS))


def _found(folder):
    names = sorted(entry.name for entry in folder.iterdir())
    return f'found {", ".join(names)}' if names else 'the folder is empty'
