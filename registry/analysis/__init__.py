"""Cohorts and comparison plans as data, and the runner that turns them into results.

Rooms call down: documents → running → sections → figures → presentation → disclosure → reports → design → data. Results
(the rows that all of them write and read) call no other.
"""
