/* The conformance suites of containers, versioned and unversioned: what avout/sys/container.h asks of every author. */
#ifndef AVOUT_CONTAINER_CONFORMANCE_H
#define AVOUT_CONTAINER_CONFORMANCE_H

#include <avout/sys/container.h>

/* As the functions that make containers: one on `place`, each time a new object. */
typedef avout_status (*conformance_open_fn)(avout_versioned_container **container,
                                            const char *place);

/* Runs all checks on a place that is empty, printing one TAP line each on the standard output; how many
 * failed. What it writes there it deletes again. */
int conformance_run(conformance_open_fn open, const char *place);

/* The same for unversioned containers. */
typedef avout_status (*conformance_open_unversioned_fn)(avout_container **container,
                                                        const char *place);
int conformance_run_unversioned(conformance_open_unversioned_fn open, const char *place);

#endif
