"""Looking after a running office: copies, the way back, damage, a disk that refuses, and the doctor's page."""
import json
import re
import sqlite3
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from desk_kit import together
from hooks_kit import call_body, lasting_world, retell_headers
from world import KLINKE, request, wait

HERE = Path(__file__).parent
PAGE = 4096


def hook(world, call_id):
    body = call_body(call_id)
    return world.hook("phone", body, retell_headers(body))


def hooks(world, prefix, count):
    for i in range(count):
        assert hook(world, f"{prefix}{i}")[0] in (200, 204)
    wait(lambda: len(world.events("call.ended")) >= count, "they are read")


def rows(path, sql):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def one(path, sql):
    return rows(path, sql)[0][0]


def flip(path, page):
    """All bits of a page; twice is none."""
    with open(path, "r+b") as file:
        file.seek((page - 1) * PAGE)
        content = file.read(PAGE)
        file.seek((page - 1) * PAGE)
        file.write(bytes(b ^ 0xff for b in content))


def database(world):
    return world.state / "klinke.db"


def root_page(world, name):
    return one(database(world), f"SELECT rootpage FROM sqlite_schema WHERE name = '{name}'")


def metric(world, name):
    text = request(world.port, "GET", "/metrics", headers={"Authorization": "Bearer token-of-the-test"})[1].decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def doctor(world):
    done = world.klinke("doctor", "--json", check=False)
    found = json.loads(done.stdout)
    assert (done.returncode == 1) == (found["result"] == "fail"), done.stdout
    return found


def findings(found, name):
    return [c for c in found["checks"] if c["check"] == name]


def prepare(world):
    world.start()
    hooks(world, "first-", 5)


house = lasting_world(prepare)


# ---- Copies -------------------------------------------------------------------------------------------

def test_a_copy_of_a_busy_host(house, tmp_path):
    """Webhooks are answered meanwhile, and what was acknowledged before is in the copy."""
    stop, answered = threading.Event(), []

    def keep_calling():
        while not stop.is_set():
            answered.append(hook(house, f"busy-{len(answered)}")[0])
    thread = threading.Thread(target=keep_calling)
    thread.start()
    try:
        wait(lambda: len(answered) > 20, "it is in full swing")
        before = len(answered)
        copy = json.loads(house.klinke("backup", tmp_path, "--json").stdout)
        after = len(answered)
    finally:
        stop.set()
        thread.join()
    assert after > before, "nobody waited for the copy"
    assert set(answered) <= {200, 204}, "each was answered as ever"
    path = Path(copy["file"])
    assert re.fullmatch(r"klinke-\d{8}T\d{6}Z\.db", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "it is one file"
    assert one(path, "SELECT count(*) FROM inbox") >= before + 5
    assert one(path, "PRAGMA integrity_check") == "ok"
    assert copy["rows"] == sum(one(path, f'SELECT count(*) FROM "{name}"') for name, in rows(
        path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"))
    assert metric(house, "klinke_backup_timestamp_seconds") > time.time() - 60


def test_nothing_is_written_over(house, tmp_path):
    file = tmp_path / "copy.db"
    file.write_text("mine")
    done = house.klinke("backup", file, check=False)
    assert done.returncode == 1 and "nothing is written over" in done.stderr
    assert file.read_text() == "mine"


def test_keys_go_to_another_place(house, tmp_path):
    (tmp_path / "copies").mkdir()
    for place in (tmp_path / "copies", tmp_path, tmp_path / "copies" / "keys"):
        done = house.klinke("backup", tmp_path / "copies", "--keys", place, check=False)
        assert done.returncode == 2 and "must not lie together" in done.stderr
    done = house.klinke("backup", "--keys", house.state / "safe", check=False)
    assert done.returncode == 2 and "state directory itself" in done.stderr
    assert not any((tmp_path / "copies").iterdir()), "nothing was copied then"
    told = house.klinke("backup", tmp_path / "copies", "--keys", tmp_path / "safe").stdout
    assert "Keep them apart" in told and "klinke restore FILE --keys" in told
    keys = tmp_path / "safe" / "keys"
    assert {p.name for p in keys.iterdir()} >= {"master.key", "person.key"}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in keys.iterdir())
    copy = next((tmp_path / "copies").glob("*.db")).read_bytes()
    assert (keys / "master.key").read_text().split()[-1].encode() not in copy


def test_a_running_host_keeps_its_store(house, tmp_path):
    house.klinke("backup", tmp_path / "copy.db")
    for verb in (["restore", tmp_path / "copy.db"], ["salvage", tmp_path / "new.db"], ["migrate", "apply"]):
        done = house.klinke(*verb, check=False)
        assert done.returncode == 75 and "stop it" in done.stderr, verb
    assert not (tmp_path / "new.db").exists()


def test_the_schema_is_what_this_build_makes(house):
    assert "nothing to do" in house.klinke("migrate", "plan").stdout
    assert json.loads(house.klinke("migrate", "verify", "--json").stdout)["verified"] is True


def test_doctors_page(house, tmp_path):
    house.klinke("backup", tmp_path)
    found = doctor(house)
    assert found["result"] in ("ok", "warn"), found
    names = {c["check"] for c in found["checks"]}
    assert names >= {"configuration", "plugins", "time zones", "clock", "sandbox", "state", "space", "host", "store",
                     "keys", "pages", "backup", "waiting", "vendors", "limits"}
    for name in ("configuration", "plugins", "clock", "state", "host", "store", "keys", "pages", "backup"):
        assert {c["result"] for c in findings(found, name)} == {"ok"}, findings(found, name)
    text = house.klinke("doctor").stdout
    for c in found["checks"]:
        assert re.search(rf"^{'FAIL' if c['result'] == 'fail' else c['result']} +{c['check']} ", text, re.M)


# ---- The way back -------------------------------------------------------------------------------------

def test_an_office_moves_to_a_new_machine(world, tmp_path):
    """File and keys, and the story of the first booking is told there as it was here."""
    world.start()
    world.ring()
    wait(lambda: world.settled(1, 1), "the story ends")
    event = world.events("booking.created")[0]["id"]
    story = world.show(event)
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies" / "copy.db"
    world.klinke("backup", copy, "--keys", tmp_path / "safe")
    hook(world, "after-the-copy")
    assert world.stop_host() == 0
    world.state = world.directory / "new machine"
    world.ini["host"]["state"] = world.state
    world.write_ini()
    alone = world.klinke("restore", copy, check=False)
    assert alone.returncode == 1 and "--keys" in alone.stderr
    told = world.klinke("restore", copy, "--keys", tmp_path / "safe").stdout
    assert "sealed rows were read" in told and "before-restore" not in told
    world.start_host()
    again = world.show(event)
    assert [i["body"] for i in again["inbox"]] == [i["body"] for i in story["inbox"]]
    assert again["jobs"] == story["jobs"]
    assert not [e for e in world.events("call.ended") if e["subject"].endswith("after-the-copy")]
    hook(world, "on-the-new-one")
    wait(lambda: [e for e in world.events("call.ended") if "on-the-new-one" in e["subject"]], "it works")
    assert len(world.bookings()) == 1 and len(world.messages()) == 1, "nothing is done twice"


def test_damage_is_told_salvaged_and_left_behind(world, tmp_path):
    """A page goes bad under a running host: told once, not ready, still taking what it can; no start hides it."""
    world.start()
    hooks(world, "c", 40)
    assert world.stop_host() == 0
    world.start_host()
    page = root_page(world, "event")
    flip(database(world), page)
    refused = world.klinke("events", check=False)
    assert refused.returncode == 1 and "damaged" in refused.stderr and "klinke salvage" in refused.stderr
    status, text, _ = request(world.port, "GET", "/readyz")
    assert status == 503 and b"damaged" in text
    assert metric(world, "klinke_store_damaged") == 1
    world.klinke("events", check=False)
    assert world.host_log.read_text().count("the store's file is damaged") == 1
    pages = findings(doctor(world), "pages")
    assert pages[0]["result"] == "fail" and "klinke restore" in pages[0]["remedy"]
    backup = world.klinke("backup", tmp_path / "copy.db", check=False)
    assert backup.returncode == 1 and "no backup was made" in backup.stderr
    world.stop_host()
    before = database(world).read_bytes()
    started = subprocess.run([str(KLINKE), "run"], env=world.environment, capture_output=True, text=True, timeout=60)
    assert started.returncode == 1 and "klinke salvage" in started.stderr
    assert database(world).read_bytes() == before, "it is left as it is"
    saved = json.loads(world.klinke("salvage", tmp_path / "saved.db", "--json", check=False).stdout)
    assert {t["table"]: t for t in saved["tables"]}["event"]["read"] >= 40
    restored = json.loads(world.klinke("restore", tmp_path / "saved.db", "--json").stdout)
    assert (Path(restored["before"]) / "klinke.db").read_bytes() == before
    world.start_host()
    assert len(world.events("call.ended")) == 40
    assert request(world.port, "GET", "/readyz")[0] == 200


def test_a_log_that_was_damaged_after_its_sync_is_told_and_kept(world):
    """SQLite ends there without a word, and all behind it is gone: the operator is told, by the doctor for as long as the copy is
    there. A log that only ends in the middle is what power cuts leave."""
    world.start()
    hooks(world, "early-", 3)
    world.restart_host()  # which copies the log into the file
    hooks(world, "late-", 3)
    world.kill_host()
    log = world.state / "klinke.db-wal"
    with open(log, "r+b") as file:
        file.truncate(log.stat().st_size - PAGE // 2)
    world.start_host()
    assert "log is damaged" not in world.log() and not findings(doctor(world), "log")
    hooks(world, "last-", 3)
    world.kill_host()
    good = log.read_bytes()
    with open(log, "r+b") as file:
        file.seek(32 + 24 + 2000)
        file.write(bytes([good[32 + 24 + 2000] ^ 1]))
    world.start_host()
    line = next(line for line in world.log().splitlines() if "log is damaged" in line)
    assert "the log of klinke.db was damaged at frame 1: " in line and "gaps --fetch" in line
    assert len(world.events("call.ended")) == 6, "what was behind the bad byte is gone"
    wait(lambda: request(world.port, "GET", "/readyz")[0] == 200, "the file itself was checked, and is whole")
    told, = findings(doctor(world), "log")
    kept, = world.state.glob("damaged-log-*.wal")
    assert told["result"] == "warn" and str(kept) in told["text"] and "gaps --fetch" in told["remedy"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and len(kept.read_bytes()) == len(good)
    hooks(world, "after-", 1)


def test_damage_that_nobody_meets_is_found_by_schedule(world):
    world.ini["host"]["integrity_check"] = "200ms"
    world.start()
    hooks(world, "c", 20)
    wait(lambda: metric(world, "klinke_store_checked_timestamp_seconds") > 0, "it is checked")
    assert world.stop_host() == 0
    page = root_page(world, "event_correlation")
    world.start_host()
    flip(database(world), page)
    wait(lambda: request(world.port, "GET", "/readyz")[0] == 503, "it is found")
    flip(database(world), page)
    wait(lambda: request(world.port, "GET", "/readyz")[0] == 200, "and so is its end")
    wait(lambda: "whole again" in world.host_log.read_text(), "it is told")
    damage = re.search(r'what="([^"]*)"', next(line for line in world.host_log.read_text().splitlines()
                                               if "file is damaged" in line)).group(1)
    assert f"age {page}" in damage and "\\n" not in damage and "***" not in damage


# ---- A disk that refuses ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def bad_disk(tmp_path_factory):
    """The shim's path."""
    out = tmp_path_factory.mktemp("shim") / "bad_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(out), str(HERE / "bad_disk.c"), "-ldl"], check=True)
    return out


def start_on(world, shim, how):
    """Ends by itself: its exit code and what it said."""
    environment = {**world.environment, "LD_PRELOAD": str(shim), "BAD_DISK": str(world.state), "BAD_DISK_HOW": how}
    done = subprocess.run([str(KLINKE), "run"], env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_a_start_on_a_disk_that_refuses(world, bad_disk):
    """Each time it says what is wrong, and the next start has every row."""
    world.start()
    hooks(world, "c", 10)
    world.kill_host()
    for how, code, says in (("full", 1, "disk is full"), ("readonly", 1, "Read-only file system")):
        assert world.klinke("check").returncode == 0
        returned, said = start_on(world, bad_disk, how)
        assert returned == code and says in said, f"{how}: {returned} {said}"
        assert "damaged" not in said and not (world.state / "damage.note").exists()
    with world.stuck_disk():
        done = subprocess.run([str(KLINKE), "run"], env=world.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 75 and "another program keeps the store locked" in done.stderr
    world.start_host()
    assert len(world.events("call.ended")) == 10
    hook(world, "afterwards")
    wait(lambda: len(world.events("call.ended")) == 11, "and it goes on")


def test_the_first_start_on_a_disk_that_refuses(world, bad_disk):
    """Half a beginning stands in nobody's way."""
    world.write_ini()
    for how in ("full", "readonly"):
        returned, said = start_on(world, bad_disk, how)
        assert returned == 1 and ("No space left" if how == "full" else "Read-only file system") in said or \
            "disk is full" in said, said
    world.start()
    assert hook(world, "first")[0] in (200, 204)


def test_a_disk_that_fills_up_is_told_by_readiness_and_not_once_for_each_webhook(world, bad_disk, tmp_path):
    full = tmp_path / "full"
    world.preload = {"LD_PRELOAD": str(bad_disk), "BAD_DISK": str(world.state), "BAD_DISK_HOW": "full",
                     "BAD_DISK_WHEN": str(full)}
    world.start()
    hooks(world, "before-", 1)
    full.touch()
    answers = together(*[lambda i=i: hook(world, f"lost-{i}") for i in range(30)])
    assert {status for status, *_ in answers} == {503}
    status, text, _ = request(world.port, "GET", "/readyz")
    assert status == 503 and b"disk is full" in text, text
    full.unlink()
    world.wait_for_host()  # no webhook was needed for that
    hooks(world, "after-", 1)
    told = wait(lambda: sum(map(int, re.findall("webhooks not stored.* count=([0-9]+)", world.log()))) == 30
                and re.findall(".*webhooks not stored.*", world.log()), "all of them are told")
    assert len(told) < 30 and all("disk is full" in line for line in told)


# ---- The doctor ---------------------------------------------------------------------------------------

def test_the_doctor_tells_what_is_broken(world, tmp_path):
    world.write_ini()
    found = doctor(world)
    assert findings(found, "state")[0]["result"] == "fail" and "start the host" in findings(found, "state")[0]["remedy"]
    world.start()
    world.state.chmod(0o755)
    found = findings(doctor(world), "state")[0]
    assert found["result"] == "fail" and found["remedy"] == f"chmod 700 {world.state}"
    world.state.chmod(0o700)
    assert findings(doctor(world), "backup")[0]["result"] == "warn"
    master = world.state / "keys" / "master.key"
    master.rename(tmp_path / "master.key")
    found = doctor(world)
    assert findings(found, "keys")[0]["result"] == "fail" and findings(found, "store")[0]["result"] == "fail"
    (tmp_path / "master.key").rename(master)
    world.stop_host()
    assert findings(doctor(world), "host")[0]["result"] == "warn"
    world.ini["host"]["integrity_check"] = "0"
    world.ini["connection phone"]["plugin"] = "nosuch"
    world.write_ini()
    found = doctor(world)
    assert findings(found, "configuration")[0]["result"] == "fail"
    assert findings(found, "store")[0]["result"] == "ok", "what does not need it is checked all the same"
