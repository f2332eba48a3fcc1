"""The non-image columns of a LeRobotDataset as plain arrays, one row per frame."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kiwi_training.dataset_source import IMAGE_DTYPES, DatasetError

# LeRobot hands float64 features to a policy as float32.
_DTYPES = {'float16': np.float16, 'float32': np.float32, 'float64': np.float32, 'bool': np.bool_}


def read_columns(meta) -> dict[str, np.ndarray]:
    """All numeric columns, shape (frames, ...), ordered by dataset index.

    A feature of shape (1,) becomes one number per frame, as LeRobot stores and returns it.

    Raises:
        DatasetError: a text column, or rows that do not cover 0 .. total_frames - 1.
    """
    keys = [key for key, feature in meta.features.items() if feature['dtype'] not in IMAGE_DTYPES]
    texts = [key for key in keys if meta.features[key]['dtype'] in ('string', 'language')]
    if texts or meta.has_language_columns:
        raise DatasetError(f'text columns {texts} cannot be cached. Train such a dataset with '
                           '`kiwi-train --via-lerobot`.')
    tables = [pq.read_table(path, columns=keys)
              for path in sorted((Path(meta.root) / 'data').rglob('*.parquet'))]
    if not tables:
        raise DatasetError(f'{meta.root}/data holds no parquet file')
    table = pa.concat_tables(tables)
    index = table['index'].to_numpy()
    order = np.argsort(index, kind='stable')
    if not np.array_equal(index[order], np.arange(meta.total_frames)):
        raise DatasetError(
            f'{meta.root}/data holds {len(index)} rows, meta/info.json promises the frames 0 to '
            f'{meta.total_frames - 1}: the dataset is incomplete (was finalize() called, is every file here?)')
    return {key: _to_array(table[key], meta.features[key])[order] for key in keys}


def _to_array(column: pa.ChunkedArray, feature: dict) -> np.ndarray:
    rows, shape = len(column), tuple(feature['shape'])
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    nested = False
    while pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type) \
            or pa.types.is_large_list(values.type):
        values, nested = values.flatten(), True
    array = values.to_numpy(zero_copy_only=False)
    dtype = _DTYPES.get(feature['dtype'], array.dtype)
    return np.ascontiguousarray(array.reshape((rows, *shape) if nested else (rows,)), dtype=dtype)
