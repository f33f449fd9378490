/* Every system call there is, tried from inside the sandbox of a worker: what is not on the list
 * below ends the process or is refused, before the plugin is loaded and after. Each in a child of
 * its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "plugin/sandbox.h"

#define NUMBERS 600
#define MEMORY ((size_t)256 << 20)
#define WORKED 0 /* exit codes of the child */
#define REFUSED 1
#define NOT_ENTERED 2

static struct sandbox *sandbox;

/* ---- One try in a child ------------------------------------------------------------------- */

struct
try {
	bool narrow;
	long number;
	long arguments[6];
	int (*run)(void); /* instead of a number */
};

static void enter(const struct try *t, pid_t parent)
{
	const char *why;

	if (!sandbox_confine(sandbox, MEMORY, parent, &why) ||
		(t->narrow && !sandbox_narrow(sandbox, &why)))
		syscall(SYS_exit_group, NOT_ENTERED);
}

static void inside(const struct try *t, pid_t parent)
{
	const long *a = t->arguments;
	long rc;

	enter(t, parent);
	if (t->run)
		syscall(SYS_exit_group, t->run());
	rc = syscall(t->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	syscall(SYS_exit_group, rc < 0 ? REFUSED : WORKED);
}

/* Its exit code; or minus the signal that ended it. */
static int attempt(const struct try *t)
{
	pid_t parent = getpid(), child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		inside(t, parent);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool has(const char *means)
{
	struct buf report;
	char line[64];
	bool there;

	buf_init(&report, 4096);
	sandbox_report(sandbox, &report);
	buf_add(&report, "", 1);
	snprintf(line, sizeof(line), "%s: yes", means);
	there = strstr(report.ptr, line) != NULL;
	buf_finish(&report);
	return there;
}

/* ---- System calls ------------------------------------------------------------------------- */

static bool listed(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

/* After loading: memory, its own end, the clock, chance; the wire by its number. exit_group aside,
 * whatever else a later change lets through is found here. */
static const char *const narrow_list[] = {"brk", "clock_getres", "clock_gettime", "exit",
	"exit_group", "futex", "getpid", "getrandom", "gettid", "gettimeofday", "madvise", "mmap",
	"mprotect", "mremap", "munmap", "restart_syscall", "rt_sigprocmask", "rt_sigreturn",
	"sched_yield", "time", "clock_gettime64", "clock_getres_time64", "futex_time64", "mmap2",
	"sigprocmask", "sigreturn", NULL};

static void nothing_but_the_list_works_after_loading(void **state)
{
	unsigned killed = 0, refused = 0;

	(void)state;
	if (!has("seccomp")) {
		assert_true(SANDBOX_RELAXED); /* this test belongs where it can be kept */
		return;
	}
	for (long n = 0; n < NUMBERS; n++) {
		struct try t = {.narrow = true, .number = n, .arguments = {-1, -1, -1, -1, -1, -1}};
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)n);
		int end;

		if (name && listed(name, narrow_list)) {
			free(name);
			continue;
		}
		end = attempt(&t);
		if (end != -SIGSYS && end != REFUSED)
			fail_msg("system call %ld (%s): %d", n, name ? name : "?", end);
		killed += end == -SIGSYS;
		refused += end == REFUSED;
		free(name);
	}
	assert_true(killed > 300);
	assert_true(refused < 30); /* files are not there; all else is an attack */
}

/* While constructors run, reading libraries must work. What changes anything must not. */
static const char *const never[] = {"socket", "socketpair", "connect", "accept", "accept4", "bind",
	"listen", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "fork", "vfork", "clone",
	"clone3", "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev",
	"pidfd_open", "pidfd_getfd", "pidfd_send_signal", "tkill", "rt_sigqueueinfo",
	"rt_tgsigqueueinfo", "mount", "umount2", "unshare", "setns", "chroot", "pivot_root",
	"chdir", "fchdir", "unlink", "unlinkat", "rename", "renameat2", "link", "linkat", "symlink",
	"mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmod", "chown", "fchown",
	"truncate", "ftruncate", "creat", "openat2", "open_by_handle_at", "name_to_handle_at",
	"memfd_create", "memfd_secret", "pipe", "pipe2", "eventfd2", "epoll_create1",
	"inotify_init1", "fanotify_init", "timerfd_create", "timer_create", "signalfd4",
	"userfaultfd", "bpf", "perf_event_open", "io_uring_setup", "io_setup", "keyctl", "add_key",
	"request_key", "shmget", "msgget", "semget", "mq_open", "setuid", "setgid", "setresuid",
	"setresgid", "setgroups", "capset", "personality", "reboot", "kexec_load", "init_module",
	"finit_module", "settimeofday", "clock_settime", "adjtimex", "sethostname", "swapon",
	"acct", "quotactl", "iopl", "ioperm", "dup", "dup2", "dup3", "splice", "tee", "sendfile",
	"getdents64", "wait4", "waitid", "setsid", "setpgid", "sched_setaffinity",
	"sched_setscheduler", "setpriority", "kcmp", "landlock_create_ruleset", "ioctl", NULL};

static void what_changes_the_world_ends_a_constructor(void **state)
{
	(void)state;
	if (!has("seccomp")) {
		assert_true(SANDBOX_RELAXED);
		return;
	}
	for (size_t i = 0; never[i]; i++) {
		struct try t = {.number = seccomp_syscall_resolve_name(never[i]),
			.arguments = {-1, -1, -1, -1, -1, -1}};
		int end;

		if (t.number < 0)
			continue; /* this kind of machine has none */
		end = attempt(&t);
		if (end != -SIGSYS)
			fail_msg("%s: %d", never[i], end);
	}
}

/* ---- With arguments ----------------------------------------------------------------------- */

static int outcome(bool worked)
{
	return worked ? WORKED : REFUSED;
}

static int map_code(void)
{
	return outcome(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static int make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return outcome(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
}

static int write_elsewhere(void)
{
	return outcome(write(SANDBOX_WIRE_FD + 6, "x", 1) == 1);
}

static int read_elsewhere(void)
{
	char byte;
	return outcome(read(0, &byte, 1) >= 0);
}

static int signal_parent(void)
{
	return outcome(kill(getppid(), 0) == 0);
}

static int signal_all(void)
{
	return outcome(kill(-1, 0) == 0);
}

static int open_to_write(void)
{
	return outcome(open("/tmp/klinke-must-not-be", O_CREAT | O_WRONLY, 0600) >= 0);
}

static int read_a_file(void)
{
	return outcome(open("/etc/passwd", O_RDONLY) >= 0);
}

static int take_memory(void)
{
	return outcome(mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0) != MAP_FAILED);
}

static void arguments_are_looked_at(void **state)
{
	static int (*const attacks[])(void) = {map_code, make_code, write_elsewhere, read_elsewhere,
		signal_parent, signal_all, open_to_write, read_a_file, take_memory};

	(void)state;
	if (!has("seccomp")) {
		assert_true(SANDBOX_RELAXED);
		return;
	}
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		struct try t = {.narrow = true, .run = attacks[i]};
		int end = attempt(&t);
		if (end != -SIGSYS && end != REFUSED)
			fail_msg("attack %zu: %d", i, end);
	}
}

/* ---- What holds without seccomp ----------------------------------------------------------- */

static bool is_zero(int what)
{
	struct rlimit now;
	return getrlimit(what, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == 0;
}

static int look_at_limits(void)
{
	return outcome(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && is_zero(RLIMIT_NPROC) &&
		       is_zero(RLIMIT_CORE) && is_zero(RLIMIT_FSIZE));
}

static int look_at_user(void)
{
	return outcome(SANDBOX_RELAXED || (geteuid() != 0 && getuid() != 0 && getgid() != 0));
}

static int gain_limits(void)
{
	struct rlimit more = {1000, 1000};
	return outcome(setrlimit(RLIMIT_NPROC, &more) == 0);
}

static void limits_hold_for_constructors(void **state)
{
	struct try limits = {.run = look_at_limits}, user = {.run = look_at_user},
		   gain = {.run = gain_limits};

	(void)state;
	assert_int_equal(attempt(&limits), WORKED);
	if (!SANDBOX_RELAXED)
		assert_int_equal(attempt(&gain), REFUSED);
	assert_int_equal(attempt(&user), WORKED);
}

static void landlock_leaves_libraries_only(void **state)
{
	struct try passwd = {.run = read_a_file};

	(void)state;
	if (has("landlock"))
		assert_int_equal(attempt(&passwd), REFUSED);
	else
		assert_int_equal(attempt(&passwd), WORKED); /* told, see sandbox_report() */
}

static int prepare(void **state)
{
	(void)state;
	sandbox = sandbox_prepare();
	return sandbox ? 0 : -1;
}

static int finish(void **state)
{
	(void)state;
	sandbox_destroy(sandbox);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_but_the_list_works_after_loading),
		cmocka_unit_test(what_changes_the_world_ends_a_constructor),
		cmocka_unit_test(arguments_are_looked_at),
		cmocka_unit_test(limits_hold_for_constructors),
		cmocka_unit_test(landlock_leaves_libraries_only),
	};
	return cmocka_run_group_tests(tests, prepare, finish);
}
