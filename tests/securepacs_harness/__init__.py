"""Probes that show, of any PACS with a target file, what it accepts and what it refuses.

It declares nothing itself: a target file declares (`target`), probes observe (`probes`), and a refusal is only what `bracket`
found between two successes of an authorised control. This package imports nothing of the module that deploys a PACS.
"""
