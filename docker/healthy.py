"""Whether the web process answers: exit code 0 if so. Run inside its container."""

import http.client
import os
import sys

host = os.environ.get("METASPINE_ALLOWED_HOSTS", "localhost").split(",")[0].strip()
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=8)
connection.request("GET", "/", headers={"Host": host, "X-Forwarded-Proto": "https"})
sys.exit(connection.getresponse().status >= 400)
