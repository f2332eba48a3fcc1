from hypothesis import given
from hypothesis import strategies as st
from kiwi_bringup.output import LineSplitter


def split(prefix, pieces):
    written = []
    splitter = LineSplitter(prefix, written.append)
    for piece in pieces:
        splitter.feed(piece)
    splitter.finish()
    return b''.join(written)


@given(st.lists(st.binary(max_size=8)))
def test_bytes_pass_unchanged_but_for_the_last_line_end(pieces):
    whole = b''.join(pieces)
    end = b'' if not whole or whole.endswith(b'\n') else b'\n'
    assert split('', pieces) == whole + end


@given(st.lists(st.sampled_from([b'a', b'bc', b'\n']), max_size=30))
def test_every_line_has_the_prefix_once(pieces):
    lines = split('[p] ', pieces).splitlines()
    assert lines == [b'[p] ' + line for line in b''.join(pieces).splitlines()]


def test_lines_are_handed_on_as_soon_as_they_are_whole():
    written = []
    splitter = LineSplitter('', written.append)
    splitter.feed(b'one\ntw')
    assert written == [b'one\n']
    splitter.feed(b'o\n')
    assert written == [b'one\n', b'two\n']
