/* The fuzz target over its saved corpus, as an ordinary test. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../fuzz/edn_fuzz.c"
#include "support/test.h"

/* From the project's root, where tests are run; else from wherever the program lies in it. */
static DIR *open_corpus(char *path, size_t size)
{
    static const char below[] = "fuzz/corpus/edn";
    snprintf(path, size, "%s", below);
    DIR *directory = opendir(path);
    char program[3072];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    for (; !directory && length > 0; length--) {
        if (program[length - 1] != '/') continue;
        program[length] = '\0';
        snprintf(path, size, "%s%s", program, below);
        directory = opendir(path);
    }
    return directory;
}

static bool run_file(const char *path)
{
    struct stat info;
    if (stat(path, &info) || !S_ISREG(info.st_mode)) return false;
    FILE *file = fopen(path, "rb");
    CHECK(file);
    /* Exactly as long as the text, so that the sanitizer sees a look behind its end. */
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size + !size);
    CHECK(data && fread(data, 1, size, file) == size);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return true;
}

TEST(every_file_of_the_corpus_holds)
{
    char path[4096], name[4096 + 300];
    DIR *directory = open_corpus(path, sizeof path);
    if (!directory) test_failed(__FILE__, __LINE__, "no directory fuzz/corpus/edn");
    int files = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        files += run_file(name);
    }
    closedir(directory);
    CHECK(files >= 100);
}
