"""The HTTP side: one thread per connection, keep-alive, and the faults on the wire."""
import json
import re
import socket
import socketserver
import sys
import time
import traceback
from http.server import BaseHTTPRequestHandler

from .calcom import Calcom
from .calcom_v1 import CalcomV1
from .calcom_v2 import CalcomV2
from .clock import real_ms
from .control import Control
from .retell import Retell
from .web import Answer, Request, dump
from .whatsapp import Whatsapp

GRAPH = re.compile(r"(/whatsapp/v\d+\.\d+)(/.*)")
MOST = 16 * 1024 * 1024
HUGE = 10 * 1024 * 1024
SECRET_HEADERS = ("authorization", "cookie", "x-cal-secret-key")


class Vendors:
    """Finds the vendor of a path, lets it act in one transaction, and keeps the record."""

    def __init__(self, world):
        self.world = world
        calcom = Calcom(world)
        self.retell, self.whatsapp = Retell(world), Whatsapp(world)
        self.v1, self.v2 = CalcomV1(calcom), CalcomV2(calcom)
        self.control = Control(world, {"calcom": calcom, "retell": self.retell,
                                       "whatsapp": self.whatsapp})
        self.bases = (("/retell", "retell", self.retell), ("/calcom/v1", "calcom_v1", self.v1),
                      ("/calcom/v2", "calcom_v2", self.v2))

    def find(self, request):
        """(name, handler) and sets request.path; (None, None) for a path of nobody."""
        if request.full_path.startswith("/_control/"):
            request.path = request.full_path[len("/_control"):]
            return "control", self.control
        for base, name, vendor in self.bases:
            if request.full_path.startswith(base + "/"):
                request.path = request.full_path[len(base):]
                return name, vendor
        graph = GRAPH.match(request.full_path)
        if graph:
            request.path = graph.group(2)
            return "whatsapp", self.whatsapp
        return None, None

    def act(self, vendor, request):
        """The vendor's answer, after its effects are committed."""
        try:
            with self.world.store.write():
                answer = vendor.handle(request)
                if answer.status >= 400:
                    raise answer  # undoes what a refused request may have begun
                return answer
        except Answer as refusal:
            return refusal
        except Exception:  # a defect of the sandbox must look like a vendor's, not like a cut line
            traceback.print_exc()
            return Answer(500, {"statusCode": 500, "message": "Internal server error"})

    def note(self, name, request, status, fault):
        """Remembers the request without its secrets."""
        headers = {k: mask(v) if k in SECRET_HEADERS else v for k, v in request.headers.items()}
        pairs = [[k, "***" if k in ("apiKey", "input_token") else v] for k, v in request.pairs]
        self.world.store.run(
            "INSERT INTO request(at_ms,vendor,method,path,query,headers,body,status,fault) "
            "VALUES(?,?,?,?,?,?,?,?,?)", real_ms(), name, request.method, request.full_path,
            json.dumps(pairs), json.dumps(headers), request.body.decode("utf-8", "replace"),
            status, fault)


def mask(value):
    scheme, blank, _ = value.partition(" ")
    return scheme + " ***" if blank else "***"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "klinke-sandbox", ""
    disable_nagle_algorithm = True

    def handle_any(self):
        body = self.read_body()
        if body is None:
            return
        headers = {}
        for key, value in self.headers.items():
            headers[key.lower()] = value
        request = Request(self.command, self.path, headers, body)
        name, vendor = self.server.vendors.find(request)
        if vendor is None:
            self.write(Answer(404, {"error": "no vendor has this path; see README.md"}))
        elif name == "control":
            self.write(vendor.handle(request))
        else:
            self.serve(name, vendor, request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

    def serve(self, name, vendor, request):
        """One vendor's request, with whatever fault was ordered for it."""
        world = self.server.world
        fault = world.faults.for_request(name, request.method, request.full_path)
        time.sleep(fault.get("delay_ms", 0) / 1000)
        acts = not (fault.get("close_before") or "status" in fault) or fault.get("act")
        answer = self.server.vendors.act(vendor, request) if acts else Answer(0)
        if "status" in fault:
            content = fault.get("body", {"message": "fault ordered by the test"})
            answer = Answer(fault["status"], content.encode() if isinstance(content, str)
                            else content, fault.get("headers"))
        closes = fault.get("close_before") or fault.get("close_after")
        self.server.vendors.note(name, request, 0 if closes else answer.status,
                                 json.dumps(fault) if fault else None)
        if closes:
            self.hang_up()
        else:
            self.write_faulty(answer, fault)

    def write_faulty(self, answer, fault):
        if fault.get("non_json"):
            answer.body = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            answer.content_type = "text/html"
        if fault.get("huge"):
            answer.body = dump({"filler": "x" * HUGE})
        if fault.get("truncate"):
            self.write(answer, answer.body[:len(answer.body) // 2])
            self.hang_up()
        elif fault.get("slow_drip_ms"):
            self.drip(answer, fault["slow_drip_ms"] / 1000)
        else:
            self.write(answer)

    def drip(self, answer, pause_s):
        """The head at once, then the body in small pieces."""
        self.write(answer, b"")
        for start in range(0, len(answer.body), 8):
            time.sleep(pause_s)
            self.wfile.write(answer.body[start:start + 8])

    def write(self, answer, body=None):
        """body: what is sent instead of all of answer.body; Content-Length stays the whole."""
        self.send_response(answer.status)
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body if body is None else body)

    def hang_up(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster

    def read_body(self):
        """The bytes of the body; None after the request was refused."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.read_chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST:
            self.close_connection = True
            self.write(Answer(413, {"error": f"more than {MOST} bytes"}))
            return None
        return self.rfile.read(length)

    def read_chunks(self):
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                break
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def log_message(self, format, *arguments):
        if self.server.world.options.verbose:
            sys.stderr.write(format % arguments + "\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, world):
        super().__init__(address, Handler)
        self.world = world
        self.vendors = Vendors(world)

    def handle_error(self, request, client_address):
        fault = sys.exc_info()[1]
        if not isinstance(fault, (ConnectionError, TimeoutError)):
            traceback.print_exc()
