"""What a request, an answer and a route are; shared by all vendors."""
import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit


class Request:
    """One received request. path is relative to the vendor's base, full_path is not."""

    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method = method
        self.full_path = unquote(parts.path)
        self.path = self.full_path
        self.raw_query = parts.query
        self.pairs = parse_qsl(parts.query, keep_blank_values=True)
        self.query = dict(self.pairs)
        self.headers = headers  # names in lower case
        self.body = body

    def json(self, otherwise=None):
        """The body as JSON; otherwise when it is empty. Raises ValueError when it is neither."""
        if not self.body.strip():
            return otherwise
        return json.loads(self.body)

    def bearer(self):
        """The token of the Authorization header; None without the word Bearer."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


class Answer(Exception):
    """An answer; raised where the rest of the handler must not run (nothing is stored then)."""

    def __init__(self, status, body=None, headers=None, content_type="application/json"):
        super().__init__(status)
        self.status = status
        self.headers = dict(headers or {})
        self.content_type = content_type
        self.body = body if isinstance(body, bytes) else dump(body)


def dump(value):
    """Compact JSON as JavaScript prints it: real UTF-8, no blanks. None: no body at all."""
    if value is None:
        return b""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Router:
    """Routes in the order they were added; {name} is one path segment."""

    def __init__(self):
        self.routes = []

    def on(self, method, pattern, **facts):
        expression = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

        def add(function):
            self.routes.append((method, re.compile(expression + r"/?\Z"), function, facts))
            return function
        return add

    def find(self, method, path):
        """(function, arguments, facts), or (None, methods that path has, {})."""
        others = []
        for known, expression, function, facts in self.routes:
            match = expression.match(path)
            if match and known == method:
                return function, match.groupdict(), facts
            if match:
                others.append(known)
        return None, others, {}
