"""Deployments as they are published in tutorials, forums and compose files, rewritten as small programs of our own.

Each is what its readers copy, reduced to the lines that open it; none is anybody's text. All are refused.
"""
