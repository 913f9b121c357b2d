"""Health: whether the registry can serve, what it waits for when it starts, and signs of life of its processes.

`waiting` imports no Django, so that a container which waits costs nothing; the rest may call models and services.
"""
