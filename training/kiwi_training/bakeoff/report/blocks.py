"""What a section of the report consists of, whatever it is written in."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        columns: headings; the first column is aligned left, the others right unless named in `left`.
        rows: lists of cells.
        left: headings of further columns that are aligned left.
        strong: indices of rows that stand out.
        swatches: name of a colour of the palette per row, or ().
        note: a sentence below it.
        fold: title under which the table is folded away; '' shows it.
    """

    columns: tuple
    rows: list
    left: tuple = ()
    strong: frozenset = frozenset()
    swatches: tuple = ()
    note: str = ''
    fold: str = ''


@dataclass(frozen=True)
class Figure:
    """A plot.

    Attributes:
        name: of its file, without suffix.
        alt: what it shows, in a few words.
        caption: how to read it.
        draw: `Layout` -> SVG text.
        panels: callable -> list of (caption, SVG text): the same in pieces, for a page of any width; None for a
            figure that is one piece.
    """

    name: str
    alt: str
    caption: str
    draw: Callable
    panels: Callable | None = None


@dataclass(frozen=True)
class FilmClip:
    """A film.

    Attributes:
        caption: whose it is.
        content: of the MP4 file.
        poster: JPEG shown before it plays; b'' where it could not be read.
    """

    caption: str
    content: bytes
    poster: bytes = b''


@dataclass(frozen=True)
class Films:
    """`FilmClip`s beside each other; in the page only."""

    films: list


@dataclass(frozen=True)
class Points:
    """A list of sentences, numbered where their order counts."""

    items: list
    ordered: bool = False


@dataclass(frozen=True)
class Code:
    """Preformatted text under a title that folds."""

    title: str
    text: str


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        key: its anchor.
        title: heading.
        lead: sentences that say what was found, first things first.
        blocks: tables, figures and so on.
        about: a sentence on what was done, below the heading.
    """

    key: str
    title: str
    lead: list
    blocks: list = field(default_factory=list)
    about: str = ''


@dataclass(frozen=True)
class Absent:
    """A part of the report that could not be written: what was not measured."""

    title: str
    reason: str
