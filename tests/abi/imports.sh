#!/bin/sh
# imports.sh PLUGIN.so... - each exports its entry point alone, needs no library, runs nothing when
# it is loaded, and imports nothing but mem* and str*: so it loads under any libc.
faults=0
fault() {
	echo "$*"
	faults=$((faults + 1))
}
for file; do
	wants=$(nm -D --undefined-only "$file" | awk '{print $2}' | grep -vE '^(mem|str)[a-z]+$')
	[ -z "$wants" ] || fault "$file imports" $wants
	exported=$(nm -D --defined-only "$file" | awk '{print $3}')
	[ "$exported" = klinke_plugin_v1 ] || fault "$file exports" $exported
	readelf -Wd "$file" >"${TMPDIR:-/tmp}/imports.$$" || fault "$file is no ELF file"
	grep -E '\((NEEDED|INIT|INIT_ARRAY|FINI|FINI_ARRAY|TEXTREL|VERNEED)\)' "${TMPDIR:-/tmp}/imports.$$" &&
		fault "$file has what is above"
done
rm -f "${TMPDIR:-/tmp}/imports.$$"
echo "$# plugins, $faults faults"
[ $faults = 0 ] && [ $# -gt 0 ]
