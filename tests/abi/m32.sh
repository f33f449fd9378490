#!/bin/sh
# m32.sh GCC SOURCE - the SDK's headers, every bundled plugin and the samples for 32 bit: they
# compile without a warning, link with -nostdlib, and call nothing but mem* and str*. A 64-bit
# division, for one, would call libgcc's __divdi3, which nobody offers a plugin. 77: this machine
# cannot build for 32 bit.
gcc=$1 top=$2 faults=0 checked=0
flags="-std=c11 -fPIC -fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE -Wall -Wextra -Wshadow -Werror"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

printf '#include <string.h>\nint main(void) { return (int)strlen(""); }\n' >"$work/probe.c"
"$gcc" -m32 "$work/probe.c" -o "$work/probe" 2>/dev/null || {
	echo "no 32-bit compiler here: install gcc-multilib"
	exit 77
}

fault() {
	echo "$*"
	faults=$((faults + 1))
}

for header in "$top"/sdk/include/klinke/*.h; do
	for standard in c99 c11; do
		"$gcc" -m32 -std=$standard -pedantic -Wall -Wextra -Werror -I "$top/sdk/include" -x c \
			-fsyntax-only "$header" || fault "$header: not clean as $standard"
	done
done

# An optimiser may hide a helper, or ask for one: both ways.
for plugin in calcom_v1 calcom_v2 fields http retell whatsapp pager names; do
	sources="$top/plugins/$plugin/*.c"
	case $plugin in
	calcom_*) sources="$sources $top/plugins/calcom/*.c" ;;
	pager | names) sources=$top/sdk/samples/$plugin.c ;;
	esac
	for level in 0 2; do
		out=$work/$plugin-$level.so
		# shellcheck disable=SC2086
		"$gcc" -m32 -O$level $flags -I "$top/sdk/include" -shared -nostdlib $sources -o "$out" || {
			fault "$plugin, -O$level: does not build"
			continue
		}
		wants=$(nm -D --undefined-only "$out" | sed 's/.* //' | grep -vE '^(mem|str)[a-z]+$')
		[ -z "$wants" ] || fault "$plugin, -O$level: calls" $wants
		nm -D --defined-only "$out" | grep -q ' T klinke_plugin_v1$' ||
			fault "$plugin, -O$level: has no entry point"
		checked=$((checked + 1))
	done
done
echo "$checked builds of plugins, $faults faults"
[ $faults = 0 ] && [ $checked = 16 ]
