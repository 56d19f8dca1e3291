"""Takes out of a PDF whatever does something: what is handed on is paper, to be read and searched.

What may stay is listed, of the catalogue, of pages, annotations and actions (ISO 32000-2, sections 7.7 and
12.6); all else goes and is counted. The look of forms and notes becomes part of their page first.
"""

import re
from collections import Counter
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

DEEP = 100  # dictionaries in dictionaries; what lies deeper goes
_CATALOGUE = frozenset(
    {
        "/Type",
        "/Version",
        "/Extensions",
        "/Pages",
        "/PageLabels",
        "/PageMode",
        "/PageLayout",
        "/Lang",
        "/MarkInfo",
        "/StructTreeRoot",
        "/Outlines",
        "/OCProperties",
        "/OutputIntents",
        "/ViewerPreferences",
        "/Dests",
        "/Metadata",
    }
)
_PAGE = frozenset(
    {
        "/Type",
        "/Parent",
        "/Resources",
        "/MediaBox",
        "/CropBox",
        "/BleedBox",
        "/TrimBox",
        "/ArtBox",
        "/Rotate",
        "/Contents",
        "/Group",
        "/UserUnit",
        "/Annots",
        "/StructParents",
        "/Tabs",
    }
)
_LINK = frozenset(
    {
        "/Type",
        "/Subtype",
        "/Rect",
        "/A",
        "/Dest",
        "/Border",
        "/BS",
        "/C",
        "/H",
        "/F",
        "/P",
        "/QuadPoints",
        "/StructParent",
        "/Contents",
    }
)
# Wherever they stand: actions and what starts them, scripts, files within and without, media, web capture.
_NOWHERE = {
    "/AA": "actions", "/OpenAction": "actions", "/PA": "actions", "/JS": "JavaScript",
    "/JavaScript": "JavaScript", "/XFA": "XFA", "/EmbeddedFiles": "attachments", "/EF": "attachments",
    "/AF": "attachments", "/RF": "attachments", "/RichMediaContent": "RichMedia",
    "/RichMediaSettings": "RichMedia", "/Ref": "other files", "/FFilter": "other files",
    "/PieceInfo": "private data",
    "/Renditions": "RichMedia", "/SpiderInfo": "actions", "/Collection": "attachments", "/OPI": "other files",
}  # fmt: skip
_SAFE_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)[^\x00-\x20\x7f]*\Z", re.IGNORECASE)


def make_passive(pdf: Pdf) -> Counter[str]:
    """Change an open file; how many of each kind were taken out. Raises pikepdf.PdfError, and what damaged
    files raise (TypeError, ValueError)."""
    removed: Counter[str] = Counter()
    for page in pdf.pages:
        for each in _annotations(page.obj):
            _count_annotation(each, removed)
    for each in list(pdf.objects):
        _walk(each, removed, DEEP)
    pdf.flatten_annotations("screen")
    for page in pdf.pages:
        _keep(page.obj, _PAGE)
        links = [each for each in _annotations(page.obj) if each.get("/Subtype") == Name.Link]
        for link in links:
            _keep(link, _LINK)
        if links:
            page.obj.Annots = Array(links)
        elif "/Annots" in page.obj:
            del page.obj["/Annots"]
    names = pdf.Root.get("/Names")
    places = names.get("/Dests") if isinstance(names, Dictionary) else None
    _keep(pdf.Root, _CATALOGUE)
    if places is not None:
        pdf.Root.Names = Dictionary(Dests=places)
    return +removed


def _annotations(page: Object) -> list[Object]:
    found = page.get("/Annots")
    return [each for each in found if isinstance(each, Dictionary)] if isinstance(found, Array) else []


def _count_annotation(each: Object, removed: Counter[str]) -> None:
    kind = str(each.get("/Subtype", ""))
    kinds = {"/FileAttachment": "attachments", "/Screen": "RichMedia", "/RichMedia": "RichMedia"}
    kinds |= {"/Movie": "RichMedia", "/Sound": "RichMedia", "/3D": "RichMedia"}
    if kind in kinds:
        removed[kinds[kind]] += 1


def _walk(each: Any, removed: Counter[str], deep: int) -> None:
    """Of an object and the direct ones within it; indirect ones are met by themselves."""
    if isinstance(each, Array):
        for index in range(len(each)):
            _walk_into(each, index, removed, deep)
    elif isinstance(each, Dictionary | Stream):
        for key in list(each.keys()):
            if key in _NOWHERE or (key == "/F" and isinstance(each, Stream)):
                removed[_NOWHERE.get(key, "other files")] += _scripts(each[key], removed)
                del each[key]
            elif key == "/A":
                _passive_action(each, removed)
            else:
                _walk_into(each, key, removed, deep)


def _walk_into(holder: Any, key: Any, removed: Counter[str], deep: int) -> None:
    inner = holder[key]
    if isinstance(inner, Array | Dictionary | Stream) and not inner.is_indirect:
        if deep:
            _walk(inner, removed, deep - 1)
        else:
            holder[key] = Dictionary()


def _scripts(what: Any, removed: Counter[str]) -> int:
    """An action is counted by its own name, all else as what it was found as."""
    if isinstance(what, Dictionary) and isinstance(what.get("/S"), Name):
        removed[str(what.S).removeprefix("/")[:40]] += 1
        return 0
    return 1


def _passive_action(holder: Any, removed: Counter[str]) -> None:
    """A link within the file, or to an address that only shows something, stays, made anew."""
    action = holder["/A"]
    kept = None
    if isinstance(action, Dictionary):
        kind = action.get("/S")
        if kind == Name.GoTo and "/D" in action:
            kept = Dictionary(S=Name.GoTo, D=action.D)
        elif kind == Name.URI and _SAFE_ADDRESS.match(str(action.get("/URI", ""))):
            kept = Dictionary(S=Name.URI, URI=pikepdf.String(str(action.URI)))
        if kept is None and isinstance(kind, Name):
            removed["links" if kind == Name.URI else str(kind).removeprefix("/")[:40]] += 1
        if "/Next" in action:
            removed["actions"] += 1
    if kept is None:
        del holder["/A"]
    else:
        holder["/A"] = kept


def _keep(holder: Any, allowed: frozenset[str]) -> None:
    for key in list(holder.keys()):
        if key not in allowed:
            del holder[key]
