#!/bin/sh
# headers.sh SDK-INCLUDE USES.c - each public header compiles alone, and a source that uses every
# macro of them does, without a warning: in every dialect of C and C++ that we promise, with gcc and
# clang, with and without a libc, and for the machines a plugin may run on. Those need no libraries
# here: without a libc only the compiler's own headers are read.
include=$1 uses=$2 checked=0 faults=0

compile() { # compile COMPILER DIALECT OPTIONS...
	compiler=$1 dialect=$2
	shift 2
	case $dialect in *++*) language=c++ ;; *) language=c ;; esac
	for source in "$include"/klinke/*.h "$uses"; do
		checked=$((checked + 1))
		"$compiler" -x $language -std="$dialect" -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
			-I "$include" "$@" "$source" || {
			echo "$source: not clean: $compiler -std=$dialect $*"
			faults=$((faults + 1))
		}
	done
}

each_dialect() { # each_dialect C-COMPILER C++-COMPILER OPTIONS...
	c=$1 cxx=$2
	shift 2
	for standard in c99 c11 c2x; do compile "$c" $standard "$@"; done
	for standard in c++11 c++17 c++20; do compile "$cxx" $standard "$@"; done
}

each_dialect gcc g++
each_dialect clang clang++
each_dialect gcc g++ -ffreestanding
each_dialect clang clang++ -ffreestanding
[ "$(uname -m)" != x86_64 ] || each_dialect gcc g++ -ffreestanding -m32
for target in x86_64-linux-gnu i386-linux-gnu aarch64-linux-gnu armv7-linux-gnueabihf riscv64-linux-gnu; do
	each_dialect clang clang++ -ffreestanding --target=$target
done
echo "$checked compilations, $faults faults"
[ $faults = 0 ] && [ $checked -ge 160 ]
