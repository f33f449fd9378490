/* callback.h - asking the office to call somebody back, as other operations do it too. */
#ifndef DESK_CALLBACK_H
#define DESK_CALLBACK_H

#include "desk/question.h"

/* "callback.requested" for question->caller_phone, which must not be empty; once for each call and
 * number. NULL: no memory. */
const struct desk_event *callback_event(
	struct desk_run *run, const struct question *question, struct str reason);

#endif
