"""Instruments declared once, in pure Python: items, codes, ranges, labels, sources. No framework.

`base` says what an instrument is, `catalogue` lists them; `core` are the contract's, `extra` those that a registry
switches on.
"""
