/* A validator in C with the bug of 2015 for real: at refresh it reads the peer's certificate whatever the transport, and
 * a plain-TCP peer has none. The null pointer it then follows is its own, the SIGSEGV is its own; refresh-sim takes that
 * for what it is, the access violation of a front end.
 *
 *     cc -O1 -o validator examples/validator.c                (the bug)
 *     cc -O1 -DFIXED -o validator examples/validator.c        (branches on the transport first)
 *     refresh-sim run scenarios/sfb2015/incident.toml --validator ./validator
 *
 * docs/validator.md has the protocol. The reader of JSON below knows just what the questions have: one object a line,
 * no spaces, keys in any order, each value found by its key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef BATCH
#define BATCH 256 /* questions that may be open at once */
#endif
#define TEXT(number) #number
#define NUMBER(macro) TEXT(macro)

struct certificate {
    char state[16]; /* valid, expired, wrong-name, untrusted */
};

struct question {
    unsigned long long id;
    int is_refresh, is_tcp, is_ipv6, is_known;
    const struct certificate *certificate; /* NULL: none was shown */
};

/* Where the value of a key begins, or NULL. */
static const char *value(const char *line, const char *key) {
    const char *at = strstr(line, key);
    return at ? at + strlen(key) : NULL;
}

static int is(const char *at, const char *word) { return at && strncmp(at, word, strlen(word)) == 0; }

static int read_question(const char *line, struct question *q, struct certificate *room) {
    const char *id = value(line, "\"id\":"), *address = value(line, "\"address\":\"");
    const char *state = value(line, "\"certificate\":{\"state\":\"");
    if (!id || !address) return 0;
    q->id = strtoull(id, NULL, 10);
    q->is_refresh = is(value(line, "\"phase\":\""), "refresh");
    q->is_tcp = is(value(line, "\"transport\":\""), "tcp");
    q->is_known = is(value(line, "\"address_known\":"), "true");
    q->is_ipv6 = memchr(address, ':', strcspn(address, "\"")) != NULL;
    q->certificate = NULL;
    if (state) {
        snprintf(room->state, sizeof room->state, "%.*s", (int)strcspn(state, "\""), state);
        q->certificate = room;
    }
    return 1;
}

/* NULL: accepted; else the reason. */
static const char *by_names_of(const struct certificate *certificate) {
    const char *state = certificate->state; /* the bug: who says that there is one? */
    switch (state[0]) {
    case 'v': return NULL;
    case 'e': return "certificate-expired";
    case 'w': return "certificate-name";
    default: return "certificate-untrusted";
    }
}

static const char *by_address(const struct question *q) {
    if (q->is_ipv6) return "tcp-over-ipv6";
    return q->is_known ? NULL : "address-unknown";
}

static const char *judge(const struct question *q) {
#ifndef FIXED
    if (q->is_refresh) return by_names_of(q->certificate);
#endif
    if (q->is_tcp) return by_address(q);
    return q->certificate ? by_names_of(q->certificate) : "certificate-missing";
}

static void answer(FILE *answers, const char *line) {
    struct question q;
    struct certificate room;
    if (!read_question(line, &q, &room)) {
        fprintf(stderr, "not a question: %s\n", line);
        exit(2);
    }
    const char *reason = judge(&q);
    if (reason)
        fprintf(answers, "{\"id\":%llu,\"verdict\":\"reject\",\"reason\":\"%s\"}\n", q.id, reason);
    else
        fprintf(answers, "{\"id\":%llu,\"verdict\":\"accept\"}\n", q.id);
}

int main(void) {
    static char in[128 * 1024]; /* a line has at most 64 KiB */
    const char *from = getenv("REFRESH_SIM_QUESTIONS"), *to = getenv("REFRESH_SIM_ANSWERS");
    const char *front_end = getenv("REFRESH_SIM_FRONT_END");
    FILE *answers = from && to ? fdopen(atoi(to), "w") : NULL;
    if (!answers) {
        fprintf(stderr, "refresh-sim starts this program; see docs/validator.md\n");
        return 2;
    }
    fprintf(stderr, "for %s; this goes to validator.log\n", front_end ? front_end : "nobody");
    fprintf(answers, "{\"protocol\":\"refresh-sim.validator/1\",\"name\":\"sfb2015 in C\",\"version\":\"1.0\","
                     "\"pure\":true,\"time_free\":true,\"batch\":" NUMBER(BATCH) "}\n");
    size_t held = 0;
    ssize_t got;
    /* Answers go out when all that has come is answered: one by one if it is asked so, many at once if asked ahead. */
    while (fflush(answers) == 0 && (got = read(atoi(from), in + held, sizeof in - 1 - held)) > 0) {
        char *line = in, *end;
        held += (size_t)got;
        in[held] = '\0';
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            answer(answers, line);
        }
        held -= (size_t)(line - in);
        memmove(in, line, held);
    }
    return 0; /* the questions have ended, and so has the front end */
}
