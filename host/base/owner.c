/* owner.c - see owner.h. Never changes whose anything is. Any thread. */
#include "base/owner.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY 1024

const char *owner_remedy(char out[OWNER_TEXT], const char *path)
{
	char memory[ENTRY], name[33];
	struct passwd entry, *found = NULL;
	struct stat st;
	int before = errno;

	out[0] = '\0';
	if (stat(path, &st) == 0 && st.st_uid != geteuid()) {
		if (getpwuid_r(st.st_uid, &entry, memory, sizeof(memory), &found) == 0 && found)
			snprintf(name, sizeof(name), "%.32s", found->pw_name);
		else /* a number does as well for sudo */
			snprintf(name, sizeof(name), "#%lu", (unsigned long)st.st_uid);
		snprintf(out, OWNER_TEXT, "; it belongs to %s: run it as %s (sudo -u %s …)", name,
			name, name);
	}
	errno = before;
	return out;
}
