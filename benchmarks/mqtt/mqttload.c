/* mqttload: a load of MQTT 3.1.1 clients from one epoll loop, no allocation per message.
 *
 *   mqttload MODE PORT TOPIC [-c clients] [-t seconds] [-u warm-up] [-w window] [-b bytes]
 *
 *   fanout   clients subscribe to TOPIC, QoS 0, and one more publishes to it, window messages under way: deliveries/s
 *   publish  client N publishes to TOPIC/N, QoS 1, window messages under way: acknowledgements/s
 *   idle     client N subscribes to TOPIC/N, keep alive 60 s; held until standard input ends
 *
 * Each phase prints one line of JSON: {"phase":"open",...}, {"phase":"measuring"},
 * {"phase":"done",...}. Exit code 1: not all went well.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { FANOUT, PUBLISH, IDLE };
static const char *MODES[] = { "fanout", "publish", "idle" };
enum { CONNACK = 2, PUB = 3, PUBACK = 4, SUBACK = 9, HELD = 65536, UNDER_WAY = 64, OUT = 1 << 20 };

typedef struct {
    int fd, open;
    uint32_t have, number, last_id;
    uint8_t *held;         /* what was received and is no whole packet yet */
} client_t;

static enum mode mode;
static client_t *clients;
static int nclients = 200, nsubscribers, opened, dead, under_way, ep, window = 1, size = 64;
static uint64_t count, room_left;
static int measuring;
static double seconds = 3, warmup = 1;
static struct sockaddr_in broker = { .sin_family = AF_INET };
static uint8_t out[OUT];
static const char *topic;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}
static void die(const char *what) { perror(what); exit(1); }
static void lose(client_t *c, const char *why) {
    if (!dead++) fprintf(stderr, "mqttload: %s\n", why);
    if (!c->open) under_way--;
    close(c->fd);
    c->fd = -1;
}
static void put(client_t *c, const uint8_t *p, int n) {
    while (n > 0 && c->fd >= 0) {
        int r = send(c->fd, p, n, MSG_NOSIGNAL);
        if (r >= 0) { p += r; n -= r; }
        else if (errno == EAGAIN) usleep(50);
        else lose(c, "a connection broke while sending");
    }
}

static uint8_t *text(uint8_t *p, const char *value) {
    int n = strlen(value);
    *p++ = n >> 8;
    *p++ = n & 255;
    memcpy(p, value, n);
    return p + n;
}
/* A packet whose body begins five bytes behind out: the fixed header goes right in front of it. */
static void finish(client_t *c, uint8_t first, uint8_t *end) {
    uint8_t *body = out + 5, header[5] = { first };
    int left = end - body, n = 1;
    do { header[n++] = (left & 127) | (left > 127 ? 128 : 0); left >>= 7; } while (left);
    memcpy(body - n, header, n);
    put(c, body - n, end - body + n);
}
static const char *topic_of(client_t *c) {
    static char own[300];
    if (mode == FANOUT) return topic;
    snprintf(own, sizeof own, "%s/%u", topic, c->number);
    return own;
}
static void connect_packet(client_t *c) {
    char id[32];
    uint8_t *p = text(out + 5, "MQTT");
    sprintf(id, "load-%u", c->number);
    *p++ = 4; *p++ = 2; *p++ = 0; *p++ = 60;                      /* 3.1.1, clean session, keep alive */
    finish(c, 0x10, text(p, id));
}
static void subscribe_packet(client_t *c) {
    uint8_t *p = out + 5;
    *p++ = 0; *p++ = 1;
    p = text(p, topic_of(c));
    *p++ = 0;
    finish(c, 0x82, p);
}
static void publish_packet(client_t *c) {
    uint8_t *p = text(out + 5, topic_of(c));
    if (mode == PUBLISH) {
        c->last_id = c->last_id % 65535 + 1;
        *p++ = c->last_id >> 8;
        *p++ = c->last_id & 255;
    }
    memset(p, 'x', size);                                          /* a text of JSON */
    p[0] = p[size - 1] = '"';
    finish(c, mode == PUBLISH ? 0x32 : 0x30, p + size);
}

static void ready(client_t *c) { c->open = 1; opened++; under_way--; }
static void on_packet(client_t *c, int kind) {
    if (kind == CONNACK) {
        if (mode == IDLE || (mode == FANOUT && (int)c->number < nsubscribers)) subscribe_packet(c);
        else ready(c);
    } else if (kind == SUBACK) ready(c);
    else if (kind == PUBACK) { count += measuring; publish_packet(c); }
    else if (kind == PUB) {
        count += measuring;
        if (--room_left == 0) { room_left = nsubscribers; publish_packet(&clients[nsubscribers]); }   /* all have it */
    }
}
static uint8_t *whole(uint8_t *p, uint8_t *end) {                  /* the end of a packet; NULL: more has to come */
    uint32_t length = 0;
    for (int place = 0; place < 4 && p + 1 + place < end; place++) {
        length |= (p[1 + place] & 127u) << 7 * place;
        if (p[1 + place] < 128) return (uint32_t)(end - p) >= 2 + place + length ? p + 2 + place + length : NULL;
    }
    return NULL;
}
static void feed(client_t *c) {
    if (!c->held && !(c->held = malloc(HELD))) die("malloc");
    int r = recv(c->fd, c->held + c->have, HELD - c->have, 0);
    if (r < 0 && errno == EAGAIN) return;
    if (r <= 0) { lose(c, "a connection was closed by the broker"); return; }
    uint8_t *p = c->held, *end = p + c->have + r, *next;
    for (; c->fd >= 0 && (next = whole(p, end)); p = next) on_packet(c, *p >> 4);
    c->have = end - p;
    memmove(c->held, p, c->have);
    if (mode == IDLE && !c->have) { free(c->held); c->held = NULL; }
}

static void start(client_t *c) {
    int one = 1;
    struct sockaddr_in source = { .sin_family = AF_INET };
    struct epoll_event interest = { .events = EPOLLIN, .data.ptr = c };
    if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0) die("socket");
    under_way++;
    c->number = c - clients;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    source.sin_addr.s_addr = htonl(0x7f000002 + c->number / 10000);
    bind(c->fd, (void *)&source, sizeof source);
    if (connect(c->fd, (void *)&broker, sizeof broker)) { lose(c, strerror(errno)); return; }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &interest);
    connect_packet(c);
}
static void turn(int wait_ms) {
    struct epoll_event events[512];
    int n = epoll_wait(ep, events, 512, wait_ms);
    for (int k = 0; k < n; k++) {
        client_t *c = events[k].data.ptr;
        if (c->fd >= 0) feed(c);
    }
}
static void open_all(void) {                                       /* gives up when nothing opens for 20 seconds */
    double moved = now();
    for (int next = 0, before = 0; opened + dead < nclients && now() - moved < 20;) {
        while (next < nclients && under_way < UNDER_WAY) start(&clients[next++]);
        turn(20);
        if (opened + dead != before) { before = opened + dead; moved = now(); }
    }
    if (opened < nclients) { fprintf(stderr, "mqttload: opened %d of %d\n", opened, nclients); dead += !dead; }
    printf("{\"phase\":\"open\",\"conns\":%d}\n", opened);
    fflush(stdout);
}
static void spin(double how_long) {
    for (double until = now() + how_long; now() < until;) turn(20);
}
static void hold(void) {
    struct pollfd in = { .fd = 0, .events = POLLIN };
    char nothing[64];
    for (;; turn(20))
        if (poll(&in, 1, 0) > 0 && read(0, nothing, sizeof nothing) <= 0) return;
}
static double measure(void) {
    room_left = nsubscribers;
    for (int w = 0; w < window; w++)
        for (int i = mode == FANOUT ? nsubscribers : 0; i < nclients; i++) publish_packet(&clients[i]);
    spin(warmup);
    printf("{\"phase\":\"measuring\"}\n");
    fflush(stdout);
    double begun = now();
    measuring = 1;
    spin(seconds);
    return now() - begun;
}
static int usage(void) {
    fprintf(stderr, "usage: mqttload fanout|publish|idle PORT TOPIC [-c clients] [-t seconds] [-u warm-up] [-w window] [-b bytes]\n");
    return 2;
}
int main(int argc, char **argv) {
    for (int o; (o = getopt(argc, argv, "c:t:u:w:b:")) != -1;) {
        if (o == 'c') nclients = atoi(optarg); else if (o == 't') seconds = atof(optarg);
        else if (o == 'u') warmup = atof(optarg); else if (o == 'w') window = atoi(optarg);
        else if (o == 'b') size = atoi(optarg); else return usage();
    }
    if (argc - optind != 3) return usage();
    while (mode <= IDLE && strcmp(argv[optind], MODES[mode])) mode++;
    if (mode > IDLE || nclients < 1 || size < 2 || size > 60000) return usage();
    nsubscribers = nclients;
    nclients += mode == FANOUT;
    topic = argv[optind + 2];
    broker.sin_port = htons(atoi(argv[optind + 1]));
    inet_pton(AF_INET, "127.0.0.1", &broker.sin_addr);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (!(clients = calloc(nclients, sizeof *clients))) die("calloc");
    ep = epoll_create1(0);
    open_all();
    if (mode == IDLE) hold();
    double took = mode == IDLE || dead ? 1 : measure();
    printf("{\"phase\":\"done\",\"per_s\":%.0f,\"n\":%llu,\"dead\":%d}\n", count / took, (unsigned long long)count, dead);
    return dead != 0;
}
