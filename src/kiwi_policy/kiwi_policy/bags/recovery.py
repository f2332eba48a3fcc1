"""Makes a complete bag of one whose recording was cut off."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, Message, Metadata, Schema

from kiwi_policy.bags import metadata
from kiwi_policy.bags.definitions import Definition
from kiwi_policy.bags.files import sync_folder, write_whole
from kiwi_policy.bags.mcap_file import RECORD, UNFINISHED, McapFile
from kiwi_policy.bags.offered_qos import from_yaml
from kiwi_policy.bags.salvage import Damage, records


class RecoveryError(ValueError):
    """A folder that cannot be recovered. The text names it and says why."""


@dataclass(frozen=True)
class Recovery:
    """What was recovered.

    Attributes:
        folder: of the bag, complete now.
        messages: number of them.
        seconds: s from the first to the last message.
        bad_chunks: chunks that were damaged and are left out.
        unknown: messages left out since their topic's description was lost.
        complete: what metadata.yaml now says: 'true' where only metadata.yaml itself was missing.
    """

    folder: Path
    messages: int
    seconds: float
    bad_chunks: int
    unknown: int
    complete: str


def recover(folder, on_progress=lambda done, total: None):
    """Rewrite a bag's MCAP file from what can be read of it, and write metadata.yaml.

    The new file is made beside the old one and takes its place once it is on the disk, so the disk must have room
    for both. An attempt that is interrupted leaves the old file as it was and can be repeated.

    Args:
        folder: of the bag.
        on_progress: called with (bytes read, bytes in all) now and then.

    Returns:
        `Recovery`.

    Raises:
        RecoveryError: no such folder, complete already, not exactly one MCAP file, or nothing in it.
        OSError: the new file cannot be written.
    """
    folder, path = _check(folder)
    fresh = path.with_name(f'.{path.name}.recovering')
    fresh.unlink(missing_ok=True)
    file = McapFile(fresh, name=path.name)
    try:
        damage = Damage()
        custom, unknown = _copy(path, file, damage, on_progress)
        complete = custom.pop('complete', UNFINISHED)
        if complete == UNFINISHED or not damage.finished or damage.bad_chunks:
            complete = f'cut off, recovered {file.messages} messages'
        file.finish(custom, complete)
        os.replace(fresh, path)
        sync_folder(folder)
    except ValueError as error:
        raise RecoveryError(str(error)) from error
    finally:
        file.abandon()
        fresh.unlink(missing_ok=True)
    write_whole(folder / metadata.FILE, metadata.file_text(file.extent))
    return Recovery(folder, file.messages, max(file.extent.end - file.extent.start, 0) / 1e9, damage.bad_chunks,
                    unknown, complete)


def _check(folder):
    folder = Path(folder).absolute()
    if not folder.is_dir():
        raise RecoveryError(f'{folder} is no folder')
    if (folder / metadata.FILE).exists():
        raise RecoveryError(f'{folder} has a {metadata.FILE}: there is nothing to recover')
    found = sorted(folder.glob('*.mcap'))
    if len(found) != 1:
        raise RecoveryError(f'{folder} must hold one MCAP file, it holds {len(found)}')
    return folder, found[0]


def _copy(path, file, damage, on_progress):
    """Copy topics and messages; returns the custom texts and the number of messages of unknown topics."""
    schemas, topics, custom, unknown = {}, {}, {}, 0
    total, told = os.path.getsize(path), time.monotonic()
    for record in records(path, damage):
        if isinstance(record, Message):
            if record.channel_id in topics:
                file.write(topics[record.channel_id], record.data, record.log_time, record.publish_time,
                           record.sequence)
            else:
                unknown += 1
        elif isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel) and record.schema_id in schemas:
            schema = schemas[record.schema_id]
            file.add_topic(record.topic, schema.name, from_yaml(record.metadata.get('offered_qos_profiles', '')),
                           Definition(schema.name, schema.data.decode(), record.metadata.get('topic_type_hash', ''),
                                      schema.encoding))
            topics[record.id] = record.topic
        elif isinstance(record, Metadata) and record.name == RECORD:
            custom = dict(record.metadata)
        if time.monotonic() - told > 1.0:
            told = time.monotonic()
            on_progress(damage.position, total)
    return custom, unknown
