/* What is measured. Each function prints the row or rows of one name. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "measure.h"
#include "stores.h"

/* Sides shared by rows. */
uint64_t swaps(void *atom, double seconds); /* inc, one at a time */
uint64_t derefs(void *ref, double seconds); /* owned and released */
enum { MANY_THREADS = 64 };
uint64_t swaps_in_threads(void *atom, double seconds); /* of the one atom, in MANY_THREADS */

void row_swap(bench *b);                /* rows_zk.c */
void row_dosync(bench *b);              /* rows_zk.c */
void row_requests(bench *b);            /* rows_zk.c */
void row_one_ref(bench *b);             /* rows_zk.c */
void row_many_refs(bench *b);           /* rows_zk.c */
void row_processes(bench *b);           /* rows_processes.c */
void row_deref(bench *b);               /* rows_deref.c */
void row_embedded_swap(bench *b);       /* rows_embedded.c */
void row_embedded_one_ref(bench *b);    /* rows_embedded.c */
void row_embedded_processes(bench *b);  /* rows_processes.c */
void row_lock(bench *b);                /* rows_lock.c */
void row_hand_overs(bench *b);          /* rows_lock.c */
void row_containers(bench *b);          /* rows_container.c */
void row_embedded_lock(bench *b);       /* rows_lock.c */
void row_embedded_hand_overs(bench *b); /* rows_lock.c */
void row_edn(bench *b);                 /* rows_edn.c */
void row_values(bench *b);              /* rows_values.c */
void row_open(bench *b);                /* rows_open.c */
void row_embedded_open(bench *b);       /* rows_open.c */

/* The processes that rows of several start: arguments URL, name, number of threads. */
int worker_main(int count, char **arguments);
int locker_main(int count, char **arguments);

#endif
