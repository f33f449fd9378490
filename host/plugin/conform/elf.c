/* elf.c - what a plugin's file says before any of its code runs: exported and imported symbols.
 *
 * Reads bytes, trusts none of them. Never loads anything. One thread. */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "plugin/conform/kit.h"

#if UINTPTR_MAX > UINT32_MAX
#define OUR_CLASS ELFCLASS64
#define SYMBOL_BIND(info) ELF64_ST_BIND(info)
#else
#define OUR_CLASS ELFCLASS32
#define SYMBOL_BIND(info) ELF32_ST_BIND(info)
#endif

struct symbols {
	struct str file;
	ElfW(Shdr) table, names;
	size_t count;
};

static bool read_at(struct str file, void *to, uint64_t at, size_t n)
{
	if (at > file.len || n > file.len - at)
		return false;
	memcpy(to, file.ptr + at, n);
	return true;
}

bool elf_is_ours(const struct kit *kit)
{
	ElfW(Ehdr) head, own;
	FILE *self = fopen("/proc/self/exe", "rb");
	bool known = self && fread(&own, sizeof(own), 1, self) == 1;

	if (self)
		fclose(self);
	return read_at(kit->file, &head, 0, sizeof(head)) &&
	       memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == OUR_CLASS &&
	       head.e_type == ET_DYN && (!known || head.e_machine == own.e_machine);
}

static bool find_table(struct symbols *s, struct str file, uint32_t type)
{
	ElfW(Ehdr) head;
	unsigned i;

	*s = (struct symbols){.file = file};
	if (!read_at(file, &head, 0, sizeof(head)) || head.e_shentsize != sizeof(s->table))
		return false;
	for (i = 0; i < head.e_shnum; i++) {
		if (!read_at(file, &s->table, head.e_shoff + (uint64_t)i * sizeof(s->table),
			    sizeof(s->table)))
			return false;
		if (s->table.sh_type != type)
			continue;
		s->count = s->table.sh_size / sizeof(ElfW(Sym));
		return read_at(file, &s->names,
			head.e_shoff + (uint64_t)s->table.sh_link * sizeof(s->table),
			sizeof(s->names));
	}
	return false;
}

/* NULL: none, or a broken one. */
static const char *nth(const struct symbols *s, size_t i, ElfW(Sym) * symbol)
{
	uint64_t at;

	if (!read_at(s->file, symbol, s->table.sh_offset + i * sizeof(*symbol), sizeof(*symbol)))
		return NULL;
	at = s->names.sh_offset + symbol->st_name;
	if (at >= s->file.len || !memchr(s->file.ptr + at, 0, s->file.len - at))
		return NULL;
	return s->file.ptr + at;
}

const char *elf_symbol(const struct kit *kit, uint64_t address)
{
	struct symbols s;
	ElfW(Sym) symbol;
	size_t i;

	if (!find_table(&s, kit->file, SHT_SYMTAB))
		return NULL;
	for (i = 0; i < s.count; i++) {
		const char *name = nth(&s, i, &symbol);
		if (name && *name && (symbol.st_info & 15) == STT_OBJECT &&
			address >= symbol.st_value && address < symbol.st_value + symbol.st_size)
			return name;
	}
	return NULL;
}

bool elf_is_instrumented(const struct kit *kit)
{
	struct symbols s;
	ElfW(Sym) symbol;
	size_t i;

	if (!find_table(&s, kit->file, SHT_DYNSYM))
		return false;
	for (i = 1; i < s.count; i++) {
		const char *name = nth(&s, i, &symbol);
		if (name && (strncmp(name, "__asan_", 7) == 0 ||
				    strncmp(name, "__sanitizer_cov_", 16) == 0))
			return true;
	}
	return false;
}

static bool is_among(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* ---- exports ------------------------------------------------------------------------------ */

static bool is_exported(const char *name, const ElfW(Sym) * symbol)
{
	static const char *const linkers[] = {
		"_init", "_fini", "_edata", "_end", "__bss_start", "__end__", NULL};
	unsigned visibility = symbol->st_other & 3, bind = SYMBOL_BIND(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF && bind != STB_LOCAL &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED) &&
	       !is_among(name, linkers) && (symbol->st_info & 15) != STT_SECTION;
}

void check_exports(struct kit *kit)
{
	struct symbols s;
	struct buf others;
	ElfW(Sym) symbol;
	unsigned count = 0;
	size_t i;

	buf_init(&others, 4096);
	if (!find_table(&s, kit->file, SHT_DYNSYM))
		kit_find(kit, "exports", false, "section .dynsym",
			"link it with cc -shared, and strip it with strip -S at most",
			"the file has no table of dynamic symbols");
	for (i = 1; i < s.count; i++) {
		const char *name = nth(&s, i, &symbol);
		if (!name || !*name || !is_exported(name, &symbol) ||
			strncmp(name, "klinke_plugin_v", 15) == 0)
			continue;
		if (count++ < 8)
			buf_printf(&others, "%s%s", others.len ? ", " : "", name);
	}
	if (count)
		kit_find(kit, "exports", false, "dynamic symbols",
			"compile with -fvisibility=hidden; KL_PLUGIN() exports the entry point, "
			"and "
			"nothing else may be seen",
			"it exports %u more than its entry point: %s%s", count,
			others.ptr ? others.ptr : "", count > 8 ? ", ..." : "");
	buf_finish(&others);
}

/* ---- imports ------------------------------------------------------------------------------ */

enum import { IMPORT_FREE, IMPORT_WORKER, IMPORT_HELPER, IMPORT_NEVER };

/* They look like mem* and str*, and are not pure, or not the same everywhere. */
static const char *const not_pure[] = {"memfd_create", "strtok", "strerror", "strerror_r",
	"strerror_l", "strsignal", "strdup", "strndup", "strftime", "strptime", "strcoll",
	"strxfrm", "strfmon", "strfry", "memfrob", NULL};

/* State, clock, chance, the outside: what the host is for. */
static const char *const never[] = {"socket", "socketpair", "connect", "bind", "listen", "accept",
	"accept4", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg", "getaddrinfo",
	"gethostbyname", "open", "open64", "openat", "creat", "fopen", "fopen64", "fdopen",
	"freopen", "opendir", "read", "write", "pread", "pwrite", "readv", "writev", "stat",
	"fstat", "lstat", "access", "unlink", "rename", "mkdir", "fork", "vfork", "clone",
	"posix_spawn", "posix_spawnp", "execl", "execlp", "execle", "execv", "execve", "execvp",
	"system", "popen", "kill", "raise", "ptrace", "signal", "sigaction", "time", "clock",
	"gettimeofday", "clock_gettime", "timespec_get", "localtime", "localtime_r", "mktime",
	"ctime", "ftime", "times", "getpid", "rand", "rand_r", "random", "srand", "srandom",
	"drand48", "lrand48", "getrandom", "getentropy", "arc4random", "getenv", "secure_getenv",
	"setenv", "putenv", "environ", "setlocale", "pthread_create", "thrd_create", "dlopen",
	"dlsym", "dlmopen", "sleep", "usleep", "nanosleep", "clock_nanosleep", "poll", "select",
	"epoll_create1", "timer_create", "alarm", "setitimer", "exit", "_exit", "_Exit",
	"quick_exit", "atexit", "printf", "vprintf", "puts", "putchar", "fputs", "fprintf",
	"vfprintf", "fwrite", "perror", "stdout", "stderr", "stdin", "syslog", "mmap", "mmap64",
	"mprotect", "syscall", "ioctl", "strtok", "memfd_create", "longjmp", "setrlimit", "prctl",
	NULL};

static enum import import_kind(const char *name)
{
	static const char *const begins[] = {
		"__asan_", "__ubsan_", "__tsan_", "__msan_", "__sanitizer_", "__sancov_", NULL};
	size_t i, len = strlen(name);

	if (is_among(name, never))
		return IMPORT_NEVER;
	for (i = 0; begins[i]; i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return IMPORT_HELPER;
	if (strcmp(name, "__stack_chk_fail") == 0 ||
		(len > 6 && name[0] == '_' && strcmp(name + len - 4, "_chk") == 0))
		return IMPORT_HELPER;
	if ((strncmp(name, "mem", 3) == 0 || strncmp(name, "str", 3) == 0) &&
		!is_among(name, not_pure))
		return IMPORT_FREE;
	return IMPORT_WORKER;
}

static void add_name(struct buf *list, const char *name)
{
	if (list->len < 300)
		buf_printf(list, "%s%s", list->len ? ", " : "", name);
	else if (list->ptr[list->len - 1] != '.')
		buf_add_text(list, ", ...");
}

static void tell_imports(struct kit *kit, const struct buf *lists)
{
	if (lists[IMPORT_NEVER].len)
		kit_find(kit, "imports", false, "dynamic symbols",
			"leave files, sockets, clocks, chance and output to the host: c->now_ms is "
			"the "
			"clock, c->seed the chance, KL_SEND the network, c->host->log() the output",
			"it imports %s", lists[IMPORT_NEVER].ptr);
	if (lists[IMPORT_HELPER].len)
		kit_find(kit, "imports", true, "dynamic symbols",
			"for a file to give away compile with -U_FORTIFY_SOURCE "
			"-fno-stack-protector, "
			"and without a sanitizer",
			"its compiler added %s", lists[IMPORT_HELPER].ptr);
	if (lists[IMPORT_WORKER].len)
		kit_find(kit, "imports", true, "dynamic symbols",
			"link with -nostdlib and use mem*, str* and c->host only: then one file "
			"runs "
			"under every libc",
			"it imports %s: it needs isolation = worker, and a machine with that "
			"library",
			lists[IMPORT_WORKER].ptr);
	if (!lists[IMPORT_NEVER].len && !lists[IMPORT_WORKER].len)
		kit->note = "any isolation will do";
	else
		kit->note = "isolation = worker";
}

void check_imports(struct kit *kit)
{
	struct buf lists[4];
	struct symbols s;
	ElfW(Sym) symbol;
	size_t i;

	for (i = 0; i < 4; i++)
		buf_init(&lists[i], 4096);
	find_table(&s, kit->file, SHT_DYNSYM);
	for (i = 1; i < s.count; i++) {
		const char *name = nth(&s, i, &symbol);
		/* weak: the compiler's own questions, answered or not */
		if (name && *name && symbol.st_shndx == SHN_UNDEF &&
			SYMBOL_BIND(symbol.st_info) != STB_WEAK)
			add_name(&lists[import_kind(name)], name);
	}
	tell_imports(kit, lists);
	for (i = 0; i < 4; i++)
		buf_finish(&lists[i]);
}
