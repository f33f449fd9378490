"""What stands between the host and the vendors: a server with TLS that passes everything on to the sandbox, or
fails in one of the ways in which the internet does. And certificates for it, and a place where nobody must call."""
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

import office  # noqa: F401, finds the harness
from world import free_port

WAYS = ("pass", "dead", "reset", "mute", "garbage", "name", "stranger", "cut")
CUT_AFTER = 60  # bytes of the answer


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificate(directory, who, name, authority=None):
    """A key and a certificate for name, signed by an authority or by itself: the paths of both in one file."""
    key, made, request = (directory / f"{who}.{end}" for end in ("key", "pem", "csr"))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", key)
    if not authority:
        openssl("req", "-x509", *curve, "-days", 2, "-out", made, "-addext", "subjectAltName=DNS:" + name)
        return made
    (directory / f"{who}.ext").write_text(f"subjectAltName=DNS:{name}\n")
    openssl("req", *curve, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority.with_suffix(".key"), "-days", 2,
            "-extfile", directory / f"{who}.ext", "-out", made)
    return made


def context(file):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file, file.with_suffix(".key"))
    return made


class Front:
    """way: one of WAYS, changed at any time; whoever is connected then is cut off. accepted counts connections that
    were taken, by way. release() cuts who is held by "mute"."""

    def __init__(self, directory, to_port):
        self.to_port, self.way, self.accepted = to_port, "pass", {way: 0 for way in WAYS}
        self.authority = certificate(directory, "authority", "authority.test")
        self.contexts = {
            "pass": context(certificate(directory, "good", "*.vendor.test", self.authority)),
            "name": context(certificate(directory, "name", "elsewhere.test", self.authority)),
            "stranger": context(certificate(directory, "stranger", "*.vendor.test"))}
        self.lock, self.open = threading.Lock(), set()
        # a port that was asked for by its number stays ours while nobody listens
        self.server = socket.create_server(("127.0.0.1", free_port()), backlog=256)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def turn(self, way):
        with self.lock:  # who was taken before is among those that are cut off
            was, self.way = self.way, way
        if way == "dead":  # the port stays ours, and refuses
            self.server.shutdown(socket.SHUT_RDWR)
        elif was == "dead":
            self.server.listen(256)
        self.release()

    def release(self):
        with self.lock:
            for one in self.open:
                try:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def held(self):
        with self.lock:
            return len(self.open)

    def _accept(self):
        while True:
            try:
                client = self.server.accept()[0]
            except OSError:
                time.sleep(0.005)  # it refuses
                continue
            with self.lock:
                way = self.way
                self.open.add(client)
            self.accepted[way] += 1
            threading.Thread(target=self._serve, args=(client, way), daemon=True).start()

    def _serve(self, client, way):
        try:
            client.settimeout(30)
            self._answer(client, way)
        except (OSError, ssl.SSLError):
            pass
        finally:
            with self.lock:
                self.open.discard(client)
            client.close()

    def _answer(self, client, way):
        if way in ("reset", "dead"):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == "garbage":
            client.recv(4096)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        else:
            with self.lock:  # it takes the descriptor: who cuts off must find the one that has it
                wrapped = self.contexts.get(way, self.contexts["pass"]).wrap_socket(
                    client, server_side=True, do_handshake_on_connect=False)
                self.open.discard(client)
                self.open.add(wrapped)
            try:
                wrapped.do_handshake()
                self._pump(wrapped, way)
            finally:
                with self.lock:
                    self.open.discard(wrapped)
                wrapped.close()

    def _pump(self, client, way):
        if way == "mute":
            while client.recv(65536):
                pass
            return
        with socket.create_connection(("127.0.0.1", self.to_port)) as vendor:
            while True:
                ready = [client] if client.pending() else select.select([client, vendor], [], [])[0]
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    if one is client:
                        vendor.sendall(data)
                    elif way == "cut":
                        client.sendall(data[:CUT_AFTER])
                        return
                    else:
                        client.sendall(data)


class Trap:
    """Where nobody must call, whoever says so. called: how often somebody did."""

    def __init__(self, address="127.0.0.1", port=0):
        self.called = 0
        self.server = socket.create_server((address, port))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            self.server.accept()[0].close()
            self.called += 1
