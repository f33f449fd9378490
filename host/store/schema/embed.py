"""Writes the migrations, in order of their numbers, as a C table: embed.py OUT.c NNNN_name.sql..."""

import os
import re
import sys


def array(number, text):
    """As numbers: a compiler need not take a literal of more than 4095 characters."""
    data = [str(byte) for byte in text.encode()] + ["0"]
    lines = [", ".join(data[i : i + 24]) for i in range(0, len(data), 24)]
    return f"static const char sql_{number}[] = {{\n\t" + ",\n\t".join(lines) + "};\n"


def main(out, *paths):
    arrays, entries = [], []
    for expected, path in enumerate(sorted(paths, key=os.path.basename), 1):
        name = os.path.basename(path)
        match = re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", name)
        if not match or int(match[1]) != expected:
            sys.exit(f"{name}: migrations are NNNN_name.sql, numbered 1, 2, 3 without a gap")
        with open(path, encoding="utf-8") as file:
            arrays.append(array(expected, file.read()))
        entries.append(f'\t{{{expected}, "{name}", sql_{expected}}},\n')
    with open(out, "w", encoding="utf-8") as file:
        file.write('/* Made from schema/ by schema/embed.py. */\n#include "store/migrate.h"\n\n')
        file.write("\n".join(arrays) + "\n")
        file.write("const struct migration store_migrations[] = {\n" + "".join(entries) + "};\n")
        file.write(f"const unsigned store_migration_count = {len(entries)};\n")


main(*sys.argv[1:])
