/* log.h - one line per happening to stderr, logfmt or JSON, UTC.
 *
 * log_line(LOG_INFO, "webhook stored", "tenant", t, "connection", c, NULL): keys and values
 * alternate, values are text, the list ends with NULL; a NULL value leaves the pair out. Values are
 * quoted and cut as needed and never interpreted. Keys ending in "_person" are masked (numbers keep
 * their last two digits, mails the domain, names their initials); of other values what looks like a
 * number, an address or a name in JSON (mask.h), which does not know a name in free text; anything
 * registered with
 * log_secret() is replaced wherever it turns up, as a last line of defence. Safe from any thread,
 * one write(2) per line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);
void log_line(enum log_level level, const char *message, ...) __attribute__((sentinel));
void log_secret(struct str secret); /* at least 6 bytes; copied */

#endif
