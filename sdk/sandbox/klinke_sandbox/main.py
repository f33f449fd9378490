"""The command line of the sandbox."""
import argparse
import signal
import sys
import threading

from .server import Server
from .world import World


def pauses(text):
    return [int(part) for part in text.split(",") if part]


def address(text):
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise argparse.ArgumentTypeError("ADDRESS:PORT, for instance 127.0.0.1:8090")
    return host or "127.0.0.1", int(port)


def options(arguments):
    parser = argparse.ArgumentParser(prog="klinke-sandbox", description=__doc__)
    add = parser.add_argument
    add("--listen", type=address, default=("127.0.0.1", 8090), help="ADDRESS:PORT; port 0: any")
    add("--state", required=True, help="directory of the sandbox's memory")
    add("--hooks-retell", help="URL for call events; /inbound and /function lie below it")
    add("--hooks-calcom", help="URL for booking webhooks")
    add("--hooks-whatsapp", help="URL for messages and statuses")
    add("--retell-key", default="key_sandbox", help="API key, which also signs")
    add("--calcom-key", default="cal_live_sandbox")
    add("--calcom-webhook-secret", default="lindenhof-webhook-secret")
    add("--whatsapp-token", default="EAAsandbox")
    add("--whatsapp-app-secret", default="0123456789abcdef0123456789abcdef")
    add("--whatsapp-verify-token", default="zahn-geheim")
    add("--retry-retell", type=pauses, default=[200, 800], metavar="MS,MS",
        help="pauses between the tries of a webhook (three tries in all)")
    add("--retry-calcom", type=pauses, default=[], metavar="MS,MS",
        help="Cal.com tries once; with pauses, again after network errors only")
    add("--retry-whatsapp", type=pauses, metavar="MS,MS",
        default=[0, 200, 500, 1000, 2000, 5000] + [30000] * 200,
        help="at once, then ever more rarely")
    add("--verbose", action="store_true", help="each request to stderr")
    return parser.parse_args(arguments)


def main(arguments=None):
    chosen = options(arguments)
    world = World(chosen)
    try:
        server = Server(chosen.listen, world)
    except OSError as fault:
        print(f"klinke-sandbox: cannot listen on {chosen.listen[0]}:{chosen.listen[1]}: {fault}; "
              "choose another --listen", file=sys.stderr)
        return 1
    world.hooks.start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print("listening on %s:%d" % server.server_address, flush=True)
    stop.wait()
    server.shutdown()
    world.hooks.stop()
    return 0
