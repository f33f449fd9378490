"""The pages in a real browser (Debian's Chromium, no window): its cookies, its policies and its scripts are those that
people have. Who may see what stands in test_admin.py, test_pages.py and test_live.py."""
import contextlib
import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from hooks_kit import call_body, lasting_world, message_body, retell_headers, whatsapp_headers
from world import SECRETS, wait

TOKEN = SECRETS["KLINKE_ADMIN_TOKEN"]
EVIL = "<script>document.title='taken'</script>\"'><img src=x onerror=\"document.title='taken'\">"


def prepare(world):
    world.ini.drop("pipeline")
    world.ini.add("pipeline fail", ("on", "message.received"), ("step", "calendar.cancel"), ("in", "json_object('id', data ->> 'text')"))
    world.start()


house = lasting_world(prepare)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    # Its own sandbox wants a user who is not root, and its shared memory more than containers have.
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                 "--window-size=1200,900", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver", log_path=os.devnull), options=options)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium):
    """Without cookies, and nothing said in its console."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.get_log("browser")
    return chromium


def at(world, path="/"):
    return f"http://127.0.0.1:{world.port}{path}"


def fill_in(browser, secret=TOKEN):
    field = browser.find_element(By.NAME, "secret")
    field.send_keys(secret)
    field.submit()


def log_in(browser, world, path="/"):
    """Shows the page."""
    browser.get(at(world, path))
    fill_in(browser)
    wait(lambda: "Latest events" in text(browser), "the form leads to the overview")
    if path != "/":
        browser.get(at(world, path))


def is_asked(browser):
    return bool(browser.find_elements(By.NAME, "secret"))


def text(browser):
    """In one look: between two, the page may have become another."""
    return browser.execute_script("return document.body ? document.body.innerText : ''")


def complaints(browser):
    """What its console says of faults, but for answers like 401 that are meant."""
    return [line["message"] for line in browser.get_log("browser")
            if line["level"] != "DEBUG" and "Failed to load resource" not in line["message"]]


def ring(world, call_id, event, **call):
    body = call_body(call_id, event, **call)
    assert world.hook("phone", body, retell_headers(body))[0] == 204


def starts(world, call_id, **call):
    ring(world, call_id, "call_started", call_status="ongoing", end_timestamp=None, **call)


def write(world, message_id, words):
    body = message_body(message_id, words)
    assert world.hook("whatsapp", body, whatsapp_headers(body))[0] == 200


# ---- Who is there -----------------------------------------------------------------------------------------

def test_the_form_lets_in_and_its_cookie_is_no_script_s(house, browser):
    browser.get(at(house))
    fill_in(browser, "wrong")
    assert is_asked(browser)
    log_in(browser, house)
    cookie, = browser.get_cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert browser.execute_script("return document.cookie") == ""
    assert TOKEN not in json.dumps(cookie) + browser.current_url


def test_the_way_out(house, browser):
    log_in(browser, house)
    browser.find_element(By.XPATH, "//button[text()='Log out']").click()
    wait(lambda: is_asked(browser), "the form is shown")
    browser.get(at(house, "/live"))
    assert is_asked(browser) and not browser.get_cookies()


# ---- What is shown ----------------------------------------------------------------------------------------

def test_from_the_overview_to_a_story(house, browser):
    """What others wrote runs nowhere, and nothing of ours breaks its own policy."""
    write(house, "wamid.story", EVIL)
    wait(lambda: house.jobs("dead", "parked"), "something needs a person")
    log_in(browser, house)
    assert "need you" in browser.find_element(By.CLASS_NAME, "bad").text
    browser.find_element(By.LINK_TEXT, "story").click()
    wait(lambda: "Steps and requests" in text(browser), "its story is shown")
    for fold in browser.find_elements(By.TAG_NAME, "summary"):
        fold.click()
    assert "onerror" in text(browser), "it was there to run"
    assert browser.title == "Story"
    assert not complaints(browser)


@pytest.mark.parametrize("path", ["/", "/live"])
def test_on_a_telephone(house, browser, path):
    """Nothing is wider than the page: who reads it scrolls one way."""
    starts(house, "on-a-telephone")
    log_in(browser, house, path=path)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": 375, "height": 740, "deviceScaleFactor": 2, "mobile": True})
    try:
        browser.get(at(house, path))
        seen, whole = browser.execute_script("return [window.innerWidth, document.documentElement.scrollWidth]")
        assert seen == 375 and whole <= seen
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# ---- As it happens ----------------------------------------------------------------------------------------

def sections(browser):
    return browser.execute_script("""return Object.fromEntries(
        Array.from(document.querySelectorAll("section"), s => [s.dataset.call, s.innerText]))""")


def state(browser):
    return browser.execute_script("const s = document.getElementById('state'); return s ? s.textContent : ''")


def watch(browser, world):
    log_in(browser, world, "/live")
    wait(lambda: state(browser) == "live", "the stream is open")


def test_a_call_appears_talks_and_ends(house, browser):
    starts(house, "before")
    wait(lambda: any("before" in json.dumps(e) for e in house.events("call.started")), "it is stored")
    watch(browser, house)
    starts(house, "now" + EVIL)
    wait(lambda: "now" + EVIL in sections(browser), "the call appears by itself")
    ring(house, "now" + EVIL, "transcript_updated", call_status="ongoing", end_timestamp=None, transcript="User: " + EVIL)
    wait(lambda: EVIL in sections(browser)["now" + EVIL], "what is said is text")
    assert browser.title == "Calls in progress" and not browser.find_elements(By.TAG_NAME, "img")
    ring(house, "now" + EVIL, "call_ended")
    wait(lambda: browser.find_elements(By.CSS_SELECTOR, "section.over"), "it is over")
    assert "before" in sections(browser)
    assert not complaints(browser)


class Relay:
    """A way to the host that can be cut and closed."""

    def __init__(self, port):
        self.to, self.open, self.pairs = port, True, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                near = self.listening.accept()[0]
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.to))
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(a, b):
        try:
            while piece := a.recv(65536):
                b.sendall(piece)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        self.open = False
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.cut()


def test_a_stream_that_was_cut_goes_on(house, browser):
    """What happens while nobody listens is told once, when somebody does again."""
    relay = Relay(house.port)
    try:
        watch(browser, relay)
        starts(house, "before-the-cut")
        wait(lambda: "before-the-cut" in sections(browser), "it is told")
        relay.cut()
        wait(lambda: state(browser) == "connecting", "its loss is told")
        starts(house, "in-the-dark")
        relay.open = True
        wait(lambda: "in-the-dark" in sections(browser), "it is told when somebody listens again")
        for call in ("before-the-cut", "in-the-dark"):
            assert len(browser.find_elements(By.CSS_SELECTOR, f"section[data-call={call}]")) == 1
    finally:
        relay.close()


def test_after_a_restart_it_asks_who_is_there(house, browser):
    """Sessions end with the host. A page that only said "connecting" would be looked at for ever."""
    watch(browser, house)
    house.kill_host()
    wait(lambda: state(browser) == "connecting", "its loss is told")
    house.start_host()
    wait(lambda: is_asked(browser), "the form is shown")
    starts(house, "behind-the-restart")
    log_in(browser, house, "/live")
    assert "behind-the-restart" in sections(browser)


# ---- A page of somebody else ------------------------------------------------------------------------------

@pytest.fixture
def stranger():
    """A server of another site; give it a page and get its address."""
    class Answer(BaseHTTPRequestHandler):
        page = ""

        def do_GET(self):  # pylint: disable=invalid-name
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(Answer.page.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve(page):
        Answer.page = page
        return f"http://localhost:{server.server_port}/"  # not 127.0.0.1: another site
    yield serve
    server.shutdown()
    server.server_close()


def test_no_frame_shows_us(house, browser, stranger):
    log_in(browser, house)
    browser.get(stranger(f"<iframe src='http://127.0.0.1:{house.port}/' onload=\"document.title='loaded'\"></iframe>"))
    wait(lambda: browser.title == "loaded", "the frame has got something")
    browser.switch_to.frame(0)
    assert "Latest events" not in browser.page_source and not is_asked(browser)
    browser.switch_to.default_content()


def test_no_page_posts_or_reads_for_us(house, browser, stranger):
    """A form, a fetch and an EventSource of another site, in a browser that has logged in here."""
    write(house, "wamid.foreign", "nothing-like-it")
    job = wait(lambda: house.jobs("dead", "parked"), "something could be dropped")[0]["id"]
    log_in(browser, house)
    browser.get(stranger(f"""<form method=post enctype=text/plain action=http://127.0.0.1:{house.port}/api/v1/drop>
        <input name='{{"id":"{job}","x":"' value='"}}'></form><script>document.forms[0].submit()</script>"""))
    wait(lambda: str(house.port) in browser.current_url, "the form has gone out")
    assert house.job(job)["state"] in ("dead", "parked")
    browser.get(stranger(f"""<script>
        const at = "http://127.0.0.1:{house.port}";
        const heard = [];
        fetch(at + "/api/v1/status", {{credentials: "include"}})
            .then(a => a.text()).then(t => heard.push("read " + t), () => heard.push("refused"))
            .then(() => fetch(at + "/api/v1/drop", {{method: "POST", mode: "no-cors", credentials: "include",
                body: JSON.stringify({{id: "{job}"}})}})).catch(() => 0)
            .then(() => {{ const s = new EventSource(at + "/api/v1/live", {{withCredentials: true}});
                s.onerror = () => {{ heard.push("no stream"); document.title = heard.join(", ") }};
                s.onopen = () => document.title = "stream" }});
        </script>"""))
    assert wait(lambda: browser.title, "all of it was tried") == "refused, no stream"
    assert house.job(job)["state"] in ("dead", "parked")
