"""The study's protocol: what holds now, own instruments from draft to retirement, the study's set-up and branding.

What holds now is beside this room (`registry.services.current_protocol`), for whoever cleans answers. May call
records and follow_up; review, files, entry and pages may call it.
"""
