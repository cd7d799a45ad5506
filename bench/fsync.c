#include "fsync.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "report.h"
#include "world.h"

enum { WRITES = 50 };

/* In ms: the median of appending 512 bytes and fdatasync. */
static double own_fsync_ms(void)
{
    char path[600], block[512];
    double times[WRITES];
    memset(block, 'x', sizeof block);
    snprintf(path, sizeof path, "%s/fsync", world_directory());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return NAN;
    for (int i = 0; i < WRITES; i++) {
        double start = seconds_now();
        if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd)) {
            close(fd);
            return NAN;
        }
        times[i] = (seconds_now() - start) * 1e3;
    }
    close(fd);
    return median(times, WRITES);
}

void fsync_note(void)
{
    report_note("fsync of this disk: %.3f ms (median of %d)", own_fsync_ms(), WRITES);
}

void fsync_note_server(const server *s)
{
    report_note("fsync of the ZooKeeper server: %.3f ms on average, %.0f of them, %.0f ms at worst",
                server_count(s, "zk_avg_fsynctime"), server_count(s, "zk_cnt_fsynctime"),
                server_count(s, "zk_max_fsynctime"));
}
