"""Cells of an xlsx that are struck out, as a whole or in part: ECMA-376, part 1, 18.4.10 and 18.8.22."""

import re
import zipfile
from collections.abc import Iterator, Mapping

_STRIKE = re.compile(r"<(?:\w+:)?strike\b(?![^>]*val\s*=\s*[\"'](?:0|false)[\"'])")
_FONTS = re.compile(r"<(?:\w+:)?fonts\b.*?</(?:\w+:)?fonts>", re.DOTALL)
_FONT = re.compile(r"<(?:\w+:)?font\s*/>|<(?:\w+:)?font\b.*?</(?:\w+:)?font>", re.DOTALL)
_FORMATS = re.compile(r"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_FORMAT = re.compile(r"<(?:\w+:)?xf\b[^>]*>")
_FONT_ID = re.compile(r"fontId\s*=\s*[\"'](\d{1,6})[\"']")
_TEXT = re.compile(r"<(?:\w+:)?si\s*/>|<(?:\w+:)?si\b.*?</(?:\w+:)?si>", re.DOTALL)
_CELL = re.compile(r"<(?:\w+:)?c\s([^>]*[^/>])>(.*?)</(?:\w+:)?c>", re.DOTALL)  # none that is blank
_STYLE = re.compile(r"\bs\s*=\s*[\"'](\d{1,6})[\"']")
_INDEX = re.compile(r"<(?:\w+:)?v>\s*(\d{1,9})\s*</")
_SHARED = re.compile(r"\bt\s*=\s*[\"']s[\"']")
STYLES, TEXTS = "xl/styles.xml", "xl/sharedstrings.xml"


class Struck:
    """The formats and texts of a workbook that are struck out. `names`: its parts, by their names in small
    letters."""

    def __init__(self, archive: zipfile.ZipFile, names: Mapping[str, str]) -> None:
        styles, texts = (
            archive.read(names[name]).decode("utf-8", "replace") if name in names else ""
            for name in (STYLES, TEXTS)
        )
        fonts = _FONT.findall("".join(_FONTS.findall(styles)))
        struck = {str(number) for number, font in enumerate(fonts) if _STRIKE.search(font)}
        formats = _FORMAT.findall("".join(_FORMATS.findall(styles))) if struck else []
        self._formats = {
            str(number)
            for number, each in enumerate(formats)
            if (font := _FONT_ID.search(each)) and font[1] in struck
        }
        found = _TEXT.findall(texts) if _STRIKE.search(texts) else []
        self._texts = {str(number) for number, each in enumerate(found) if _STRIKE.search(each)}

    @property
    def any(self) -> bool:
        return bool(self._formats or self._texts)

    def cells(self, sheet: str) -> Iterator[str]:
        """Attributes of the cells that are struck out in a sheet's XML."""
        if not (self.any or _STRIKE.search(sheet)):
            return
        for cell in _CELL.finditer(sheet):
            style, index = _STYLE.search(cell[1]), _INDEX.search(cell[2])
            if (
                (style and style[1] in self._formats)
                or (index and index[1] in self._texts and _SHARED.search(cell[1]))
                or _STRIKE.search(cell[2])
            ):
                yield cell[1]
