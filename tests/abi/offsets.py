#!/usr/bin/env python3
"""Where every member of the ABI's structs lies on each kind of machine, against offsets.txt.

    offsets.py CLANG INCLUDE GOLDEN           compare; 1 if anything moved
    offsets.py CLANG INCLUDE GOLDEN --write   after a deliberate addition at a struct's tail

The compiler is asked, not a running program, so that one machine answers for all. Padding at a
struct's tail is refused: a member added there later would lie where old code believes nothing to
be, and size would not show it.
"""
import re
import subprocess
import sys

TARGETS = {
    "x86_64": ("x86_64-linux-gnu", 8),
    "i386": ("i386-linux-gnu", 4),
    "aarch64": ("aarch64-linux-gnu", 8),
    "armv7": ("armv7-linux-gnueabihf", 4),
    "riscv64": ("riscv64-linux-gnu", 8),
}
SCALARS = {"uint32_t": 4, "int32_t": 4, "int64_t": 8, "uint64_t": 8, "double": 8}

# A function pointer is printed as "type (*)(arguments) name"; a nested struct's own members are
# indented further and belong to that struct's table.
MEMBER = re.compile(r"^\s*(\d+) \|   (?! )(.*[ *)])(\w+)$")
RECORD = re.compile(r"^\s*0 \| struct (kl_\w+)$")
SIZE = re.compile(r"sizeof=(\d+)")


def dump(clang, include, target):
    """{struct: (size, [(member, type, offset)])} as clang lays them out for target."""
    command = [clang, "-target", target, "-ffreestanding", "-std=c99", "-Wall", "-Wextra",
               "-pedantic", "-Werror", "-I", include, "-x", "c", "-fsyntax-only",
               "-Xclang", "-fdump-record-layouts-complete", "-"]
    source = "#include <klinke/plugin.h>\n"
    out = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    if out.returncode:
        sys.exit(f"{target}: the header does not compile alone:\n{out.stderr}")
    structs, name, members = {}, None, []
    for line in out.stdout.splitlines():
        record, member, size = RECORD.match(line), MEMBER.match(line), SIZE.search(line)
        if record:
            name, members = record[1], []
        elif name and member:
            members.append((member[3], member[2].strip(), int(member[1])))
        elif name and size:
            structs[name] = (int(size[1]), members)
            name = None
    return structs


def width(kind, pointer, structs):
    """Bytes that a member of this type takes."""
    if kind.endswith("*") or "(*)" in kind:
        return pointer
    plain = kind.replace("const ", "").replace("struct ", "").split(":")[0].strip()
    return SCALARS[plain] if plain in SCALARS else structs[plain][0]


def tail_padding(structs, pointer):
    for name, (size, members) in structs.items():
        member, kind, offset = members[-1]
        end = offset + width(kind, pointer, structs)
        if end != size:
            yield f"{name}: {size - end} bytes of padding behind {member}"


def table(layouts):
    """One line a member: its offset on each target; then the struct's size."""
    yield "# struct.member " + " ".join(TARGETS)
    first = layouts["x86_64"]
    for name in sorted(first):
        for i, (member, _, _) in enumerate(first[name][1]):
            yield f"{name}.{member} " + " ".join(
                str(layouts[t][name][1][i][2]) for t in TARGETS)
        yield f"{name} " + " ".join(str(layouts[t][name][0]) for t in TARGETS)


def main():
    clang, include, golden = sys.argv[1:4]
    layouts = {t: dump(clang, include, triple) for t, (triple, _) in TARGETS.items()}
    if len(layouts["x86_64"]) < 20:
        sys.exit(f"only {len(layouts['x86_64'])} structs found: is this clang's dump another one?")
    padding = [f"{t}: {fault}" for t, (_, pointer) in TARGETS.items()
               for fault in tail_padding(layouts[t], pointer)]
    now = list(table(layouts))
    if "--write" in sys.argv:
        with open(golden, "w", encoding="utf-8") as file:
            file.write("\n".join(now) + "\n")
    with open(golden, encoding="utf-8") as file:
        then = file.read().splitlines()
    gone = [f"was: {line}" for line in then if line not in now]
    new = [f"is:  {line}" for line in now if line not in then]
    for line in padding + gone + new:
        print(line)
    print(f"{len(layouts['x86_64'])} structs, {len(now) - 1} lines, {len(TARGETS)} machines")
    sys.exit(1 if padding or gone or new else 0)


main()
