"""The web process, in containers and in the demo; gunicorn reads this file from the folder it starts in."""

import os
import signal
import sys
import threading

worker_class = "gthread"
workers = 2
threads = 4  # each keeps its database connection for a minute (CONN_MAX_AGE), which matters more than the server chosen
# Renew a worker now and then, not all at once: libraries that leak stay bounded. Its successor serves before it stops
# (`post_request`), because it goes on for two seconds without taking new connections, and these would be few to serve.
max_requests = 5000
max_requests_jitter = 500
# A new worker is a copy of what is loaded already: it is there at once, and shares the memory of what nobody changes.
preload_app = True
control_socket_disable = True  # it would lie in the home folder, which a container does not have and demos would share
# No access log: the audit trail knows who did what. Should one be asked for, and in the server's own words about
# requests that it refuses, the secrets of links are taken out.
accesslog = None
_asked = "--access-logfile" in " ".join([os.environ.get("GUNICORN_CMD_ARGS", ""), *sys.argv])
logconfig_dict = {
    # gunicorn's own defaults write an access log wherever logging is configured, and every line twice.
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["error_console"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["console"] if _asked else [], "propagate": False},
    },
    "formatters": {
        "generic": {
            "()": "sites.logs.redaction.Formatter",
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
        }
        if os.environ.get("METASPINE_LOG_FORMAT") != "json"
        else {"()": "sites.logs.json_lines.Formatter"}
    },
}


_succeeding = threading.Lock()  # several requests may end at once
_succeeded = set()  # this process's id, once its successor was asked for: a successor is a copy of the first process


def post_request(worker, request, environ, response):
    """A worker that was just told to end, after its last request, asks for one more; `child_exit` takes it back."""
    if worker.alive or worker.nr < worker.max_requests:
        return
    with _succeeding:
        if worker.pid not in _succeeded:
            _succeeded.add(worker.pid)
            os.kill(worker.ppid, signal.SIGTTIN)


def child_exit(server, worker):
    """There are as many workers as were set again, where one had been asked for before this one ended.

    The counts of a process that ended go on, those of what it held at the moment do not.
    """
    if server.num_workers > server.cfg.workers:
        server.num_workers -= 1
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)
