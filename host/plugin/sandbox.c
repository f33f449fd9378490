/* sandbox.c - limits, user, Landlock and seccomp of a worker.
 *
 * Filters are compiled once, in the zygote, and installed by the workers with plain system calls,
 * so that starting one costs no compilation. Runs in the zygote and in workers, which have one
 * thread. Never runs in the host's own process.
 */
#include "plugin/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MY_PID 0x7a7b7c7du /* in a filter: replaced by the worker's own process id */
#define NOBODY 65534
#define LOAD_CPU_S 10 /* for constructors; afterwards the host watches the time */

struct filter {
	struct sock_filter *code;
	unsigned short len; /* 0: there is none */
};

struct sandbox {
	struct filter coarse, narrow;
	int landlock;                         /* version of its interface; 0: none */
	const char *no_seccomp, *no_landlock; /* why */
};

/* ---- seccomp: compiling ------------------------------------------------------------------- */

/* Names, not numbers: each machine has its own set, and what it lacks is passed over. */
static void add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names)
{
	for (; *names; names++) {
		int number = seccomp_syscall_resolve_name(*names);
		if (number != __NR_SCMP_ERROR)
			seccomp_rule_add(ctx, action, number, 0);
	}
}

/* Only with this value in one argument; the libraries' macros for it are no ISO C. */
static void add_if(scmp_filter_ctx ctx, const char *name, unsigned argument, uint32_t value)
{
	struct scmp_arg_cmp compare = {argument, SCMP_CMP_EQ, value, 0};
	int number = seccomp_syscall_resolve_name(name);

	if (number != __NR_SCMP_ERROR)
		seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 1, &compare);
}

/* Only with none of these bits in one argument. */
static void add_unless(scmp_filter_ctx ctx, const char *name, unsigned argument, uint32_t bits)
{
	struct scmp_arg_cmp compare = {argument, SCMP_CMP_MASKED_EQ, bits, 0};
	int number = seccomp_syscall_resolve_name(name);

	if (number != __NR_SCMP_ERROR)
		seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 1, &compare);
}

/* abort() and the like send signals to themselves; nobody else's process is theirs. */
static void add_self_signals(scmp_filter_ctx ctx)
{
	add_if(ctx, "tgkill", 0, MY_PID);
	add_if(ctx, "kill", 0, MY_PID);
}

static const char *const always[] = {"brk", "clock_getres", "clock_getres_time64", "clock_gettime",
	"clock_gettime64", "exit", "exit_group", "futex", "futex_time64", "getpid", "getrandom",
	"gettid", "gettimeofday", "madvise", "mremap", "munmap", "restart_syscall",
	"rt_sigprocmask", "rt_sigreturn", "sched_yield", "sigprocmask", "sigreturn", "time", NULL};

static void add_coarse(scmp_filter_ctx ctx)
{
	static const char *const loading[] = {"_llseek", "access", "arch_prctl", "arm_fadvise64_64",
		"cacheflush", "close", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
		"fcntl", "fcntl64", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
		"getcwd", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32",
		"getrlimit", "getuid", "getuid32", "lseek", "lstat", "lstat64", "membarrier",
		"mmap", "mmap2", "mprotect", "nanosleep", "newfstatat", "pread64", "prctl",
		"prlimit64", "read", "readlink", "readlinkat", "readv", "riscv_flush_icache",
		"rseq", "rt_sigaction", "sched_getaffinity", "seccomp", "set_robust_list",
		"set_thread_area", "set_tid_address", "setrlimit", "sigaltstack", "stat", "stat64",
		"statfs", "statfs64", "statx", "sysinfo", "ugetrlimit", "uname", "write", "writev",
		"clock_nanosleep", "clock_nanosleep_time64", "set_tls", NULL};

	add_names(ctx, SCMP_ACT_ALLOW, always);
	add_names(ctx, SCMP_ACT_ALLOW, loading);
	add_self_signals(ctx);
	add_unless(ctx, "open", 1, O_ACCMODE);
	add_unless(ctx, "openat", 2, O_ACCMODE);
}

/* Looking for a file finds none; libc asks at odd moments, and that is no attack. */
static void add_narrow(scmp_filter_ctx ctx)
{
	static const char *const no_files[] = {"access", "faccessat", "faccessat2", "lstat",
		"lstat64", "newfstatat", "open", "openat", "readlink", "readlinkat", "stat",
		"stat64", "statx", "fstatat64", "getcwd", NULL};
	static const char *const no_terminal[] = {"ioctl", NULL};

	add_names(ctx, SCMP_ACT_ALLOW, always);
	add_names(ctx, SCMP_ACT_ERRNO(EACCES), no_files);
	add_names(ctx, SCMP_ACT_ERRNO(ENOTTY), no_terminal);
	add_self_signals(ctx);
	add_if(ctx, "read", 0, SANDBOX_WIRE_FD);
	add_if(ctx, "write", 0, SANDBOX_WIRE_FD);
	add_if(ctx, "write", 0, STDERR_FILENO);
	add_if(ctx, "writev", 0, STDERR_FILENO);
	/* Every mapping that is not executable: there is no descriptor left to map anyway. */
	add_unless(ctx, "mmap", 2, PROT_EXEC);
	add_unless(ctx, "mmap2", 2, PROT_EXEC);
	add_unless(ctx, "mprotect", 2, PROT_EXEC);
}

static bool read_all(int fd, char *to, size_t n)
{
	while (n) {
		ssize_t got = read(fd, to, n);
		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

/* libseccomp gives its program to a descriptor only. */
static struct filter export_filter(scmp_filter_ctx ctx)
{
	struct filter filter = {0};
	int fd = memfd_create("klinke-filter", MFD_CLOEXEC);
	off_t size;

	if (fd < 0)
		return filter;
	if (seccomp_export_bpf(ctx, fd) == 0 && (size = lseek(fd, 0, SEEK_END)) > 0 &&
		lseek(fd, 0, SEEK_SET) == 0) {
		filter.code = malloc((size_t)size);
		filter.len = (unsigned short)((size_t)size / sizeof(*filter.code));
		if (!filter.code || !read_all(fd, (char *)filter.code, (size_t)size))
			filter.len = 0;
	}
	close(fd);
	return filter;
}

static struct filter compile(void (*add)(scmp_filter_ctx ctx))
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	struct filter filter = {0};

	if (!ctx)
		return filter;
	add(ctx);
	filter = export_filter(ctx);
	seccomp_release(ctx);
	return filter;
}

static void prepare_seccomp(struct sandbox *sandbox)
{
	const unsigned kill = SECCOMP_RET_KILL_PROCESS;

	if (SANDBOX_RELAXED) {
		sandbox->no_seccomp = "this build checks its memory instead";
		return;
	}
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) != 0) {
		sandbox->no_seccomp = "the kernel lacks it, or the container forbids it";
		return;
	}
	sandbox->coarse = compile(add_coarse);
	sandbox->narrow = compile(add_narrow);
	if (!sandbox->coarse.len || !sandbox->narrow.len)
		sandbox->no_seccomp = "its filter could not be compiled";
}

/* ---- Landlock: version -------------------------------------------------------------------- */

static void prepare_landlock(struct sandbox *sandbox)
{
	long version;

	if (SANDBOX_RELAXED) {
		sandbox->no_landlock = "this build checks its memory instead";
		return;
	}
	version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version > 0)
		sandbox->landlock = (int)version;
	else
		sandbox->no_landlock =
			errno == EOPNOTSUPP
				? "it is switched off in the kernel; boot with lsm=landlock,..."
				: "the kernel lacks it (5.13 is needed), or the container forbids "
				  "it";
}

struct sandbox *sandbox_prepare(void)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox)
		return NULL;
	prepare_seccomp(sandbox);
	prepare_landlock(sandbox);
	return sandbox;
}

void sandbox_destroy(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	free(sandbox->coarse.code);
	free(sandbox->narrow.code);
	free(sandbox);
}

static void report_line(struct buf *to, const char *what, const char *why_not)
{
	buf_printf(to, "%s: %s%s%s\n", what, why_not ? "no (" : "yes", why_not ? why_not : "",
		why_not ? ")" : "");
}

void sandbox_report(const struct sandbox *sandbox, struct buf *to)
{
	report_line(to, "seccomp", sandbox->no_seccomp);
	report_line(to, "landlock", sandbox->no_landlock);
	report_line(to, "memory limit",
		SANDBOX_RELAXED ? "this build checks its memory instead" : NULL);
	report_line(to, "own process, no new privileges, limits", NULL);
	if (geteuid() == 0)
		report_line(to, "workers run as nobody", NULL);
}

/* ---- entering: limits and user ------------------------------------------------------------ */

static bool limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit limits = {soft, hard};
	struct rlimit now;

	if (getrlimit(what, &now) == 0 && hard > now.rlim_max)
		limits.rlim_max = now.rlim_max;
	if (limits.rlim_cur > limits.rlim_max)
		limits.rlim_cur = limits.rlim_max;
	return setrlimit(what, &limits) == 0;
}

static bool set_limits(size_t memory)
{
	return (SANDBOX_RELAXED || limit(RLIMIT_AS, memory, memory)) &&
	       limit(RLIMIT_CPU, LOAD_CPU_S, RLIM_INFINITY) && limit(RLIMIT_NPROC, 0, 0) &&
	       limit(RLIMIT_NOFILE, 64, 64) && limit(RLIMIT_CORE, 0, 0) &&
	       limit(RLIMIT_FSIZE, 0, 0);
}

/* A host that runs as root is wrong already; its plugins need not be. In a container without the
 * right to change users they stay what they are. */
static void become_nobody(void)
{
	if (geteuid() != 0 || SANDBOX_RELAXED)
		return;
	if (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		setresuid(NOBODY, NOBODY, NOBODY) == 0)
		prctl(PR_SET_DUMPABLE, 1); /* or /proc/self/fd is root's */
}

/* ---- entering: Landlock ------------------------------------------------------------------- */

struct ruleset { /* newer kernels know all of it, older ones its beginning */
	uint64_t files, net, scoped;
};

static void allow_reading(int ruleset, const char *path, int fd)
{
	bool is_file = !path || strstr(path, ".cache");
	struct landlock_path_beneath_attr rule = {
		.allowed_access =
			LANDLOCK_ACCESS_FS_READ_FILE | (is_file ? 0 : LANDLOCK_ACCESS_FS_READ_DIR),
		.parent_fd = path ? open(path, O_PATH | O_CLOEXEC) : fd,
	};

	if (rule.parent_fd < 0)
		return;
	syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (path)
		close(rule.parent_fd);
}

/* Files of libraries may be read, nothing else may be touched. */
static bool enter_landlock(int version)
{
	static const char *const libraries[] = {"/lib", "/lib32", "/lib64", "/usr/lib",
		"/usr/lib32", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"};
	struct ruleset rules = {.files = (UINT64_C(1) << 13) - 1, .net = 3, .scoped = 3};
	size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8, i;
	int fd;
	bool done;

	if (version >= 2)
		rules.files |= UINT64_C(1) << 13; /* refer */
	if (version >= 3)
		rules.files |= UINT64_C(1) << 14; /* truncate */
	if (version >= 5)
		rules.files |= UINT64_C(1) << 15; /* ioctl on devices */
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd < 0)
		return false;
	for (i = 0; i < sizeof(libraries) / sizeof(*libraries); i++)
		allow_reading(fd, libraries[i], -1);
	allow_reading(fd, NULL, SANDBOX_FILE_FD);
	done = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	close(fd);
	return done;
}

/* ---- entering: seccomp -------------------------------------------------------------------- */

static bool install(const struct filter *filter)
{
	struct sock_filter *code = malloc(filter->len * sizeof(*code));
	struct sock_fprog program = {filter->len, code};
	unsigned i;
	bool done;

	if (!code)
		return false;
	memcpy(code, filter->code, filter->len * sizeof(*code));
	for (i = 0; i < filter->len; i++)
		if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].k == MY_PID)
			code[i].k = (uint32_t)getpid();
	done = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
	free(code);
	return done;
}

bool sandbox_confine(const struct sandbox *sandbox, size_t memory, pid_t parent, const char **why)
{
	become_nobody();
	/* After a change of user, which would undo it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	*why = "its parent is gone";
	if (getppid() != parent)
		return false;
	*why = "its limits could not be set";
	if (!set_limits(memory))
		return false;
	*why = "it could not give up privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	*why = "Landlock could not be entered";
	if (sandbox->landlock && !enter_landlock(sandbox->landlock))
		return false;
	*why = "seccomp could not be entered";
	return sandbox->no_seccomp || install(&sandbox->coarse);
}

bool sandbox_narrow(const struct sandbox *sandbox, const char **why)
{
	*why = "seccomp could not be narrowed";
	limit(RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY);
	prctl(PR_SET_DUMPABLE, 0);
	return sandbox->no_seccomp || install(&sandbox->narrow);
}
