"""What the shipped clinic has to reach, each as a ratio in one run; and bounds, far below, that a change may never fall through."""

from __future__ import annotations

from bench.figure import Target

TARGETS = (
    Target("ingest-ct-1", "clinic", "stock", 6.0, "ingest by an untouched sender, one association, at least 6 times an open Orthanc's"),
    Target("ingest-ct-4", "clinic", "stock", 3.3, "the same on four associations, at least 3.3 times"),
    Target("ingest-ct-1", "clinic", "archive", 0.85, "ingest at most 15 % below the archive's own without the gateway, one association"),
    Target("ingest-ct-4", "clinic", "archive", 0.85, "the same on four"),
    Target("c-get", "clinic", "stock", 15.0, "C-GET at least 15 times"),
    Target("c-move", "clinic", "stock", 12.0, "C-MOVE at least 12 times"),
    Target("wado-series", "clinic", "stock", 1.0, "WADO-RS of a series at least as fast"),
    Target("wado-instance", "clinic", "stock", 1.0, "WADO-RS of instances at least as fast"),
    Target("associations-1", "clinic", "stock", 3.0, "associations with a full handshake, one client, at least 3 times"),
    Target("associations-8", "clinic", "stock", 1.5, "the same of eight clients, at least 1.5 times"),
    Target(
        "crowd-echo-p99",
        "500 hostile",
        "quiet",
        0.5,
        "an honest echo's 99th percentile beside 500 hostile connections at most twice the quiet one",
    ),
    Target("growth-ingest", "200000", "empty", 0.9, "ingest at 200,000 instances at least 90 % of an empty archive's"),
    Target("growth-qido-study", "200000", "empty", 0.5, "a search by patient id at 200,000 within twice an empty archive's"),
    Target("growth-qido-date", "200000", "10000", 0.5, "a search by study date at 200,000 within twice that at 10,000"),
    Target("viewer-first", "clinic", "stock", 1.0, "the first image of a CT of 200 in the browser at least as soon"),
    Target("viewer-series", "clinic", "stock", 1.0, "all of its slices at least as soon"),
    Target("viewer-shown", "clinic", "stock", 1.0, "on the way through them, five a second, no slice left out that is shown there"),
    Target("up", "no change", "allowed", 1.0, "`securepacs up` with nothing to do in 4 s"),
    Target("up-parts", "our code", "allowed", 1.0, "of which our own code 1 s of the processor"),
)

#: Figure, contender, base -> the least that the short run of each day accepts. A lost acknowledgement is a factor of three.
GUARDED = (
    Target("ingest-ct-1", "clinic", "stock", 3.0, "an untouched sender waits for no acknowledgement"),
    Target("ingest-ct-4", "clinic", "stock", 1.7, "nor do four"),
    Target("c-get", "clinic", "stock", 6.0, "nothing waits for an acknowledgement on the way back"),
    Target("c-move", "clinic", "stock", 5.0, "nor on the way to another"),
    Target("wado-series", "clinic", "stock", 0.1, "TLS does not throttle the web"),
    Target("associations-1", "clinic", "stock", 1.5, "an association costs no round of waiting"),
)
