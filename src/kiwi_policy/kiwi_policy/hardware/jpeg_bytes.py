"""JPEG bytes as cameras deliver them: where a picture ends, how large it is, whether it is whole."""

_START, _END = b'\xff\xd8', b'\xff\xd9'
_SCAN = 0xDA
_SIZE_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}


def whole_jpeg(data):
    """The picture at the start of `data`, its size, and nothing of what follows its end.

    Inside a scan every 0xFF of the data is followed by 0, so the first end marker after the scan's
    header is the end. A camera whose transfer broke off has none.

    Args:
        data: bytes.

    Returns:
        (bytes, width, height) in pixels, or None where the picture is damaged or cut off.
    """
    if data[:2] != _START:
        return None
    at, size = 2, None
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _BARE_MARKERS:
            at += 2
            continue
        if marker in _SIZE_MARKERS and at + 9 <= len(data):
            size = int.from_bytes(data[at + 7:at + 9]), int.from_bytes(data[at + 5:at + 7])
        at += 2 + int.from_bytes(data[at + 2:at + 4])
        if marker == _SCAN:
            end = data.find(_END, at)
            return (data[:end + 2], *size) if size and end >= 0 else None
    return None
