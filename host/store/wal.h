/* wal.h - what lies in a write-ahead log behind the place where SQLite's recovery ends.
 *
 * SQLite uses a log up to the first frame whose checksum does not hold, and says nothing about the
 * rest. After a power cut that is right: what follows was being written, nobody had been told that
 * it was stored. But a bad byte in the middle costs every commit behind it. The two look different:
 * a commit is written only after the one before it was synced. So if behind the bad place there is
 * a whole commit that another frame goes on from, all of it was on disk once, and is damaged now.
 * If the bad place is in the last commit nobody can tell, and nothing is said.
 *
 * The format is that of sqlite.org/fileformat2.html, section 4.
 */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct wal_damage {
	uint64_t frame;  /* the first bad one, from 1; 0: the head of the file */
	uint64_t frames; /* of this log from there to the end, as far as they are to be known */
	uint64_t commits;
};
/* 1: damaged, and out says where; 0: nothing is wrong, or it is the end of a power cut; or a
 * negative code. Any bytes are fine. Reads only. */
int wal_look(struct error *error, int fd, struct wal_damage *out);

/* Before SQLite opens state/name: if its log is damaged, writes damage.note and a line in the log,
 * and may keep a copy of it beside (damaged-log-TIME.wal); not of keys, which would outlive being
 * destroyed. 0, also then: to go on is for the caller. */
int wal_guard(struct error *error, const char *state, const char *name, bool copy);

/* The copies that were kept, overwritten and removed: somebody was forgotten, and webhooks of theirs
 * may lie in them as they came. */
void wal_drop_copies(const char *state);

#endif
