"""Formats of an export. A further one is a module here and a line of `registry.exports.choices.FORMATS`.

Its function takes `(archive, part)` and returns {name of a dataset: rows written}. `part` is a `files.Part`: what is to
be written, for all sites or for one. Where each dataset is a file of its own, `files.streams` and `files.frames` do the
rest.
"""
