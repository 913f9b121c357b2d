"""TLS to database and broker by settings: a server that is not who the address names gets no password."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading

import psycopg
import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection

from registry.settings import broker, database

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def certificate(folder, name, *, host="127.0.0.1", by=None):
    """(file of the certificate, file of its key, (certificate, key)); signed by itself, or `by` another pair."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signer = (by[0].subject, by[1]) if by else (subject, key)
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    if by:
        names = [x509.IPAddress(ipaddress.ip_address(host))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(signer, hashes.SHA256())
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return *paths, (made, key)


class Server(threading.Thread):
    """Speaks TLS (as PostgreSQL, after its question whether there is), or none; keeps what it was told after that."""

    def __init__(self, files, *, asks=False, answer=b""):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.files, self.asks, self.answer, self.received = files, asks, answer, b""
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            try:
                self.serve(client)
            except OSError:
                continue  # the handshake was broken off

    def serve(self, client):
        with client:
            client.settimeout(60)
            if self.asks:
                assert client.recv(8) == SSL_REQUEST
                client.sendall(b"S" if self.files else b"N")
            if self.files:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.files[:2])
                client = context.wrap_socket(client, server_side=True)
            self.received += client.recv(1000)
            client.sendall(self.answer)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = certificate(folder, "authority")
    other = certificate(folder, "somebody")
    return {
        "authority": str(authority[0]),
        "right": certificate(folder, "server", by=authority[2]),
        "other host": certificate(folder, "elsewhere", host="127.0.0.2", by=authority[2]),
        "other authority": certificate(folder, "impostor", by=other[2]),
        "none": None,
    }


def connect_to_database(server, authority):
    chosen = database(f"postgresql://metaspine:secret@127.0.0.1:{server.port}/registry", authority)
    options = {name: value for name, value in chosen["OPTIONS"].items() if name.startswith("ssl")}
    psycopg.connect(
        host=chosen["HOST"], port=chosen["PORT"], user=chosen["USER"], password=chosen["PASSWORD"], connect_timeout=60,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("who", ["right", "other host", "other authority", "none"])
def test_the_database_is_who_the_address_names(certificates, who):
    server = Server(certificates[who], asks=True)
    with pytest.raises(psycopg.OperationalError):  # even the right one is no database
        connect_to_database(server, certificates["authority"])
    assert (b"metaspine" in server.received) == (who == "right")
    server.listening.close()


@pytest.mark.parametrize("who", ["right", "other host", "other authority", "none"])
def test_the_broker_is_who_the_address_names(certificates, who):
    server = Server(certificates[who], answer=b"+OK\r\n+OK\r\n+OK\r\n")
    address = broker(f"rediss://:secret@127.0.0.1:{server.port}/0", certificates["authority"])
    client = redis.Redis.from_url(address, socket_timeout=60, retry=None, protocol=2)
    with contextlib.suppress(redis.RedisError):
        client.ping()
    assert (b"secret" in server.received) == (who == "right")
    server.listening.close()


def test_celery_reads_the_same_from_the_address(certificates):
    address = broker("rediss://:secret@127.0.0.1:6390/0", certificates["authority"])
    with Connection(address) as connection:
        asked = connection.ssl if isinstance(connection.ssl, dict) else connection.transport_options
        assert asked["ssl_cert_reqs"] == ssl.CERT_REQUIRED
        assert asked["ssl_ca_certs"] == certificates["authority"]


def test_what_cannot_be_protected_is_told():
    with pytest.raises(ImproperlyConfigured, match="rediss"):
        broker("redis://broker:6379/0", "/ca.pem")
    with pytest.raises(ImproperlyConfigured, match="socket"):
        database("postgresql:///registry?host=/run/postgresql", "/ca.pem")
    assert broker("redis://broker:6379/0") == "redis://broker:6379/0"
    assert "sslmode" not in database("postgresql://db/registry")["OPTIONS"]
