/* A disk that is soon full: a file system of its own, in memory, which only this process and those it starts
 * from now on see. Made by root, or by anybody where the system lets users have namespaces of their own; skips
 * the test where it can be neither. */
#ifndef TESTS_SUPPORT_SMALL_DISK_H
#define TESTS_SUPPORT_SMALL_DISK_H

/* In the place of what was in the directory. Before the test has threads. */
void test_small_disk(const char *directory, int kilobytes);
/* More room, or none for writers at all (0: it can be read only). */
void test_small_disk_resize(const char *directory, int kilobytes);

#endif
