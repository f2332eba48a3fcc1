"""Writes one bag folder: an MCAP file of serialized messages, and last of all metadata.yaml.

A folder without metadata.yaml is a recording that was cut off; `recovery` mends it.
"""

from pathlib import Path

from kiwi_policy.bags import metadata
from kiwi_policy.bags.files import sync_folder, write_whole
from kiwi_policy.bags.mcap_file import COMPLETE, McapFile, check


class BagWriter(McapFile):
    """Writes a bag; for one thread. After an OSError only `abandon` makes sense.

    Args:
        folder: of the bag; must not exist, its parents are made.
        custom: dict of texts kept in metadata.yaml (custom_data) and in the file, e.g. episode_id, details.
        compression: of chunks: none (JPEG images do not compress), lz4 or zstd.

    Raises:
        FileExistsError: the folder exists.
        OSError: it cannot be made.
        ValueError: unknown compression, or a custom value that is no text.
    """

    def __init__(self, folder, custom=None, compression='none'):
        self.folder = Path(folder).absolute()
        check(custom, compression)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.mkdir()
        except FileExistsError:
            raise FileExistsError(f'{self.folder} exists already; a recording overwrites nothing') from None
        sync_folder(self.folder.parent)
        super().__init__(self.folder / f'{self.folder.name}_0.mcap', custom, compression)

    def close(self, custom=None, complete=COMPLETE):
        """Finish the file, bring it to disk and write metadata.yaml last.

        Args:
            custom: texts added to those given at the start, e.g. outcome.
            complete: 'true', or why the recording is not complete.
        """
        self.finish(custom, complete)
        write_whole(self.folder / metadata.FILE, metadata.file_text(self.extent))
