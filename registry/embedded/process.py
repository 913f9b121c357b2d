"""Telling whether a server still lives from the number in its pid file."""

import time

import psutil


def living(pid_file, belongs):
    """The process whose number stands first in `pid_file`, or None where it is gone or `belongs(process)` is false.

    Numbers are given out again, so a living one alone says little. A zombie counts as gone: in a container whose first
    process reaps nothing, zombies stay for good.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if process.status() != psutil.STATUS_ZOMBIE and belongs(process) else None
    except (FileNotFoundError, ValueError, IndexError, psutil.Error):
        return None


def wait_until_gone(process, seconds):
    """Whether a process ends within so many seconds (psutil's own wait would sit by a zombie)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False
