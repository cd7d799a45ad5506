/* An intrusive doubly linked list (circular, with a head). A node is in at most one list. */
#ifndef AVOUT_BASE_LIST_H
#define AVOUT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct avout__link {
    struct avout__link *next, *prev;
} avout__link;

#define AVOUT__LINK_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void avout__list_init(avout__link *head)
{
    head->next = head->prev = head;
}
static inline bool avout__list_empty(const avout__link *head)
{
    return head->next == head;
}
/* A link that is in no list is {NULL, NULL}. */
static inline bool avout__link_linked(const avout__link *link)
{
    return link->next != NULL;
}
static inline void avout__link_insert_before(avout__link *at, avout__link *link)
{
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}
static inline void avout__list_append(avout__link *head, avout__link *link)
{
    avout__link_insert_before(head, link);
}
static inline void avout__list_prepend(avout__link *head, avout__link *link)
{
    avout__link_insert_before(head->next, link);
}
static inline void avout__link_remove(avout__link *link)
{
    if (!link->next) return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
}
/* Moves all of `from` to the end of `to`. */
static inline void avout__list_splice(avout__link *to, avout__link *from)
{
    if (from->next == from) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    from->next = from->prev = from;
}

#define AVOUT__LIST_EACH(link, head)                                                               \
    for (avout__link *link = (head)->next, *link##_next = link->next; link != (head);              \
         link = link##_next, link##_next = link->next)

#endif
