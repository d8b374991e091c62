"""Makes of OHIF's package what the deployment serves. Run once, while the image is built: `prepare.py FOLDER`.

Left out are maps of sources, the service worker (it would load a script from elsewhere), the scripts of sign-ins that are not used,
and the runtime of neural networks, whose models would come from elsewhere. The page's inline scripts become files. A study has a page of
its own, which asks at once for the parts that OHIF else finds out about one after the other. Before all comes the program itself.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = (
    *("**/*.map", "ort/**/*", "_headers", "_redirects", "serve.json", "sw.js", "init-service-worker.js"),
    *("silent-refresh.html", "google.js", "oidc-client.min.js", "es6-shim.min.js", "polyfill.min.js", "manifest.json"),
)
#: The parts that the page of a study loads, by OHIF's numbers of them (tests/deployed/test_browser.py compares them with what it loads).
AT_ONCE = (
    *("100", "1180", "1206", "1483", "1673", "2623", "2779", "3500", "3760", "3833", "4683", "5406", "5696", "6214"),
    *("6489", "6495", "6749", "6938", "7248", "7499", "781", "8478", "8492", "89", "9116", "9290", "9383", "9415"),
)
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_UNWANTED = re.compile(r'<link rel="manifest"[^>]*>|<script[^>]*init-service-worker\.js[^>]*></script>|<link rel="yandex[^>]*>')
#: A browser lets a deferred script wait for whatever else the page asks for; all else of the viewer waits for this one.
_PROGRAM = '<script defer src="/app.bundle.'
_OURS = '<link href="/session.css" rel="stylesheet"><script defer src="/session.js"></script></head>'


def main(folder: Path) -> None:
    """Prepare the folder in place; end where the page is not what is expected."""
    for pattern in LEFT_OUT:
        for path in folder.glob(pattern):
            if path.is_file():
                path.unlink()
    page = folder / "index.html"
    text = _UNWANTED.sub("", page.read_text(encoding="utf-8"))
    scripts = _INLINE.findall(text)
    if not scripts or "</head>" not in text:
        sys.exit(f"{page}: got no inline script, expected those of OHIF's page; look at what has changed in this version")
    for number, script in enumerate(scripts, 1):
        (folder / f"inline{number}.js").write_text(script, encoding="utf-8")
        text = text.replace(f"<script>{script}</script>", f'<script src="/inline{number}.js"></script>', 1)
    if _PROGRAM not in text:
        sys.exit(f"{page}: got no {_PROGRAM}…, expected OHIF's program as a deferred script; look at what has changed in this version")
    text = text.replace(_PROGRAM, _PROGRAM.replace(" ", ' fetchpriority="high" ', 1), 1)
    page.write_text(text.replace("</head>", _OURS, 1), encoding="utf-8")
    (folder / "study.html").write_text(text.replace("</head>", "".join(_hints(folder)) + _OURS, 1), encoding="utf-8")


def _hints(folder: Path) -> Iterator[str]:
    """Give the hints for the parts that a study needs (HTML, link type "preload")."""
    for part in AT_ONCE:
        found = [*folder.glob(f"{part}.bundle.*.js"), *folder.glob(f"{part}.css")]
        if not found:
            sys.exit(f"{folder}: got no part {part}, expected those of AT_ONCE; look at which ones this version's study loads")
        for path in found:
            yield f'<link rel="preload" href="/{path.name}" as="{"style" if path.suffix == ".css" else "script"}">'


if __name__ == "__main__":
    main(Path(sys.argv[1]))
