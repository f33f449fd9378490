/* zygote.h - the process that workers are forked from, as its clients see it.
 *
 * It is forked before this process has threads, files or secrets, so that its children have none
 * either, and a fork costs little. It holds the compiled filters, the time zones and libcrypto
 * ready. A client is a connection of its own: each has its workers, which die with it. Any thread
 * may connect; a connection belongs to one.
 */
#ifndef PLUGIN_ZYGOTE_H
#define PLUGIN_ZYGOTE_H

#include "plugin/plugin.h"
#include "plugin/worker.h"

/* A connection. Not blocking for reading. A zygote that is gone is made anew first, if that is
 * allowed. -1: error says why. close() it: its workers are killed. */
int zygote_connect(struct error *error, struct plugin_zygote *zygote);
bool zygote_renews(const struct plugin_zygote *zygote);

/* What a worker gets; the zygote has its own copies when this returns. */
struct zygote_files {
	int wire, progress, file;
};
/* Asks for a worker; what becomes of it comes as news. */
int zygote_spawn(struct error *error, int client, const struct worker_job *job,
	const struct zygote_files *files);
void zygote_kill(int client, uint32_t number);

enum zygote_news_kind {
	ZYGOTE_SPAWNED = 1, /* value: process id */
	ZYGOTE_FAILED,      /* it could not be forked: value is errno */
	ZYGOTE_EXITED,      /* value: as from waitpid() */
	ZYGOTE_REPORT       /* text */
};
struct zygote_news {
	uint32_t kind, number;
	int32_t value;
	uint32_t zero;
	char text[1024];
};
/* 1: got one; 0: none now; -1: the zygote is gone. */
int zygote_read(int client, struct zygote_news *news);

/* "was killed by SIGSEGV", "ended with code 3" */
void zygote_describe_exit(char *out, size_t size, int status);

#endif
