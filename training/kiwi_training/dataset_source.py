"""Finds a LeRobotDataset v3, on this disk or on the Hub, and names its content.

A dataset is given either as a folder (the one that holds `meta/info.json`) or as a Hub id
`owner/name`. The content key depends on the bytes of its files, never on where they lie.
"""

import hashlib
import json
import os
from pathlib import Path

from lerobot.datasets.dataset_metadata import LeRobotDatasetMetadata

IMAGE_DTYPES = ('image', 'video')
_BLOCK = 1 << 22


class DatasetError(ValueError):
    """The dataset is missing, incomplete, or holds something that training cannot use."""


def open_dataset(name: str | Path) -> LeRobotDatasetMetadata:
    """Metadata of the dataset `name` (folder or Hub id); `.root` is where its files lie.

    Raises:
        DatasetError: no such folder and no such Hub dataset, or a format other than v3.
    """
    folder = Path(name).expanduser()
    if (folder / 'meta' / 'info.json').is_file():
        return LeRobotDatasetMetadata(f'local/{folder.resolve().name}', root=folder.resolve())
    if folder.exists() or str(name).count('/') != 1:
        raise DatasetError(
            f'{str(name)!r} is not a LeRobotDataset: {folder / "meta" / "info.json"} does not exist. '
            'Give the folder that holds meta/, data/ and videos/, or a Hub id such as owner/name.')
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    try:
        return LeRobotDataset(str(name)).meta
    except Exception as error:
        offline = ' (HF_HUB_OFFLINE is set, so the Hub was not asked)' if _offline() else ''
        raise DatasetError(
            f'no folder {str(name)!r} here, and the Hub dataset of that name cannot be had{offline}: {error}'
        ) from error


def camera_shapes(meta: LeRobotDatasetMetadata) -> dict[str, tuple[int, int, int]]:
    """Shape (height, width, 3) of each camera of the dataset, by key.

    Raises:
        DatasetError: a camera is not 8-bit RGB (a depth camera, for instance).
    """
    shapes = {}
    for key, feature in meta.features.items():
        if feature['dtype'] not in IMAGE_DTYPES:
            continue
        shape, names = tuple(feature['shape']), list(feature.get('names') or ())
        if names[:1] in (['channels'], ['channel']):
            shape = (shape[1], shape[2], shape[0])
        if len(shape) != 3 or shape[2] != 3 or key in meta.depth_keys:
            raise DatasetError(
                f'{key!r} has shape {shape}: only RGB cameras (height, width, 3) can be cached. '
                'Train such a dataset with `kiwi-train --via-lerobot`.')
        shapes[key] = shape
    return shapes


def content_files(meta: LeRobotDatasetMetadata) -> list[Path]:
    """Every file of the dataset that frames and columns come from, relative, sorted."""
    root = Path(meta.root)
    found = [root / 'meta' / 'info.json']
    for folder, pattern in (('meta', '*.parquet'), ('data', '*.parquet'), ('videos', '*.mp4')):
        found += (root / folder).rglob(pattern)
    return sorted(path.relative_to(root) for path in found)


def content_digest(meta: LeRobotDatasetMetadata, memo: Path | None = None) -> str:
    """Hex digest over the names and bytes of all content files.

    Args:
        memo: JSON file that remembers digests by path, size and modification time, so that a
            large dataset is read once and not at every start. It is only ever a shortcut.
    """
    root = Path(meta.root)
    known = _load_memo(memo)
    total = hashlib.blake2b(digest_size=16)
    fresh = {}
    for relative in content_files(meta):
        path = root / relative
        stat = path.stat()
        stamp = f'{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}'
        fresh[stamp] = known.get(stamp) or _file_digest(path)
        total.update(f'{relative.as_posix()}\0{fresh[stamp]}\n'.encode())
    if memo is not None and fresh.keys() - known.keys():
        memo.parent.mkdir(parents=True, exist_ok=True)
        partial = memo.with_suffix(f'.{os.getpid()}')
        partial.write_text(json.dumps(known | fresh, indent=0))
        partial.replace(memo)
    return total.hexdigest()


def _file_digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _load_memo(memo: Path | None) -> dict[str, str]:
    try:
        return json.loads(memo.read_text()) if memo is not None else {}
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _offline() -> bool:
    return os.environ.get('HF_HUB_OFFLINE', '').upper() in ('1', 'TRUE', 'YES', 'ON')
