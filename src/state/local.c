/* The local container: the value is where the process is. */
#include "state/container.h"

#include "base/banned.h"

const avout__container avout__local_container = {.name = "local"};
