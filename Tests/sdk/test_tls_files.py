"""The certificate and its key: what is refused at the start, and how they are changed while the
server runs."""

import signal
import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from certificates import HOST
from conftest import ANSWER_SECONDS, read_answer
from metrics import scrape

CERTIFICATE, PRIVATE_KEY = "CONVERSATIOND_TLS_CERTIFICATE", "CONVERSATIOND_TLS_PRIVATE_KEY"
IN_USE = "the TLS certificate in use"
STAYS = "the certificate was not read again, the old one stays"
HANG_UPS = 50
CLIENTS = 4


def key_bytes(tls, format, encryption=serialization.NoEncryption()):
    key = serialization.load_pem_private_key(tls.private_key.read_bytes(), None)
    return key.private_bytes(Encoding.PEM, format, encryption)


@pytest.fixture
def serve(start, tls, wait_until):
    """Starts a server with the two files; returns when its certificate is in the log."""

    def serve():
        server = start(tls=tls)
        wait_until(lambda: IN_USE in server.log())
        return server

    return serve


# Files that work


def crlf(tls):
    for file in (tls.certificate, tls.private_key):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def words_around(tls):
    for file in (tls.certificate, tls.private_key):
        file.write_bytes(b"Subject: somebody\n" + file.read_bytes() + b"\nthe end\n")


def one_file(tls):
    both = tls.private_key.read_bytes() + tls.certificate.read_bytes()
    tls.certificate.write_bytes(both)
    tls.private_key.write_bytes(both)


def root_included(tls):
    with tls.certificate.open("ab") as file:
        file.write(tls.authority.cert_pem.bytes())


def pkcs8(tls):
    tls.private_key.write_bytes(key_bytes(tls, PrivateFormat.PKCS8))


def traditional(tls):
    tls.private_key.write_bytes(key_bytes(tls, PrivateFormat.TraditionalOpenSSL))


def with_parameters(tls):
    """As `openssl ecparam -genkey` writes it."""
    traditional(tls)
    parameters = subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1"], capture_output=True, check=True).stdout
    tls.private_key.write_bytes(parameters + tls.private_key.read_bytes())


def chain_of_16(tls):
    tls.certificate.write_bytes(16 * tls.certificate.read_bytes())


@pytest.mark.parametrize("key", trustme.KeyType)
@pytest.mark.parametrize("write", [
    pkcs8, traditional, crlf, words_around, one_file, root_included, chain_of_16])
def test_files_as_tools_write_them_serve(start, tls, write, key):
    tls.write(tls.authority.issue_cert(HOST, key_type=key))
    write(tls)
    assert start(tls=tls).request("GET", "/healthz").status == 200


def test_an_elliptic_key_with_its_parameters_serves(start, tls):
    with_parameters(tls)
    assert start(tls=tls).request("GET", "/healthz").status == 200


def test_relative_paths_are_of_the_working_folder(start, tls):
    tls.environment = {CERTIFICATE: "tls/certificate.pem", PRIVATE_KEY: "tls/private-key.pem"}
    assert start(tls=tls).request("GET", "/healthz").status == 200


# Files that do not


def missing_certificate(tls):
    tls.certificate.unlink()
    return tls.certificate, "does not exist"


def missing_key(tls):
    tls.private_key.unlink()
    return tls.private_key, "does not exist"


def folder(tls):
    tls.private_key.unlink()
    tls.private_key.mkdir()
    return tls.private_key, "cannot be read"


def empty_certificate(tls):
    tls.certificate.write_bytes(b"")
    return tls.certificate, "not PEM"


def empty_key(tls):
    tls.private_key.write_bytes(b"")
    return tls.private_key, "not PEM"


def binary_certificate(tls):
    tls.certificate.write_bytes(ssl.PEM_cert_to_DER_cert(
        tls.certificate.read_text(encoding="ascii")))
    return tls.certificate, "not PEM"


def cut_certificate(tls):
    tls.certificate.write_bytes(tls.certificate.read_bytes()[:-100])
    return tls.certificate, "not PEM"


def cut_key(tls):
    tls.private_key.write_bytes(tls.private_key.read_bytes()[:-60])
    return tls.private_key, "not PEM"


def exchanged(tls):
    certificate, key = tls.certificate.read_bytes(), tls.private_key.read_bytes()
    tls.certificate.write_bytes(key)
    tls.private_key.write_bytes(certificate)
    return tls.certificate, "not PEM"


def encrypted(tls):
    tls.private_key.write_bytes(key_bytes(
        tls, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")))
    return tls.private_key, "encrypted"


def encrypted_traditionally(tls):
    tls.private_key.write_bytes(key_bytes(
        tls, PrivateFormat.TraditionalOpenSSL, serialization.BestAvailableEncryption(b"secret")))
    return tls.private_key, "encrypted"


def other_key(tls):
    tls.private_key.write_bytes(tls.authority.issue_cert(HOST).private_key_pem.bytes())
    return tls.private_key, "does not belong to"


def other_kind_of_key(tls):
    leaf = tls.authority.issue_cert(HOST, key_type=trustme.KeyType.RSA)
    tls.private_key.write_bytes(leaf.private_key_pem.bytes())
    return tls.private_key, "does not belong to"


def intermediate_first(tls):
    leaf = tls.authority.create_child_ca().issue_cert(HOST)
    tls.write(leaf)
    chain = [blob.bytes() for blob in leaf.cert_chain_pems]
    tls.certificate.write_bytes(b"".join(reversed(chain)))
    return tls.private_key, "does not belong to"


def chain_of_17(tls):
    tls.certificate.write_bytes(17 * tls.certificate.read_bytes())
    return tls.certificate, "it has more than 16"


def chain_of_100(tls):
    tls.certificate.write_bytes(100 * tls.certificate.read_bytes())
    return tls.certificate, "it has more than 16"


WRONG = [
    missing_certificate, missing_key, folder, empty_certificate, empty_key, binary_certificate,
    cut_certificate, cut_key, exchanged, encrypted, encrypted_traditionally, other_key,
    other_kind_of_key, intermediate_first, chain_of_17, chain_of_100]


@pytest.mark.parametrize("spoil", WRONG)
def test_files_that_cannot_be_used_are_refused_at_the_start(refused, tls, tmp_path, spoil):
    file, words = spoil(tls)
    line = refused("serve", "--port", "0", environment=tls.environment)
    assert f"'{file}'" in line and words in line
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]


@pytest.mark.parametrize("name", ["certificate", "private_key"])
def test_a_file_that_this_user_may_not_read_is_refused_at_the_start(
        refused, tls, ordinary_user, name):
    folder, options = ordinary_user
    file = getattr(tls, name).rename(folder / "secret.pem")
    open_file = tls.private_key if name == "certificate" else tls.certificate
    open_file = open_file.rename(folder / "open.pem")
    open_file.chmod(0o644)
    file.chmod(0)
    environment = {CERTIFICATE: str(open_file), PRIVATE_KEY: str(open_file),
                   f"CONVERSATIOND_TLS_{name.upper()}": str(file)}
    line = refused("serve", "--port", "0", "--database", folder / "new.db",
                   environment=environment, **options)
    assert f"'{file}' cannot be read: permission denied" in line
    assert not (folder / "new.db").exists()


@pytest.mark.parametrize("present", [CERTIFICATE, PRIVATE_KEY])
def test_one_setting_without_the_other_is_refused_at_the_start(refused, tls, tmp_path, present):
    line = refused("serve", "--port", "0", environment={present: tls.environment[present]})
    assert "'tls.certificate' and 'tls.private_key' must be given together" in line
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]


@pytest.mark.parametrize("left", [timedelta(days=-1), timedelta(days=1)], ids=["past", "future"])
def test_the_end_of_a_certificate_is_in_the_log(serve, tls, left):
    end = datetime.now(timezone.utc).replace(microsecond=0) + left
    tls.write(tls.authority.issue_cert(
        HOST, not_before=end - timedelta(days=30), not_after=end))
    # A server that starts is better than none: whether clients take it is theirs to say.
    server = serve()
    line, = [line for line in server.log().splitlines() if IN_USE in line]
    assert f"expires={end:%Y-%m-%dT%H:%M:%SZ}" in line
    if left > timedelta():
        expiry = scrape(server).value("tls_certificate_expiry_timestamp_seconds")
        assert expiry == int(end.timestamp())
    assert ("level=error" in line) == (left < timedelta())


# SIGHUP


def shown(server):
    """The certificate that a new connection gets."""
    with socket.create_connection((server.host, server.port), timeout=ANSWER_SECONDS) as plain:
        with server.trust.wrap_socket(plain, server_hostname=HOST) as connection:
            return connection.getpeercert(binary_form=True)


@pytest.fixture
def hang_up(wait_until):
    """Sends SIGHUP, and waits until the server has done what it is for."""

    def count(server, words):
        # Without a wait for the end of the log, which has none while others send requests.
        return server.log_file.read_text(encoding="utf-8").count(words)

    def hang_up(server, words):
        before = count(server, words)
        server.send(signal.SIGHUP)
        wait_until(lambda: count(server, words) > before)

    return hang_up


@pytest.mark.parametrize("key", trustme.KeyType)
def test_new_connections_get_the_new_certificate_and_old_ones_stay(serve, tls, hang_up, key):
    old = tls.write()
    server = serve()
    with closing(server.connection()) as connection:
        connection.request("GET", "/healthz")
        assert read_answer(connection).status == 200
        first = connection.sock
        assert shown(server) == old

        new = tls.write(tls.authority.issue_cert(HOST, key_type=key))
        hang_up(server, IN_USE)
        assert shown(server) == new != old
        connection.request("POST", "/v1/conversations", '{"metadata":{"a":"1"}}')
        assert read_answer(connection).status == 200
        assert connection.sock is first
        assert first.getpeercert(binary_form=True) == old


@pytest.mark.parametrize("spoil", WRONG)
def test_files_that_cannot_be_used_leave_the_old_certificate(serve, tls, hang_up, spoil):
    old = tls.write()
    server = serve()
    file, words = spoil(tls)
    hang_up(server, STAYS)
    line, = [line for line in server.log().splitlines() if STAYS in line]
    assert "level=error" in line and str(file) in line and words in line
    assert shown(server) == old

    if tls.private_key.is_dir():
        tls.private_key.rmdir()
    new = tls.write()
    hang_up(server, IN_USE)
    assert shown(server) == new
    assert server.stop() == 0


def test_sighup_does_not_end_a_server_of_plain_http(server, hang_up):
    for _ in range(3):
        hang_up(server, "read the settings again")
    assert server.request("GET", "/healthz").status == 200
    assert server.stop() == 0


def test_sighup_does_not_disturb_the_end(serve):
    server = serve()
    with socket.create_connection((server.host, server.port)), closing(
            server.connection()) as connection:
        connection.request("GET", "/healthz")
        read_answer(connection)
        server.send(signal.SIGTERM)
        while server.process.poll() is None:
            server.send(signal.SIGHUP)
    assert server.wait() == 0


def test_many_signals_under_load_lose_no_request(serve, tls, hang_up):
    leaves = [tls.authority.issue_cert(HOST, key_type=key) for key in trustme.KeyType]
    tls.write(leaves[0])
    server = serve()
    is_over = threading.Event()

    def keep_connection():
        answered = 0
        with closing(server.connection()) as connection:
            connection.connect()
            first = connection.sock
            while not is_over.is_set():
                connection.request("POST", "/v1/conversations", '{"metadata":{"a":"1"}}')
                assert read_answer(connection).status == 200
                assert connection.sock is first
                answered += 1
        return answered

    def connect_anew():
        answered = 0
        while not is_over.is_set():
            assert server.request("GET", "/healthz").status == 200
            answered += 1
        return answered

    with ThreadPoolExecutor(2 * CLIENTS) as pool:
        clients = [pool.submit(each) for each in CLIENTS * (keep_connection, connect_anew)]
        try:
            for number in range(HANG_UPS):
                tls.write(leaves[number % 2])
                hang_up(server, IN_USE)
        finally:
            is_over.set()
    assert all(client.result() > HANG_UPS // 10 for client in clients)
    assert STAYS not in server.log()
    assert server.stop() == 0
