"""The study's protocol: what holds now, own instruments from draft to retirement, and the study's set-up.

May call models, records and follow_up; entry, files, review and everything above may call it.
"""
