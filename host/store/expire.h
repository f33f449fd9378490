/* expire.h - what one row loses because it is old: bytes, members of what was said, all that was
 * said, in the end itself. Whether it is old enough, and whether somebody may still need it, is
 * asked before (retention.c). The writer's thread.
 *
 * Each is for the row of that number in its table; *changed (false before): it had something to
 * lose.
 */
#ifndef STORE_EXPIRE_H
#define STORE_EXPIRE_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct store;

int expire_raw(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_bodies(struct error *error, struct store *store, int64_t seq, bool *changed);

int expire_event_transcript(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_job_transcript(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_event_recording(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_job_recording(struct error *error, struct store *store, int64_t seq, bool *changed);

int expire_event_data(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_job_data(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_call(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_appointment(struct error *error, struct store *store, int64_t seq, bool *changed);

/* Goes over several passes if it had many attempts: until then it has not changed. */
int expire_job(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_event(struct error *error, struct store *store, int64_t seq, bool *changed);
int expire_inbox(struct error *error, struct store *store, int64_t seq, bool *changed);

#endif
