/* as_case.h - makes case files of what happened: of webhooks and of operations, with secrets and
 * persons taken out, and runs them at once. For `klinke show --as-case` and `klinke plugin record`.
 */
#ifndef COMMAND_AS_CASE_H
#define COMMAND_AS_CASE_H

#include "command/command.h"

/* id: of a webhook or a job: that one; of anything else that `klinke show` takes: all of its story.
 * source: who made it, for the file. Needs the invocation's zygote; reads its options out and
 * real-persons. Writes the files, tells on stderr what became of them, returns the exit code. */
int as_case(const struct invocation *in, const char *id, const char *source);

#endif
