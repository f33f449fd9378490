/* breaker.h - circuit breaker: stops asking a peer that fails, and notices when it is back.
 *
 * Plain data, no clock of its own: now is clock_mono_ms(). Counts live in a ring of time slices.
 * Opens when the window holds at least min_volume results of which failure_rate failed. After
 * open_ms one probe may pass; it closes the breaker or opens it again for twice as long (10 times
 * at most).
 */
#ifndef TRANSFER_BREAKER_H
#define TRANSFER_BREAKER_H

#include "transfer/transfer.h"

#define BREAKER_SLICES 12

struct breaker {
	uint32_t window_ms, min_volume, open_ms;
	double failure_rate;
	enum breaker_state state;
	bool probing;     /* half open, and the probe is out */
	uint32_t opened;  /* times in a row without a good probe */
	int64_t until_ms; /* of OPEN */
	struct {
		int64_t number; /* now_ms / length of a slice */
		uint32_t failures, successes;
	} slices[BREAKER_SLICES];
};

enum breaker_leave { BREAKER_PASS, BREAKER_PROBE, BREAKER_REFUSE };

void breaker_init(struct breaker *breaker);
/* Zero fields of limits become the defaults of transfer.h. Counts and state are kept. */
void breaker_limit(struct breaker *breaker, const struct transfer_limits *limits);

/* May one request go? After BREAKER_PROBE breaker_result() or breaker_release() must follow.
 * *changed: the state did. *retry_ms of REFUSE: when to ask again. */
enum breaker_leave breaker_ask(
	struct breaker *breaker, int64_t now_ms, int64_t *retry_ms, bool *changed);
/* What came of a request. True: the state changed. */
bool breaker_result(struct breaker *breaker, int64_t now_ms, bool good, bool probe);
/* The probe ended without saying anything about the peer (it was cancelled). */
void breaker_release(struct breaker *breaker);

void breaker_restore(
	struct breaker *breaker, int64_t now_ms, enum breaker_state state, int64_t until_ms);
void breaker_count(
	const struct breaker *breaker, int64_t now_ms, uint32_t *failures, uint32_t *successes);

#endif
