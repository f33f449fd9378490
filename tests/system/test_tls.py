"""The listener with a certificate of its own: what it serves, what it refuses to speak, that it takes a new one without a
restart, and that klinke check looks at the files first."""
import http.client
import os
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest

from hooks_kit import call_body, retell_headers
from world import PATIENCE_S, SECRETS, TENANT, a_world, wait

BEARER = {"Authorization": f"Bearer {SECRETS['KLINKE_ADMIN_TOKEN']}"}


def make(directory, name, days=90, key="ec", common_name="localhost"):
    """A certificate that signs itself; its two files."""
    cert, secret = directory / f"{name}.pem", directory / f"{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *kind, "-nodes", "-keyout", secret, "-out", cert, "-days", str(days),
                    "-subj", f"/CN={common_name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    secret.chmod(0o600)
    return cert, secret


def use(world, cert, key):
    world.ini["host"]["tls_certificate"], world.ini["host"]["tls_key"] = cert, key


@contextmanager
def started(place, name, key="ec", **settings):
    """A host with one certificate; its world speaks no TLS itself."""
    with a_world() as made:
        made.cert, made.key = make(place, name, key=key)
        made.files = place
        made.ini.drop("pipeline")
        use(made, made.cert, made.key)
        for name, value in settings.items():
            made.ini["host"][name] = value
        made.launch_host()
        wait(lambda: "msg=ready" in made.log(), "it is ready")
        yield made


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """One for those that do not disturb each other."""
    with started(tmp_path_factory.mktemp("house"), "first") as made:
        yield made


@pytest.fixture
def own(tmp_path):
    with started(tmp_path, "first") as made:
        yield made


def trusting(world, cert=None):
    return ssl.create_default_context(cafile=cert or world.cert)


def connect(world, context=None):
    plain = socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE_S)
    return (context or trusting(world)).wrap_socket(plain, server_hostname="localhost")


def client(world):
    return http.client.HTTPSConnection("localhost", world.port, timeout=PATIENCE_S, context=trusting(world))


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}


def serial(world, cert):
    with connect(world, trusting(world, cert)) as s:
        return s.getpeercert()["serialNumber"]


# ---- Served -----------------------------------------------------------------------------------------------------

def test_curl_is_served(house):
    url = f"https://localhost:{house.port}/livez"
    done = subprocess.run(["curl", "-sS", "--cacert", house.cert, "--resolve", f"localhost:{house.port}:127.0.0.1", url],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
    with socket.create_connection(("127.0.0.1", house.port), timeout=PATIENCE_S) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"alive" not in plain.recv(1000), "nothing is served in clear"


def test_webhooks_on_one_connection(house):
    """Each is suspended until it is stored, and resumed; then the next comes."""
    connection = client(house)
    for n in range(30):
        body = call_body(f"tls-{n}", transcript="x" * (n * 20000))
        assert ask(connection, "POST", f"/hooks/{TENANT}/phone", body, retell_headers(body))[0] == 204
    assert ask(connection, "GET", "/api/v1/status", None, BEARER)[0] == 200
    wait(lambda: len([e for e in house.events("call.ended") if ":tls-" in e["subject"]]) == 30, "all are events")


def test_two_requests_in_one_record(house):
    """What GnuTLS has decrypted already is not waited for."""
    one = f"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n\r\n".encode()
    with connect(house) as s:
        s.sendall(one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        text = b""
        while piece := s.recv(65536):
            text += piece
    assert text.count(b"HTTP/1.1 200 OK") == 2


def test_many_at_once(house):
    failures = []

    def some(k):
        try:
            connection = client(house)
            for n in range(10):
                body = call_body(f"many-{k}-{n}")
                assert ask(connection, "POST", f"/hooks/{TENANT}/phone", body, retell_headers(body))[0] == 204
        except (AssertionError, OSError, http.client.HTTPException) as fault:
            failures.append(fault)
    threads = [threading.Thread(target=some, args=(k,)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    wait(lambda: len([e for e in house.events("call.ended") if ":many-" in e["subject"]]) == 160, "all are events")


def test_a_stream(house):
    with connect(house) as s:
        s.sendall(f"GET /api/v1/live?heartbeat=1 HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n\r\n".encode())
        text = b""
        while b": live" not in text:
            text += s.recv(65536)
        body = call_body("streamed")
        assert ask(client(house), "POST", f"/hooks/{TENANT}/phone", body, retell_headers(body))[0] == 204
        while b"streamed" not in text or b"still here" not in text:
            piece = s.recv(65536)
            assert piece, text
            text += piece


def test_cookies_are_for_tls_only(house):
    status, _, fields = ask(client(house), "POST", "/login", urlencode({"secret": SECRETS["KLINKE_ADMIN_TOKEN"]}))
    assert status == 303 and "; Secure" in fields["set-cookie"]
    assert int(fields["strict-transport-security"].removeprefix("max-age=")) >= 31536000


def test_refused_in_the_middle_of_a_body(house):
    """Too large: told at once, and the client gets to read it."""
    with connect(house) as s:
        s.sendall(b"POST /hooks/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n" + b"x" * 1000)
        assert s.recv(1000).startswith(b"HTTP/1.1 413 ")
    with connect(house) as s:
        s.sendall(b"POST /hooks/a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(100):
                s.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            pass
        assert s.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert ask(client(house), "GET", "/livez")[0] == 200


# ---- Not spoken -----------------------------------------------------------------------------------------------

def speaks(house, tmp_path, *options):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", "-servername", "localhost", *options],
                          input="", capture_output=True, text=True, timeout=PATIENCE_S)
    return "Cipher is (NONE)" not in done.stdout and done.returncode == 0


@pytest.mark.parametrize("options,spoken", [
    (["-tls1_3"], True), (["-tls1_2"], True),
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False), (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], True),
    (["-tls1_2", "-cipher", "AES128-GCM-SHA256"], False), (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"], False),
    (["-tls1_2", "-cipher", "ALL:eNULL:@SECLEVEL=0"], True)], ids=lambda v: "-".join(v) if isinstance(v, list) else str(v))
def test_versions_and_ciphers(rsa, options, spoken):
    """TLS 1.2 at least; no key exchange without forward secrecy, no CBC."""
    assert speaks(rsa, None, *options) == spoken


@pytest.fixture(scope="module")
def rsa(tmp_path_factory):
    """With a key that old ciphers could use."""
    with started(tmp_path_factory.mktemp("rsa"), "rsa", key="rsa") as made:
        yield made


def test_who_says_nothing_is_cut(tmp_path):
    """In the middle of a handshake as before it."""
    with started(tmp_path, "first", header_timeout="300ms") as own:
        with socket.create_connection(("127.0.0.1", own.port), timeout=PATIENCE_S) as silent, \
                socket.create_connection(("127.0.0.1", own.port), timeout=PATIENCE_S) as begun:
            begun.sendall(b"\x16\x03\x01\x02\x00\x01")  # of a ClientHello
            assert silent.recv(100) == b"" and begun.recv(100) == b""
        assert ask(client(own), "GET", "/livez")[0] == 200


# ---- Another certificate -----------------------------------------------------------------------------------------

def test_a_new_one_at_a_reload(own):
    old = client(own)
    assert ask(old, "GET", "/livez")[0] == 200
    first = serial(own, own.cert)
    cert, key = make(own.files, "second")
    use(own, cert, key)
    own.reload()
    assert serial(own, cert) != first
    assert ask(old, "GET", "/livez")[0] == 200, "who is connected stays so"
    os.replace(own.cert, cert)  # in place, and wrong: the key is another's
    done = own.klinke("reload", check=False)
    assert done.returncode == 78 and "is not the key of" in done.stderr
    with pytest.raises(ssl.SSLError):
        serial(own, cert)
    assert own.host.poll() is None


def test_term_ends_with_connections_open(own):
    connections = [connect(own) for _ in range(5)]
    kept = client(own)
    assert ask(kept, "GET", "/livez")[0] == 200
    assert own.stop_host() == 0
    for s in connections:
        s.close()


def test_the_key_is_in_no_log_and_metrics_tell_the_end(house):
    text = ask(client(house), "GET", "/metrics", None, BEARER)[1].decode()
    ends = float(next(line for line in text.splitlines() if line.startswith("klinke_tls_certificate_ends_seconds ")).split()[1])
    with connect(house) as s:
        assert ends == ssl.cert_time_to_seconds(s.getpeercert()["notAfter"])
    middle = house.key.read_text().splitlines()[1]
    assert middle not in house.log()


# ---- klinke check ------------------------------------------------------------------------------------------------

@contextmanager
def checked(world):
    world.write_ini()
    yield world.klinke("check", check=False)


def test_files_are_looked_at(world, tmp_path):
    cert, key = make(tmp_path, "good")
    other_cert, other_key = make(tmp_path, "other")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("hello\n")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for pair, told in (((cert, other_key), "is not the key of"), ((garbage, key), "holds no certificate"),
                       ((cert, garbage), "holds no private key"), ((cert, cert), "holds no private key"),
                       ((tmp_path / "none.pem", key), "cannot be read"), ((cert, tmp_path / "none.key"), "cannot be read"),
                       ((empty, key), "is empty"), ((tmp_path, key), "no file")):
        use(world, *pair)
        with checked(world) as done:
            assert done.returncode == 78 and told in done.stderr, (pair, done.stderr)
            assert "klinke.ini:" in done.stderr
    use(world, cert, key)
    with checked(world) as done:
        assert done.returncode == 0 and "certificate" not in done.stderr, done.stderr
    key.chmod(0o644)
    with checked(world) as done:
        assert done.returncode == 0 and "everybody may read the key" in done.stderr
    use(world, *make(tmp_path, "soon", days=5))
    with checked(world) as done:
        assert done.returncode == 0 and "ends in 4 days" in done.stderr
    gone, gone_key = make(tmp_path, "gone")
    subprocess.run(["openssl", "x509", "-in", gone, "-signkey", gone_key, "-days", "-1", "-out", gone], check=True, capture_output=True)
    use(world, gone, gone_key)
    with checked(world) as done:
        assert done.returncode == 0 and "has ended" in done.stderr
    del world.ini["host"]["tls_key"]
    with checked(world) as done:
        assert done.returncode == 78 and "belong together" in done.stderr
