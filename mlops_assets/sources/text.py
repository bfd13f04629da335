"""Files of text as streams of UTF-8, whatever their compression and their encoding."""

import codecs
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from mlops_assets.forecasting.formatting import in_files
from mlops_assets.sources.base import AnyFile, SourceError

Note = Callable[[str], None]
"""Takes in words what was found out about a file that its spec does not say."""


class Notes:
    """What was found out about files or pages, each line once with the names that it is of."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def of(self, name: str) -> Note:
        """Return what takes the words on one file or page."""
        return lambda words: self._names.setdefault(words, []).append(name)

    def lines(self) -> list[str]:
        """Return a line for each finding."""
        return [f"{words}{in_files(names)}" for words, names in self._names.items()]


HEAD_BYTES = 1 << 20
"""So much of a file is looked at to find out how it is written."""
_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_KINDS = {
    b"PK\x03\x04": "an Excel workbook or another zip archive; a workbook is read as format: excel",
    b"\xd0\xcf\x11\xe0": "an old or encrypted Excel workbook (.xls); save it as .xlsx or CSV",
    b"\x1f\x8b": "compressed; name it with the ending .gz",
    b"BZh": "compressed; name it with the ending .bz2",
    b"\x28\xb5\x2f\xfd": "compressed; name it with the ending .zst",
    b"PAR1": "Parquet; it is read as format: parquet",
    b"%PDF": "a PDF document",
}
"""First bytes of what is no text, and what to do."""
_WESTERN, _EASTERN = ("cp1252", "latin-1"), ("cp1251", "gb18030", "shift_jis", "euc_kr", "big5")


def ending(file: AnyFile) -> str:
    """Return the ending of a file's name that says its format, in small letters; compression does not count."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in _COMPRESSED), "")


def open_bytes(file: AnyFile) -> Any:
    """Open a file's bytes, uncompressed if its ending says that they are compressed."""
    import pyarrow as pa

    if isinstance(file, Path):
        return pa.input_stream(str(file), compression="detect")
    last = file.suffixes[-1].lower() if file.suffixes else ""
    return pa.input_stream(file.open(), compression=_COMPRESSED.get(last))


class TextFile:
    """A file of text.

    Attributes:
        file: the file.
        encoding: the one declared, or found out; None: UTF-8.
    """

    def __init__(self, file: AnyFile, encoding: str | None, note: Note) -> None:
        """Look at the file's beginning.

        Args:
            file: the file.
            encoding: as declared; None: UTF-8, or what the first bytes show.
            note: told what they show.

        Raises:
            SourceError: it is no text.
        """
        self.file = file
        with open_bytes(file) as stream:
            head = stream.read(HEAD_BYTES)
        for start, words in _OTHER_KINDS.items():
            if head.startswith(start):
                raise SourceError(f"{file}: no text: it is {words}")
        self.encoding = _plain_name(encoding) if encoding else _shown_encoding(head)
        if self.encoding and not encoding:
            note(f"encoding {self.encoding}")
        self._head = head

    @property
    def head(self) -> str:
        """The beginning as text, without a byte order mark; U+FFFD stands for what is not of the encoding."""
        decoder = codecs.getincrementaldecoder(self.encoding or "utf-8")("replace")
        try:
            return decoder.decode(self._head).lstrip("\ufeff")
        except UnicodeError:  # of UTF-16 without a byte order mark
            raise self.wrong_encoding() from None

    def open(self) -> Any:
        """Open it as a stream of UTF-8; a byte order mark may stand before."""
        stream = open_bytes(self.file)
        return stream if self.encoding is None else io.BufferedReader(_Recoded(stream, self.encoding, self))

    def likely_encoding(self) -> str | None:
        """Return the encoding that a file is probably of, if it is not of the one declared; None if it is."""
        declared = self.encoding or "utf-8"
        if declared.startswith(("utf-16", "utf-32")):
            return None
        with open_bytes(self.file) as stream:
            for line in _lines(stream):
                try:
                    line.decode(declared)
                except UnicodeDecodeError as error:
                    return next(iter(_possible(_word(line, error.start))), None)
        return None

    def wrong_encoding(self) -> SourceError:
        """Make the error of a file that is not of its encoding: the line, the word, and what it may be."""
        declared = self.encoding or "utf-8"
        if declared.startswith(("utf-16", "utf-32")):
            return SourceError(f"{self.file}: not {declared.upper()} text; see source.encoding")
        with open_bytes(self.file) as stream:
            for number, line in enumerate(_lines(stream), start=1):
                try:
                    line.decode(declared)
                except UnicodeDecodeError as error:
                    found = _word(line, error.start)
                    return SourceError(
                        f"{self.file}: not {declared.upper()} text: line {number} has the bytes {found!r}. Say "
                        f"source.encoding: {_candidates(found)}, or save the file as UTF-8"
                    )
        return SourceError(f"{self.file}: not {declared.upper()} text; see source.encoding")


class _Recoded(io.RawIOBase):
    """A stream of text in some encoding, read as UTF-8."""

    def __init__(self, stream: Any, encoding: str, text: TextFile) -> None:
        self._stream, self._text = stream, text
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._waiting = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._waiting and not self._ended:
            data = self._stream.read(HEAD_BYTES)
            self._ended = not data
            try:
                self._waiting = self._decoder.decode(data, final=self._ended).encode()
            except UnicodeError:
                raise self._text.wrong_encoding() from None
        part, self._waiting = self._waiting[: len(buffer)], self._waiting[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _plain_name(encoding: str) -> str | None:
    name = codecs.lookup(encoding).name
    return None if name in ("utf-8", "utf-8-sig", "ascii") else name


def _shown_encoding(head: bytes) -> str | None:
    """Return the encoding that the first bytes show: by a mark, or by a zero in every second one."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked is not None or len(head) < 4:
        return marked
    start = head[:200]
    zeros = start[0::2].count(0), start[1::2].count(0)
    if min(zeros) == 0 and max(zeros) > 0.4 * len(start) / 2:
        return "utf-16-be" if zeros[0] else "utf-16-le"
    return None


def _lines(stream: IO[bytes]) -> Any:
    return io.BufferedReader(stream)  # type: ignore[arg-type]


def _word(line: bytes, at: int) -> bytes:
    """Return the bytes around a place, up to what separates fields or words."""
    before = re.split(rb"[\s,;|\"]", line[:at])[-1][-20:]
    return before + re.split(rb"[\s,;|\"]", line[at:])[0][:20]


def _possible(word: bytes) -> dict[str, str]:
    """Return the encodings by which bytes are a word, each with that word; the likelier first."""
    foreign = re.search(rb"[\x80-\xff]{3}", word) is not None
    found: dict[str, str] = {}
    for name in (*_EASTERN, *_WESTERN) if foreign else _WESTERN:
        try:
            text = word.decode(name)
        except UnicodeDecodeError:
            continue
        if text.isprintable() and text not in found.values():
            found[name] = text
    return found


def _candidates(word: bytes) -> str:
    """Say by which encodings bytes are a word."""
    found = _possible(word)
    return " or ".join(f"{name} ({text!r})" for name, text in found.items()) or "the one it was saved in"
