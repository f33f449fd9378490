#!/usr/bin/env python3
"""Every member of sdk/samples/klinke.rs lies where the C header has it.

    rust_offsets.py RUSTC KLINKE.RS OFFSETS.TXT

A program is made of the golden table and run: Rust says itself where its members are.
"""
import pathlib
import subprocess
import sys
import tempfile

OTHER_NAMES = {"kl_option": "Setting"}  # Option is Rust's own
WITH_LIFETIME = {"Reply", "Step"}
HEAD = """#![allow(dead_code)]
#[path = "%s"] mod klinke;
use klinke::*;
macro_rules! member { ($s:ty, $m:ident, $want:expr) => {{
    let space = core::mem::MaybeUninit::<$s>::uninit();
    let at = space.as_ptr();
    let is = unsafe { core::ptr::addr_of!((*at).$m) as usize - at as usize };
    if is != $want { println!("{}.{}: {} is at {}", stringify!($s), stringify!($m), $want, is); }
}} }
macro_rules! size { ($s:ty, $want:expr) => {{
    let is = core::mem::size_of::<$s>();
    if is != $want { println!("{}: has {} bytes, not {}", stringify!($s), is, $want); }
}} }
fn main() {
"""


def rust_type(struct):
    name = OTHER_NAMES.get(struct) or struct[len("kl_"):].capitalize()
    return name + "<'static>" if name in WITH_LIFETIME else name


def lines(golden, column):
    for line in golden.read_text().splitlines()[1:]:
        what, offset = line.split()[0], line.split()[column]
        struct, _, member = what.partition(".")
        member = "r#type" if member == "type" else member
        yield f"member!({rust_type(struct)}, {member}, {offset});" if member else \
            f"size!({rust_type(struct)}, {offset});"


def main():
    rustc, binding, golden = sys.argv[1], *map(pathlib.Path, sys.argv[2:4])
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
    columns = golden.read_text().splitlines()[0].split()[2:]
    if machine not in columns:
        sys.exit(f"{golden} has no column for {machine}")
    checks = list(lines(golden, 1 + columns.index(machine)))
    with tempfile.TemporaryDirectory() as where:
        source, program = pathlib.Path(where, "offsets.rs"), pathlib.Path(where, "offsets")
        source.write_text(HEAD % binding.resolve() + "\n".join(checks) + "\n}\n")
        subprocess.run([rustc, "--edition", "2021", "-o", program, source], check=True)
        out = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    print(out + f"{len(checks)} lines")
    sys.exit(1 if out or len(checks) < 100 else 0)


main()
