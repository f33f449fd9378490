"""The sandbox's memory: one SQLite file, committed before an answer leaves.

One connection behind one lock; a vendor's handler runs inside one transaction, so that a
kill -9 leaves either all of its effects or none.
"""
import json
import os
import sqlite3
import threading
from contextlib import contextmanager

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS thing(kind TEXT, id TEXT, value TEXT NOT NULL, PRIMARY KEY(kind, id));
CREATE TABLE IF NOT EXISTS booking(
  id INTEGER PRIMARY KEY, uid TEXT UNIQUE NOT NULL, event_type INTEGER NOT NULL,
  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, status TEXT NOT NULL,
  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS busy(
  user INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
  booking INTEGER, note TEXT);
CREATE INDEX IF NOT EXISTS busy_user ON busy(user, start_ms);
CREATE INDEX IF NOT EXISTS busy_booking ON busy(booking);
CREATE TABLE IF NOT EXISTS reservation(
  uid TEXT PRIMARY KEY, event_type INTEGER NOT NULL, user INTEGER NOT NULL,
  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
  minutes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS message(
  wamid TEXT PRIMARY KEY, direction TEXT NOT NULL, number_id TEXT NOT NULL,
  person TEXT NOT NULL, type TEXT NOT NULL, opaque TEXT, status TEXT NOT NULL,
  at_ms INTEGER NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hook(
  id INTEGER PRIMARY KEY, vendor TEXT NOT NULL, event TEXT NOT NULL, url TEXT NOT NULL,
  secret TEXT, headers TEXT NOT NULL, body BLOB NOT NULL, made_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
  tries INTEGER NOT NULL DEFAULT 0, last TEXT, wrong INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS hook_due ON hook(state, due_ms);
CREATE TABLE IF NOT EXISTS request(
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, vendor TEXT NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, query TEXT NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL,
  status INTEGER NOT NULL, fault TEXT);
CREATE TABLE IF NOT EXISTS fault(
  id INTEGER PRIMARY KEY, rule TEXT NOT NULL, skip INTEGER NOT NULL, left_over INTEGER);
"""
TABLES = ("meta", "thing", "booking", "busy", "reservation", "message", "hook", "request", "fault")


class Store:
    """Create with a directory. All methods may be called from any thread."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.lock = threading.RLock()
        path = os.path.join(directory, "sandbox.sqlite")
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        # NORMAL in WAL survives the death of the process, which is all that is promised here.
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)

    @contextmanager
    def write(self):
        """A transaction; nested ones join the outer one. An exception undoes all of it."""
        with self.lock:
            if self.db.in_transaction:
                yield self.db
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    def run(self, sql, *values):
        with self.write() as db:
            return db.execute(sql, values)

    def rows(self, sql, *values):
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    def row(self, sql, *values):
        with self.lock:
            return self.db.execute(sql, values).fetchone()

    def get(self, key, otherwise=None):
        row = self.row("SELECT value FROM meta WHERE key=?", key)
        return json.loads(row["value"]) if row else otherwise

    def put(self, key, value):
        self.run("INSERT OR REPLACE INTO meta VALUES(?,?)", key, json.dumps(value))

    def thing(self, kind, name):
        row = self.row("SELECT value FROM thing WHERE kind=? AND id=?", kind, str(name))
        return json.loads(row["value"]) if row else None

    def things(self, kind):
        rows = self.rows("SELECT value FROM thing WHERE kind=? ORDER BY rowid", kind)
        return [json.loads(row["value"]) for row in rows]

    def keep(self, kind, name, value):
        self.run("INSERT INTO thing VALUES(?,?,?) ON CONFLICT(kind,id) "
                 "DO UPDATE SET value=excluded.value", kind, str(name), json.dumps(value))

    def drop(self, kind, name):
        sql = "DELETE FROM thing WHERE kind=? AND id=?"
        return self.run(sql, kind, str(name)).rowcount > 0

    def clear(self):
        with self.write() as db:
            for table in TABLES:
                db.execute(f"DELETE FROM {table}")

    def close(self):
        with self.lock:
            self.db.close()
