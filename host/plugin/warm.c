/* warm.c - loads every time zone of the system and uses each hash once. Runs in the zygote, before
 * its first fork, so that all workers share the pages. Never fails: a zone that is missing is
 * unknown to the plugins too. */
#include "plugin/warm.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/crypto.h"

/* The same zones once more, or no zones. */
static bool is_copy(const char *name)
{
	return name[0] == '.' || strcmp(name, "posix") == 0 || strcmp(name, "right") == 0 ||
	       strchr(name, '.');
}

static void load_zones(const char *root, const char *prefix, unsigned depth)
{
	char path[512], name[256];
	struct dirent *entry;
	struct stat info;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", root, prefix);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (is_copy(entry->d_name))
			continue;
		snprintf(name, sizeof(name), "%.100s%s%.100s", prefix, *prefix ? "/" : "",
			entry->d_name);
		snprintf(path, sizeof(path), "%.250s/%s", root, name);
		if (stat(path, &info) != 0)
			continue;
		if (S_ISDIR(info.st_mode) && depth < 3)
			load_zones(root, name, depth + 1);
		else if (S_ISREG(info.st_mode))
			zone_find(name);
	}
	if (dir)
		closedir(dir);
}

static void use_hashes(void)
{
	static const char *const names[] = {"sha256", "sha1", "sha512"};
	struct str piece = STR("warm");
	uint8_t out[CRYPTO_HASH_MAX];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		crypto_hash(names[i], &piece, 1, out);
}

void warm_up(void)
{
	const char *root = getenv("TZDIR");

	root = root && *root ? root : "/usr/share/zoneinfo";
	load_zones(root, "", 0);
	use_hashes();
}
