"""One module for each way of asking: TLS, raw associations, DIMSE by two clients, HTTP, and the inside of containers.

Each probe gives an `Attempt`; `securepacs_harness.bracket` tries it.
"""
