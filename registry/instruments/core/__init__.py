"""The instruments of the protocol's core: their columns are in every file. Each is one file. Calls base and levels."""
