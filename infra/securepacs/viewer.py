"""The viewer: OHIF's files, served by nginx on the browser's network. All that is its own stands in the image; it knows no secret."""

from __future__ import annotations

#: The user that nginx runs as.
UID = GID = 10105

#: The port and the name on the browser's network; it is not published.
PORT, HOST = 8080, "viewer"

#: What a page of the viewer may do in a browser (Content Security Policy Level 3). It speaks to its own origin only. WebAssembly
#: decodes compressed images; workers are made of blobs; React writes styles into elements. No text is ever run as code.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' blob: data:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

#: The sign-in's page has a form and a style of its own, and no script.
SIGN_IN_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

#: What the archive sends is data: where a browser shows it, nothing in it may run or load.
DATA_SECURITY_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
