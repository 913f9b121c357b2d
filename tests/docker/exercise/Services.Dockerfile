# PostgreSQL, Redis and Caddy from Debian's packages, and faketime for another clock, for tests where the images of compose.yaml cannot be pulled.
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-17 redis-server caddy faketime \
    && rm -rf /var/lib/apt/lists/*
ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/17/bin:$PATH XDG_DATA_HOME=/data XDG_CONFIG_HOME=/config
COPY stand-in /usr/local/bin/stand-in
ENTRYPOINT ["bash", "/usr/local/bin/stand-in"]
