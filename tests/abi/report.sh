#!/bin/sh
# report.sh SOURCE - what abidiff says of the header's types: each header of the museum against
# today's. Additions at a struct's tail are changes and may be; what is gone may not. A header that is
# broken on purpose must be noticed, or the tool does not see what we believe it sees.
source=$1 here=$(cd "$(dirname "$0")" && pwd) faults=0 compared=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
command -v abidiff >/dev/null || {
	echo "abidiff is missing: install abigail-tools"
	exit 1
}

types() { # types INCLUDE NAME: every type of that header, as a library with debug information
	gcc -std=c11 -g -fno-eliminate-unused-debug-types -fPIC -shared -nostdlib -I "$1" \
		-o "$work/$2.so" "$here/types.c" || exit 1
}

types "$source/sdk/include" today
for room in "$here"/museum/*/; do
	name=$(basename "$room")
	types "$room" "$name"
	echo "== $name -> today"
	abidiff "$work/$name.so" "$work/today.so"
	case $? in
	0) echo "no type changed" ;;
	4) ;; # what changed stands above
	*) faults=$((faults + 1)) ;;
	esac
	compared=$((compared + 1))
done

mkdir -p "$work/broken/klinke"
for break in 's/int64_t at_ms; .*/int32_t at_ms, rest;/' 's/KL_BAD_AUTH,/KL_OTHER, KL_BAD_AUTH,/' \
	's/void (\*row)(kl_call \*, const kl_val \*)/void (*row)(kl_call *, kl_str)/'; do
	sed "$break" "$source/sdk/include/klinke/plugin.h" >"$work/broken/klinke/plugin.h"
	types "$work/broken" broken
	abidiff "$work/today.so" "$work/broken.so" >/dev/null && {
		echo "abidiff does not see $break"
		faults=$((faults + 1))
	}
done
echo "$compared headers compared, $faults faults"
[ $faults = 0 ] && [ $compared -gt 0 ]
