#!/usr/bin/env python3
"""Makes reference.md of klinke/plugin.h and klinke/sugar.h: every name with its declaration and what the
header says about it, linked with what it is made of and what uses it. Nothing is written here that is not in
the headers; Meson runs it, and the result beside this file must be the same.

    reference.py INCLUDE_DIRECTORY > reference.md
"""
import re
import sys
from pathlib import Path

NAME = re.compile(r"\b(?:kl|KL|KLINKE)_\w+")
OPEN = re.compile(r"^(?:typedef )?(?:struct|enum)\b[^;]*\{")
BANNER = re.compile(r"^/\* -{2,} (.*?)[ -]*(?:\*/)?$")


class Entry:
    """One declaration: its names, its text as in the header, the comment in front of it."""

    def __init__(self, kind, name, code, comment, names):
        self.kind, self.name, self.code, self.comment = kind, name, code, comment
        self.names = names  # all that can be linked to, itself first


def plain(comment):
    """The words of a comment, without its frame; indented lines stay lines."""
    lines = [re.sub(r"^\s*(?:/\*+|\*/|\*)? ?", "", line).rstrip() for line in comment.splitlines()]
    return re.sub(r"\s*\*/$", "", "\n".join(lines)).strip("\n")


def without_comments(code):
    return re.sub(r"/\*.*?\*/", lambda c: "\n" * c.group().count("\n"), code, flags=re.S)


def members(code):
    """Member names of a struct: fields, several in one line, and function pointers."""
    inside = without_comments(code[code.index("{") + 1:code.rindex("}")])
    found = []
    for one in inside.split(";"):
        pointer = re.search(r"\(\*(\w+)\)", one)
        if pointer:
            found.append(pointer.group(1))
        elif one.strip():
            found += re.findall(r"(\w+)\s*(?:,|$)", re.sub(r"\s+", " ", one).strip())
    return found


def constants(code):
    inside = without_comments(code[code.index("{") + 1:code.rindex("}")])
    return re.findall(r"\b(KL_\w+)", inside)


def read_comment(lines, at):
    end = at
    while "*/" not in lines[end]:
        end += 1
    return "\n".join(lines[at:end + 1]), end + 1


def read_braces(lines, at):
    """A declaration with braces, to the line that closes them."""
    depth, end = 0, at
    while True:
        bare = re.sub(r"/\*.*?(\*/|$)", "", lines[end])
        depth += bare.count("{") - bare.count("}")
        if depth == 0 and "}" in bare:
            return "\n".join(lines[at:end + 1]), end + 1
        end += 1


def read_macro(lines, at):
    end = at
    while lines[end].endswith("\\") or lines[end].count("/*") > lines[end].count("*/"):
        end += 1
    return "\n".join(lines[at:end + 1]), end + 1


def declared(code):
    """(kind, name, names) of a struct or enum."""
    if re.match(r"(?:typedef )?enum", code):
        name = re.match(r"(?:typedef )?enum (\w+)", code)
        listed = constants(code)
        return "enum", name.group(1) if name else listed[0], listed
    name = re.search(r"\}\s*(\w+);", code) or re.match(r"struct (\w+)", code)
    name = name.group(1)
    return "struct", name, [f"{name}.{m}" for m in members(code)]


def function(lines, at):
    """An inline helper: only its head is told."""
    end = at
    while "{" not in lines[end]:
        end += 1
    head = "\n".join(lines[at:end + 1]).split("{")[0].strip()
    _, after = read_braces(lines, at)
    head = re.sub(r"static inline (?:KL_UNUSED )?", "", head)
    return head + ";", re.search(r"(\w+)\s*\(", head).group(1), after


def entries(text):
    """Sections: (title, [entries]). A comment belongs to what stands right behind it."""
    lines = text.splitlines()
    intro, at = read_comment(lines, 0)
    sections, comment = [("", [])], ""
    while at < len(lines):
        line = lines[at]
        banner = BANNER.match(line)
        if banner:
            comment, at = read_comment(lines, at)
            comment = "\n".join(comment.splitlines()[1:])
            sections.append((banner.group(1), []))
            if comment:
                sections[-1][1].append(Entry("text", "", "", plain(comment), []))
            comment = ""
        elif line.startswith("/*"):
            comment, at = read_comment(lines, at)
        elif OPEN.match(line):
            code, at = read_braces(lines, at)
            kind, name, names = declared(code)
            sections[-1][1].append(Entry(kind, name, code, plain(comment), [name, *names]))
            comment = ""
        elif re.match(r"#define (KL_\w+)", line):
            name = re.match(r"#define (\w+)", line).group(1)
            code, at = read_macro(lines, at)
            known = [e for _, all_ in sections for e in all_ if e.name == name]
            if not known:
                sections[-1][1].append(Entry("macro", name, code, plain(comment), [name]))
            comment = ""
        elif line.startswith("typedef struct"):
            name = re.search(r"(\w+);", line).group(1)
            sections[-1][1].append(Entry("type", name, line, plain(comment), [name]))
            comment, at = "", at + 1
        elif line.startswith("static inline"):
            code, name, at = function(lines, at)
            sections[-1][1].append(Entry("function", name + "()", code, plain(comment), [name + "()"]))
            comment = ""
        else:
            comment, at = "", at + 1
    return plain(intro), [(title, all_) for title, all_ in sections if all_]


def merged(sections):
    """A type that is named before it is described is told once, where it is described."""
    described = {e.name for _, all_ in sections for e in all_ if e.kind == "struct"}
    return [(title, [e for e in all_ if e.kind != "type" or e.name not in described]) for title, all_ in sections]


def linked(names, where):
    return ", ".join(f"[`{n}`](#{where[n]})" for n in names)


def used(entry, where):
    own = set(entry.names)
    found = dict.fromkeys(n for n in NAME.findall(without_comments(entry.code)) if n in where and n not in own)
    return list(found)


def tell(entry, where, users, out):
    if entry.kind == "text":
        out += [entry.comment, ""]
        return
    anchors = "".join(f'<a id="{where[n]}"></a>' for n in dict.fromkeys(entry.names))
    out += [f"### {entry.name}", "", anchors, ""]
    if entry.comment:
        out += [entry.comment, ""]
    out += ["```c", entry.code, "```", ""]
    uses = used(entry, where)
    if uses:
        out += [f"Uses {linked(uses, where)}.", ""]
    if users.get(entry.name):
        out += [f"Used by {linked(users[entry.name], where)}.", ""]


def main():
    include = Path(sys.argv[1]) / "klinke"
    out = ["# Reference: klinke/plugin.h and klinke/sugar.h", "",
           "Made from the headers by `reference.py`; what is said here is said there. [The guide](../README.md) tells "
           "how to begin.", ""]
    headers = [(file, *entries((include / file).read_text())) for file in ("plugin.h", "sugar.h")]
    headers = [(file, intro, merged(sections)) for file, intro, sections in headers]
    everything = [e for _, _, sections in headers for _, all_ in sections for e in all_]
    where = {n: n.replace(".", "-").replace("()", "-function") for e in everything for n in e.names}
    users = {}
    for e in everything:
        for n in used(e, where):
            owner = next(o.name for o in everything if n in o.names)
            if owner != e.name and e.name not in users.setdefault(owner, []):
                users[owner].append(e.name)
    for file, _, sections in headers:
        for title, all_ in sections:
            names = [e.name for e in all_ if e.name]
            out += [f"- {file}{', ' + title if title else ''}: {linked(names, where)}"] if names else []
    for file, intro, sections in headers:
        out += ["", f"## {file}", "", "```text", intro, "```", ""]
        for title, all_ in sections:
            out += [f"## {title}", ""] if title else []
            for e in all_:
                tell(e, where, users, out)
    print(re.sub(r"\n{3,}", "\n\n", "\n".join(out)).rstrip())


main()
