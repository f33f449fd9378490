"""Faults to order: which request or webhook goes wrong, how, and how often."""
import json
from fnmatch import fnmatchcase

ACTIONS = {"delay_ms", "status", "body", "headers", "act", "close_before", "close_after",
           "truncate", "non_json", "huge", "slow_drip_ms", "twice", "lose", "wrong_signature"}
MATCHES = {"vendor", "method", "path", "event", "count", "skip"}
ON_HOOKS = {"twice", "lose", "wrong_signature"}


class Faults:
    def __init__(self, store):
        self.store = store

    def add(self, rule):
        """Returns the id. ValueError names what is wrong with the rule."""
        unknown = set(rule) - ACTIONS - MATCHES
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)}; known are "
                             f"{sorted(ACTIONS | MATCHES)}")
        if not set(rule) & ACTIONS:
            raise ValueError(f"says nothing to do; give one of {sorted(ACTIONS)}")
        if "event" in rule and not set(rule) & (ON_HOOKS | {"delay_ms"}):
            raise ValueError(f"webhooks (key \"event\") know only {sorted(ON_HOOKS)} and delay_ms")
        if set(rule) & ON_HOOKS:
            rule.setdefault("event", "*")
        count = rule.get("count", 1)
        cursor = self.store.run("INSERT INTO fault(rule, skip, left_over) VALUES(?,?,?)",
                                json.dumps(rule), rule.get("skip", 0), count or None)
        return cursor.lastrowid

    def list(self):
        rows = self.store.rows("SELECT * FROM fault ORDER BY id")
        return [dict(json.loads(row["rule"]), id=row["id"], left=row["left_over"])
                for row in rows]

    def clear(self, number=None):
        if number is None:
            self.store.run("DELETE FROM fault")
        else:
            self.store.run("DELETE FROM fault WHERE id=?", number)

    def for_request(self, vendor, method, path):
        return self._take(lambda rule: "event" not in rule
                          and rule.get("method", method).upper() == method
                          and fnmatchcase(path, rule.get("path", "*")), vendor)

    def for_hook(self, vendor, event):
        return self._take(lambda rule: "event" in rule
                          and fnmatchcase(event, rule["event"]), vendor)

    def _take(self, fits, vendor):
        """The first rule that fits and is not used up, or {}; uses it up by one."""
        if self.store.row("SELECT 1 FROM fault LIMIT 1") is None:
            return {}
        with self.store.write() as db:
            for row in db.execute("SELECT * FROM fault ORDER BY id").fetchall():
                rule = json.loads(row["rule"])
                if not vendor.startswith(rule.get("vendor", "")) or not fits(rule):
                    continue
                if row["left_over"] == 0:
                    continue
                if row["skip"] > 0:
                    db.execute("UPDATE fault SET skip=skip-1 WHERE id=?", (row["id"],))
                    return {}
                db.execute("UPDATE fault SET left_over=left_over-1 WHERE id=?", (row["id"],))
                return rule
        return {}
