/* Hash, equality and order of collections nested as deeply as anybody likes: with a stack of our
 * own, never the thread's. The stack begins on the thread's stack and moves to the heap when it
 * grows.
 */
#include "value/collection.h"

#include <string.h>

#include "base/alloc.h"
#include "value/tagged.h"
#include "base/banned.h"

/* Frames kept on the thread's stack: enough for what people write by hand. */
enum { INLINE_FRAMES = 6 };

/* A stack that has grown out of its first frames, or not yet. */
typedef struct stack {
    void *frames;
    void *heap;
    size_t count, capacity, size;
} stack;

static stack stack_on(void *frames, size_t size)
{
    return (stack){frames, NULL, 0, INLINE_FRAMES, size};
}

/* NULL: no memory; the frames there are stay. */
static void *stack_push(stack *s)
{
    if (s->count == s->capacity) {
        void *grown = avout__realloc(s->heap, s->capacity * 2 * s->size);
        if (!grown) return NULL;
        if (!s->heap) memcpy(grown, s->frames, s->count * s->size);
        s->heap = s->frames = grown;
        s->capacity *= 2;
    }
    return (char *)s->frames + s->size * s->count++;
}

static void *stack_top(const stack *s)
{
    return (char *)s->frames + s->size * (s->count - 1);
}

static avout_value as_value(const avout__object *object)
{
    return (avout_value){(uintptr_t)object};
}

static uint32_t cached_hash(avout_value value)
{
    return atomic_load_explicit(&avout__object_any(value)->hash, memory_order_relaxed);
}

static void cache_hash(const avout__object *object, uint32_t hash)
{
    avout__object *writable = avout__object_any(as_value(object));
    atomic_store_explicit(&writable->hash, hash, memory_order_relaxed);
}

/* ---- hash ------------------------------------------------------------------------------------ */

typedef struct hash_frame {
    const avout__object *object;
    uint32_t so_far;
    bool again; /* the iterator's present element is still to be added */
    avout_iterator it;
} hash_frame;

static void hash_begin(hash_frame *frame, const avout__object *object)
{
    bool ordered = object->type == AVOUT_TYPE_LIST || object->type == AVOUT_TYPE_VECTOR;
    frame->object = object;
    frame->so_far = ordered ? AVOUT__HASH_ORDERED : AVOUT__HASH_UNORDERED;
    frame->again = false;
    frame->it = avout_value_iterate(as_value(object));
}

/* False: it must be hashed first. */
static bool hash_ready(avout_value value, uint32_t *hash)
{
    if (!avout__is_collection(value)) {
        *hash = avout_value_hash(value);
        return true;
    }
    *hash = cached_hash(value);
    return *hash != 0;
}

/* Goes on with the frame. True: done, and *hash is it. False: *missing must be hashed first. */
static bool hash_run(hash_frame *frame, uint32_t *hash, avout_value *missing)
{
    uint32_t key, item;
    size_t count = 0;
    while (frame->again || avout_iterator_next(&frame->it)) {
        frame->again = true;
        *missing = frame->it.item;
        if (!hash_ready(frame->it.item, &item)) return false;
        if (frame->object->type == AVOUT_TYPE_MAP) {
            *missing = frame->it.key;
            if (!hash_ready(frame->it.key, &key)) return false;
            item = avout__hash_entry(key, item);
        }
        bool ordered = frame->object->type < AVOUT_TYPE_MAP;
        frame->so_far = ordered ? avout__hash_ordered_add(frame->so_far, item)
                                : avout__hash_unordered_add(frame->so_far, item);
        frame->again = false;
    }
    avout_status status = avout_value_count(&count, as_value(frame->object));
    AVOUT__ASSERT(!status);
    *hash = avout__hash_end(frame->so_far, count);
    if (!*hash) *hash = 1; /* 0 would mean: not known, and never end */
    return true;
}

/* NULL: done. Otherwise there was no memory to go down to that object; what had been finished by
 * then is cached. */
static const avout__object *hash_all(const avout__object *object, uint32_t *hash)
{
    hash_frame first[INLINE_FRAMES];
    stack s = stack_on(first, sizeof *first);
    const avout__object *stuck = NULL;
    avout_value missing = AVOUT_NONE;
    hash_begin(stack_push(&s), object);
    while (s.count && !stuck) {
        hash_frame *frame = stack_top(&s);
        if (hash_run(frame, hash, &missing)) {
            if (s.count > 1) cache_hash(frame->object, *hash);
            s.count--;
            continue;
        }
        frame = stack_push(&s);
        if (frame) hash_begin(frame, avout__object_any(missing));
        else stuck = avout__object_any(missing);
    }
    avout__free(s.heap);
    return stuck;
}

uint32_t avout__collection_hash(const avout__object *object)
{
    uint32_t hash = 0;
    const avout__object *stuck;
    /* Without memory: the deepest that can be reached is hashed by itself, and everything begun
     * again, which then gets further. Slow, but a hash cannot fail. */
    while ((stuck = hash_all(object, &hash))) {
        const avout__object *deepest = stuck;
        while ((stuck = hash_all(deepest, &hash))) deepest = stuck;
        cache_hash(deepest, hash);
    }
    return hash;
}

/* ---- equality -------------------------------------------------------------------------------- */

/* Over a list or a vector. */
typedef struct cursor {
    const avout__list *chunk;
    const avout__vector *vector;
    const avout_value *run;
    size_t index;
} cursor;

typedef struct equal_frame {
    bool hashed;   /* maps or sets, else lists and vectors */
    bool choosing; /* a key of a is being compared with a candidate of b */
    size_t left;   /* elements still to be taken up */
    cursor a, b;
    avout_iterator it;       /* over a */
    const avout__hashed *in; /* b */
    const avout_value *candidate;
    uint32_t candidates; /* with and after `candidate` */
} equal_frame;

typedef enum answer { NO, YES, DEEPER } answer;

static cursor cursor_on(avout_value value)
{
    cursor c = {0};
    if (avout__is_type(value, AVOUT_TYPE_LIST)) c.chunk = avout__list_of(value);
    else c.vector = avout__vector_of(value);
    return c;
}

static avout_value cursor_next(cursor *c)
{
    if (c->vector) {
        uint32_t place = c->index % AVOUT__VECTOR_WIDTH;
        if (!place) c->run = avout__vector_run(c->vector, c->index);
        c->index++;
        return c->run[place];
    }
    if (c->index == c->chunk->here) {
        c->chunk = c->chunk->next;
        c->index = 0;
    }
    return c->chunk->items[c->chunk->here - 1 - c->index++];
}

static size_t count_of(avout_value collection)
{
    size_t count = 0;
    avout_status status = avout_value_count(&count, collection);
    AVOUT__ASSERT(!status);
    return count;
}

static bool is_sequence(avout_value value)
{
    return avout__is_type(value, AVOUT_TYPE_LIST) || avout__is_type(value, AVOUT_TYPE_VECTOR);
}

static void equal_begin(equal_frame *frame, avout_value a, avout_value b)
{
    frame->hashed = !is_sequence(a);
    frame->choosing = false;
    frame->left = count_of(a);
    if (frame->hashed) {
        frame->it = avout_value_iterate(a);
        frame->in = avout__hashed_of(b);
    } else {
        frame->a = cursor_on(a);
        frame->b = cursor_on(b);
    }
}

static bool equal_all(avout_value a, avout_value b, int nested);

/* Compares as far as it goes without looking inside; DEEPER: a frame was pushed for the inside. */
static answer compare(stack *s, avout_value a, avout_value b, int nested)
{
    if (!avout__tagged_unwrap(&a, &b)) return NO;
    if (!avout__is_collection(a) || !avout__is_collection(b)) return avout__same(a, b) ? YES : NO;
    if (a.bits == b.bits) return YES;
    bool family =
        is_sequence(a) ? is_sequence(b) : avout__object_any(a)->type == avout__object_any(b)->type;
    if (!family || count_of(a) != count_of(b)) return NO;
    uint32_t hash_a = cached_hash(a), hash_b = cached_hash(b);
    if (hash_a && hash_b && hash_a != hash_b) return NO;
    equal_frame *frame = stack_push(s);
    if (!frame) return equal_all(a, b, nested + 1) ? YES : NO;
    equal_begin(frame, a, b);
    return DEEPER;
}

/* Moves to the first candidate that has the key's hash; a trie's all have. */
static bool choose(equal_frame *frame, avout_value key)
{
    uint32_t width = avout__hashed_width(frame->in), hash = avout_value_hash(key);
    while (frame->candidates && avout_value_hash(*frame->candidate) != hash) {
        frame->candidate += width;
        frame->candidates--;
    }
    return frame->candidates;
}

static avout_value frame_key(const equal_frame *frame)
{
    return avout__hashed_width(frame->in) == 2 ? frame->it.key : frame->it.item;
}

/* Goes on with the frame on top until it is done, refuted, or has pushed another. `frame` does not
 * stay valid across compare, which may move the frames. */
static answer equal_run(stack *s, int nested)
{
    for (;;) {
        equal_frame *frame = stack_top(s);
        answer result = YES;
        if (!frame->hashed) {
            if (!frame->left--) return YES;
            avout_value a = cursor_next(&frame->a), b = cursor_next(&frame->b);
            result = compare(s, a, b, nested);
        } else if (frame->choosing) { /* the key has its equal: now the items */
            frame->choosing = false;
            if (avout__hashed_width(frame->in) == 2)
                result = compare(s, frame->it.item, frame->candidate[1], nested);
        } else {
            if (!frame->left--) return YES;
            avout_iterator_next(&frame->it);
            avout_value key = frame_key(frame);
            if (!avout__is_collection(key) && !avout__is_type(key, AVOUT_TYPE_TAGGED)) {
                /* at most one can be equal, and it is found at once */
                frame->candidate = avout__hashed_find(frame->in, key);
                if (!frame->candidate) return NO;
                frame->candidates = 1;
                frame->choosing = true;
                continue;
            }
            frame->candidate =
                avout__hashed_candidates(frame->in, avout_value_hash(key), &frame->candidates);
            if (!frame->candidate || !choose(frame, key)) return NO;
            frame->choosing = true;
            result = compare(s, key, *frame->candidate, nested);
            if (result == NO) return NO;
        }
        if (result != YES) return result;
    }
}

/* After a NO: back to the last place where another candidate is left; NO when there is none. */
static answer equal_retry(stack *s, int nested)
{
    while (s->count) {
        equal_frame *frame = stack_top(s);
        if (frame->hashed && frame->choosing && frame->candidates > 1) {
            avout_value key = frame_key(frame);
            frame->candidate += avout__hashed_width(frame->in);
            frame->candidates--;
            if (choose(frame, key)) {
                answer result = compare(s, key, *frame->candidate, nested);
                if (result != NO) return result;
                continue;
            }
        }
        s->count--;
    }
    return NO;
}

/* How often equality begins a new stack inside itself when there is no memory for a larger one. */
enum { NESTED_MAX = 100 };

static bool equal_all(avout_value a, avout_value b, int nested)
{
    if (nested > NESTED_MAX) {
        avout_fail(AVOUT_ENOMEM, "out of memory: comparing values of great depth");
        return false;
    }
    equal_frame first[INLINE_FRAMES];
    stack s = stack_on(first, sizeof *first);
    bool equal = true;
    equal_begin(stack_push(&s), a, b);
    while (s.count && equal) {
        answer result = equal_run(&s, nested);
        if (result == YES) s.count--;
        else if (result == NO) equal = equal_retry(&s, nested) != NO;
    }
    avout__free(s.heap);
    return equal;
}

bool avout__collection_equal(const avout__object *a, const avout__object *b)
{
    avout_value va = as_value(a), vb = as_value(b);
    if (count_of(va) != count_of(vb)) return false;
    uint32_t hash_a = cached_hash(va), hash_b = cached_hash(vb);
    if (hash_a && hash_b && hash_a != hash_b) return false;
    return equal_all(va, vb, 0);
}

/* ---- order ----------------------------------------------------------------------------------- */

typedef struct order_frame {
    const avout__vector *a, *b;
    size_t index;
} order_frame;

/* Clojure's: the shorter vector first, then the first elements that differ. */
static int order_of_counts(const avout__vector *a, const avout__vector *b)
{
    return (a->count > b->count) - (a->count < b->count);
}

avout_status avout__vector_compare(int *order, const avout__object *a, const avout__object *b)
{
    order_frame first[INLINE_FRAMES], *frame;
    stack s = stack_on(first, sizeof *first);
    avout_status status = AVOUT_OK;
    frame = stack_push(&s);
    *frame = (order_frame){avout__vector_of(as_value(a)), avout__vector_of(as_value(b)), 0};
    int result = order_of_counts(frame->a, frame->b);
    while (s.count && !result && !status) {
        frame = stack_top(&s);
        if (frame->index == frame->a->count) {
            s.count--;
            continue;
        }
        avout_value va = *avout__vector_run(frame->a, frame->index);
        avout_value vb = *avout__vector_run(frame->b, frame->index++);
        if (va.bits == vb.bits) continue;
        if (!avout__is_type(va, AVOUT_TYPE_VECTOR) || !avout__is_type(vb, AVOUT_TYPE_VECTOR)) {
            status = avout_value_compare(&result, va, vb);
            continue;
        }
        frame = stack_push(&s);
        if (!frame) {
            status = AVOUT_ENOMEM;
            break;
        }
        *frame = (order_frame){avout__vector_of(va), avout__vector_of(vb), 0};
        result = order_of_counts(frame->a, frame->b);
    }
    avout__free(s.heap);
    if (!status) *order = result;
    return status;
}
