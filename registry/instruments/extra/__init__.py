"""Instruments that a registry switches on beside its core. Each is one file. Calls base and levels."""
