/* probe.c - a loop over calls in a child process, and who watches it from outside.
 *
 * The plugin's code runs in the child only, in the sandbox of a worker. Both have one thread. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "plugin/conform/kit.h"
#include "plugin/host.h"
#include "plugin/sandbox.h"
#include "plugin/wire.h"
#include "plugin/zygote.h"

#define CHILD_MEMORY ((size_t)4 << 30) /* address space: fences are pages */
#define DECODE_MEMORY ((size_t)128 * 1024 * 1024)
#define KEPT ((size_t)1 << 20)
#define CALL_CPU_MS (SANDBOX_RELAXED ? 10000 : 2000)
#define CALL_WALL_MS 60000
#define MOST_DEATHS 4 /* of one probe: then it is told, and the rest left alone */

/* ---- the child's side --------------------------------------------------------------------- */

bool child_at(struct child *child, uint32_t part, const char *format, ...)
{
	va_list args;

	if (part < child->first_part)
		return false;
	atomic_store(&child->shared->part, part);
	va_start(args, format);
	vsnprintf(child->shared->doing, sizeof(child->shared->doing), format, args);
	va_end(args);
	return true;
}

static void note(struct child *child, bool note, const char *where, const char *instead,
	const char *format, va_list args)
{
	struct shared *shared = child->shared;
	struct found *found = &shared->found[shared->found_count];
	uint32_t i;

	if (shared->found_count >= KIT_FOUND)
		return;
	vsnprintf(found->what, sizeof(found->what), format, args);
	for (i = 0; i < shared->found_count; i++)
		if (strcmp(shared->found[i].what, found->what) == 0) {
			shared->found[i].more++;
			return;
		}
	found->more = 0;
	found->note = note;
	snprintf(found->where, sizeof(found->where), "%s", where ? where : shared->doing);
	snprintf(found->instead, sizeof(found->instead), "%s", instead);
	shared->found_count++;
}

void child_find(
	struct child *child, const char *where, const char *instead, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(child, false, where, instead, format, args);
	va_end(args);
}

void child_note(
	struct child *child, const char *where, const char *instead, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(child, true, where, instead, format, args);
	va_end(args);
}

bool child_take(struct child *child, uint32_t i, struct input *out)
{
	const struct sample *sample = &child->kit->samples[i];
	struct wire_frame frame;
	struct json *config, *hold;
	uint64_t number;

	arena_reset(child->decode);
	*out = (struct input){0};
	if (sample->dead || wire_next(sample->frame.ptr, sample->frame.len, &frame) <= 0 ||
		!wire_get_call(&frame, child->decode, &number, &out->in))
		return false;
	config = json_parse(child->decode, sample->config, NULL);
	hold = json_array(child->decode);
	json_push(child->decode, hold, config); /* frozen, as the host does */
	out->config = config;
	if (out->in.kind == PLUGIN_STEP && out->in.step.response) {
		out->response = *out->in.step.response;
		out->in.step.response = &out->response;
	}
	return !arena_failed(child->decode);
}

void child_call_in(
	struct child *child, const struct input *input, struct arena *arena, struct plugin_out *out)
{
	struct shared *shared = child->shared;

	atomic_store_explicit(&shared->busy, 1, memory_order_relaxed);
	call_run_shaped(child->shape, &child->loaded, input->config, &input->in, NULL, arena, out);
	atomic_store_explicit(&shared->busy, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->calls, 1, memory_order_relaxed);
}

void child_call(struct child *child, const struct input *input, struct plugin_out *out)
{
	arena_reset(child->call);
	child_call_in(child, input, child->call, out);
}

/* "plugin bell: step(): next.then is 77" without what everybody knows. */
static const char *without_name(const struct child *child, const char *text)
{
	size_t len = strlen(child->kit->name);

	if (strncmp(text, "plugin ", 7) == 0 && strncmp(text + 7, child->kit->name, len) == 0 &&
		text[7 + len] == ':')
		return text + 7 + len + 2;
	return text;
}

bool child_sound(struct child *child, const struct input *input, const struct plugin_out *out)
{
	if (out->status == PLUGIN_OK && input->in.kind == PLUGIN_STEP &&
		(out->next.then == KL_FAIL || out->next.then == KL_UNSURE) &&
		!out->next.message.len)
		child_find(child, NULL,
			"say in next.message what went wrong, for a person who was not there",
			"step(): it ends with %s and no message",
			out->next.then == KL_FAIL ? "KL_FAIL" : "KL_UNSURE");
	if (out->status == PLUGIN_OK || out->error.code == E_NOMEM)
		return out->status == PLUGIN_OK;
	child_find(child, NULL,
		"whatever comes in, answer something that klinke/plugin.h allows; what cannot be "
		"understood is KL_SURPRISE or KL_BAD_INPUT",
		"%s", without_name(child, out->error.text));
	return false;
}

uint64_t child_hash(const struct plugin_out *out)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	struct buf bytes;
	size_t i;

	buf_init(&bytes, WIRE_MOST);
	wire_put_answer(&bytes, 1, out);
	for (i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.ptr[i]) * UINT64_C(0x100000001b3);
	buf_finish(&bytes);
	return hash | 1;
}

/* ---- how a child begins ------------------------------------------------------------------- */

/* A child's own addresses must not decide anything; so no two have the same. */
static void shift_addresses(uint32_t round)
{
	size_t some = (size_t)(1 + (round * 7u) % 61u) * 4096u * 16u;
	void *volatile hole = mmap(NULL, some, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *volatile piece = malloc(16 + (round * 48u) % 4096u);

	(void)hole;
	(void)piece;
}

static void keep_only(int file)
{
	int nowhere = open("/dev/null", O_RDWR), fd;

	for (fd = 0; fd <= SANDBOX_PROGRESS_FD; fd++)
		if (!SANDBOX_RELAXED || fd != STDERR_FILENO)
			dup2(nowhere, fd);
	dup2(file, SANDBOX_FILE_FD);
	syscall(SYS_close_range, SANDBOX_FILE_FD + 1, ~0u, 0);
}

static _Noreturn void refuse(struct child *child, const char *why)
{
	child_find(child, "while it is loaded", "see what `klinke plugin info FILE.so` says", "%s",
		why);
	atomic_store(&child->shared->finished, 1);
	_exit(0);
}

static void enter(struct child *child, pid_t parent)
{
	const struct kit *kit = child->kit;
	struct error error = {0};
	struct arena *arena = arena_create((size_t)8 << 20);
	const char *why;
	char file[32];

	shift_addresses(kit->round);
	/* start_copy() may have used one of the places that keep_only() fills. */
	keep_only(fcntl(kit->copy, F_DUPFD_CLOEXEC, 64));
	child->decode = arena_create(DECODE_MEMORY);
	child->call = arena_create(host_limits(NULL).memory);
	arena_keep(child->call, KEPT); /* new memory costs more than most calls */
	if (!sandbox_confine(kit->sandbox, CHILD_MEMORY, parent, &why))
		refuse(child, why);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", SANDBOX_FILE_FD);
	if (load_plugin(&error, arena, file, kit->name, kit->options->path, &child->loaded))
		refuse(child, error.text);
	close(SANDBOX_FILE_FD);
	if (!sandbox_narrow(kit->sandbox, &why))
		refuse(child, why);
	atomic_store(&child->shared->ready, 1);
}

static _Noreturn void child_main(
	struct kit *kit, const struct probe *probe, uint32_t item, uint32_t part, pid_t parent)
{
	struct child child = {.kit = kit,
		.shared = kit->shared,
		.first_part = part,
		.random = kit->options->seed};
	uint32_t end = probe->alone || probe->endless ? item + 1 : probe->items;

	enter(&child, parent);
	for (; item < end; item++) {
		atomic_store(&kit->shared->item, item);
		child.random = kit->options->seed * UINT64_C(0x9e3779b97f4a7c15) + item;
		probe->run(&child, item);
		child.first_part = 0;
	}
	atomic_store(&kit->shared->finished, 1);
	_exit(0);
}

/* ---- outside ------------------------------------------------------------------------------ */

static int64_t cpu_ms(pid_t pid)
{
	struct timespec now;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
		return 0;
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Its wait status; *late: it was killed since one call took too long. */
static int watch(struct kit *kit, pid_t pid, bool *late)
{
	struct pollfd fd = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	uint64_t calls = UINT64_MAX;
	int64_t cpu = 0, wall = 0;
	int status = 0;

	*late = false;
	while (poll(&fd, 1, 50) <= 0) {
		uint64_t now = atomic_load(&kit->shared->calls);
		if (now != calls || !atomic_load(&kit->shared->busy)) {
			calls = now;
			cpu = cpu_ms(pid);
			wall = clock_mono_ms();
		} else if (cpu_ms(pid) - cpu > CALL_CPU_MS ||
			   clock_mono_ms() - wall > CALL_WALL_MS) {
			*late = true;
			kill(pid, SIGKILL);
		}
	}
	close(fd.fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void tell_death(struct kit *kit, const struct probe *probe, int status, bool late)
{
	struct shared *shared = kit->shared;
	char how[100], where[sizeof(shared->doing)];

	memcpy(where, shared->doing, sizeof(where));
	where[sizeof(where) - 1] = '\0';
	if (late)
		snprintf(how, sizeof(how), "the call did not end within %d ms of processor time",
			CALL_CPU_MS);
	else
		zygote_describe_exit(how, sizeof(how), status);
	if (!atomic_load(&shared->ready))
		snprintf(where, sizeof(where), "while it is loaded");
	else if (probe->plain && atomic_load(&shared->item) < kit->sample_count)
		kit->samples[atomic_load(&shared->item)].dead = true;
	kit_find(kit, probe->check, false, where, probe->dead, "%s%s",
		late ? "" : "the process that ran it ", how);
}

/* What the children noted becomes findings of this check. */
static void probe_collect(struct kit *kit, const char *check)
{
	struct shared *shared = kit->shared;
	uint32_t i;

	for (i = 0; i < shared->found_count && i < KIT_FOUND; i++) {
		struct found *f = &shared->found[i];
		struct finding finding = {check, f->where, f->what, f->instead, f->note, f->more};
		f->where[sizeof(f->where) - 1] = f->what[sizeof(f->what) - 1] =
			f->instead[sizeof(f->instead) - 1] = '\0';
		kit->findings += !f->note;
		kit->options->found(kit->options->user, &finding);
	}
	shared->found_count = 0;
}

/* true: a child came to its end; false: it died at shared's item and part. */
static bool one_child(struct kit *kit, const struct probe *probe, uint32_t item, uint32_t part)
{
	struct shared *shared = kit->shared;
	pid_t parent = getpid(), pid;
	bool late;
	int status;

	atomic_store(&shared->item, item);
	atomic_store(&shared->part, part);
	atomic_store(&shared->finished, 0);
	atomic_store(&shared->ready, 0);
	atomic_store(&shared->busy, 0);
	kit->round++;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child_main(kit, probe, item, part, parent);
	if (pid < 0) {
		kit_find(kit, probe->check, false, "", "end other programs, and try again",
			"no process could be started: %s", strerror(errno));
		return true;
	}
	status = watch(kit, pid, &late);
	if (atomic_load(&shared->finished) && !late)
		return true;
	tell_death(kit, probe, status, late);
	return false;
}

void probe_run(struct kit *kit, const struct probe *probe)
{
	struct shared *shared = kit->shared;
	uint32_t item = 0, part = 0, deaths = 0;

	while (item < probe->items && deaths < MOST_DEATHS) {
		if (one_child(kit, probe, item, part)) {
			item = probe->alone ? item + 1 : probe->items;
			part = 0;
			continue;
		}
		deaths++;
		if (!atomic_load(&shared->ready))
			break;
		item = atomic_load(&shared->item);
		part = atomic_load(&shared->part) + 1;
	}
	probe_collect(kit, probe->check);
}
