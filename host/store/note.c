/* note.c - small files in which care leaves word for every process that looks: the last copy, the
 * last check, damage. Never needed to run: what cannot be noted is told all the same. Any thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/care.h"
#include "store/files.h"

static const char *const names[CARE_NOTES] = {
	[CARE_BACKUP] = "backup.note",
	[CARE_INTEGRITY] = "integrity.note",
	[CARE_DAMAGE] = "damage.note",
};

int care_note_write(struct error *error, const char *state, enum care_note note, int64_t at_ms,
	const char *text)
{
	char path[CARE_PATH], line[512];
	int rc = file_path(error, path, sizeof(path), "%s/%s", state, names[note]);

	snprintf(line, sizeof(line), "%" PRId64 " %.400s\n", at_ms, text);
	if (!rc)
		rc = file_write(error, path, line);
	if (!rc)
		file_give(state, path);
	return rc;
}

bool care_note_read(const char *state, enum care_note note, struct care_noted *out)
{
	char path[CARE_PATH], line[512] = "";
	FILE *file;
	bool read;
	int used = 0;

	memset(out, 0, sizeof(*out));
	if (file_path(NULL, path, sizeof(path), "%s/%s", state, names[note]))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	read = fgets(line, sizeof(line), file) &&
	       sscanf(line, "%" SCNd64 " %n", &out->at_ms, &used) == 1 && used > 0;
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	if (read)
		snprintf(out->text, sizeof(out->text), "%.399s", line + used);
	return read;
}

void care_note_clear(const char *state, enum care_note note)
{
	char path[CARE_PATH];

	if (file_path(NULL, path, sizeof(path), "%s/%s", state, names[note]) == 0)
		unlink(path);
}

void care_damaged(const char *state, const char *what)
{
	struct care_noted noted;

	if (care_note_read(state, CARE_DAMAGE, &noted))
		return;
	care_note_write(NULL, state, CARE_DAMAGE, clock_now_ms(), what);
	log_line(LOG_ERROR, "the store's file is damaged", "what", what, "state", state, "remedy",
		"stop the host; klinke restore a backup, or klinke salvage reads into a new file "
		"what can be read",
		NULL);
}
