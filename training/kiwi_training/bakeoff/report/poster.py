"""A still picture of a film."""

import io

WHERE = 0.5
"""Share of the film after which the picture is taken: the cube is then on its way past the post."""


def poster(content):
    """JPEG of a frame from the middle of an MP4 given as bytes; b'' where it cannot be read."""
    import av

    try:
        with av.open(io.BytesIO(content)) as container:
            frames = [frame for frame in container.decode(video=0)]
        picture = frames[int(WHERE * len(frames))].to_image()
    except (av.error.FFmpegError, IndexError):
        return b''
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=70, optimize=True)
    return buffer.getvalue()
