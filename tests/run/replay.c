/* Runs a fuzz target over its saved corpus, as an ordinary test: each file of fuzz/corpus/NAME is
 * one result. Linked instead of the fuzzer, so any compiler will do.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    int result = -1;
    uint8_t *data = NULL;
    if (fseek(file, 0, SEEK_END)) goto done;
    long size = ftell(file);
    rewind(file);
    /* Exactly as large as the input, so that the sanitizers see a byte read past it. */
    data = malloc(size > 0 ? (size_t)size : 1);
    if (size < 0 || !data || fread(data, 1, (size_t)size, file) != (size_t)size) goto done;
    LLVMFuzzerTestOneInput(data, (size_t)size);
    result = 0;
done:
    free(data);
    fclose(file);
    return result;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    size_t length = strlen(name);
    char folder[512];
    if (argc > 1) snprintf(folder, sizeof folder, "%s", argv[1]);
    else
        snprintf(folder, sizeof folder, "fuzz/corpus/%.*s", (int)(length > 5 ? length - 5 : length),
                 name);
    struct dirent **entries;
    int count = scandir(folder, &entries, visible, alphasort), failures = 0;
    if (count <= 0) {
        printf("not ok 1 %s # no corpus\n1..1\n", folder);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        /* Said before, so that the log names the input that crashed. */
        printf("# %s\n", path);
        int failed = replay(path);
        printf("%s %d %s\n", failed ? "not ok" : "ok", i + 1, entries[i]->d_name);
        failures += failed != 0;
        free(entries[i]);
    }
    free(entries);
    return failures ? 1 : 0;
}
