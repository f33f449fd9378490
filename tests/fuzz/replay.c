/* replay FILE-OR-FOLDER... - a fuzz target's inputs, once each, with any compiler. No input at all
 * is a failure: it would prove nothing. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MOST_BYTES ((size_t)4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static unsigned replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *room = malloc(MOST_BYTES), *bytes;
	size_t len = file && room ? fread(room, 1, MOST_BYTES, file) : 0;

	if (!file || !room || ferror(file) || len == MOST_BYTES) {
		fprintf(stderr, "replay: cannot read %s\n", path);
		exit(1);
	}
	fclose(file);
	bytes = malloc(len ? len : 1); /* as long as the input: ASan sees one byte too many */
	for (size_t i = 0; bytes && i < len; i++)
		bytes[i] = room[i];
	free(room);
	fprintf(stderr, "%s\n", path); /* the last one told is the one that failed */
	if (bytes)
		LLVMFuzzerTestOneInput(bytes, len);
	free(bytes);
	return 1;
}

static unsigned replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	unsigned count = 0;
	char inner[4096];

	while (folder && (entry = readdir(folder))) {
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			count += replay_file(inner);
	}
	if (folder)
		closedir(folder);
	return count;
}

int main(int argc, char **argv)
{
	unsigned count = 0;
	struct stat about;

	for (int i = 1; i < argc; i++)
		if (stat(argv[i], &about) == 0)
			count += S_ISDIR(about.st_mode) ? replay_folder(argv[i])
							: replay_file(argv[i]);
	printf("%u inputs\n", count);
	return count ? 0 : 1;
}
