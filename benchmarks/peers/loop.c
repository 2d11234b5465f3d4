/* loop: the ceiling. One epoll loop in C that echoes, or sends what one socket says to all others, one send() per delivery.
 *
 *   loop PORT        a path with "echo" in it echoes, every other path is the one room
 *
 * It understands what wsload sends and nothing else: whole small frames with a mask of zero, always the same
 * Sec-WebSocket-Key. A server for the world does more; this says what the kernel and C ask for the rest.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1 << 20, ROOM = 1, ECHO = 2, BUFFER = 1 << 16 };
static const char ANSWER[] =   /* to wsload's key */
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static uint8_t kind[MOST], in[BUFFER];
static int place[MOST], members[MOST], nmembers, ep;

static void put(int fd, const uint8_t *p, int n) {
    for (int off = 0, r; off < n; off += r > 0 ? r : 0)
        if ((r = send(fd, p + off, n - off, MSG_NOSIGNAL)) < 0 && errno != EAGAIN) return;
}
static void drop(int fd) {
    if (kind[fd] == ROOM) {
        int last = members[--nmembers];
        members[place[fd]] = last;
        place[last] = place[fd];
    }
    kind[fd] = 0;
    close(fd);
}
static void welcome(int fd, int n) {
    int echoes = memmem(in, n < 64 ? n : 64, "echo", 4) != NULL;
    if (!memmem(in, n, "Sec-WebSocket-Key", 17)) { drop(fd); return; }
    kind[fd] = echoes ? ECHO : ROOM;
    if (!echoes) { place[fd] = nmembers; members[nmembers++] = fd; }
    put(fd, (const uint8_t *)ANSWER, sizeof ANSWER - 1);
}
static void frame(int fd, uint8_t *p, int n, int head) {   /* the mask is zero: cut it out, and the frame is an answer */
    uint8_t *out = p + 4;
    memmove(out + 2, p + 2, head - 6);
    out[0] = p[0];
    out[1] = p[1] & 127;
    if (kind[fd] == ECHO) put(fd, out, head - 4 + n);
    else for (int i = 0; i < nmembers; i++) put(members[i], out, head - 4 + n);
}
static void serve(int fd) {
    int got = recv(fd, in, sizeof in, 0);
    if (got <= 0) { if (got == 0 || errno != EAGAIN) drop(fd); return; }
    if (!kind[fd]) { welcome(fd, got); return; }
    for (uint8_t *p = in, *end = in + got; end - p >= 6;) {
        int n = p[1] & 127, head = n == 126 ? 8 : 6;
        if (n == 126) n = p[2] << 8 | p[3];
        if (end - p < head + n) return;
        if ((p[0] & 15) == 8) { put(fd, (const uint8_t *)"\x88\0", 2); drop(fd); return; }
        uint8_t *next = p + head + n;
        frame(fd, p, n, head);
        p = next;
    }
}
static void greet(int listener) {
    int one = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct epoll_event interest = { .events = EPOLLIN, .data.fd = fd };
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &interest);
    }
}
int main(int argc, char **argv) {
    struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event events[512], interest = { .events = EPOLLIN };
    struct rlimit limit;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (argc != 2) { fprintf(stderr, "usage: loop PORT\n"); return 2; }
    me.sin_port = htons(atoi(argv[1]));
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < MOST ? limit.rlim_max : MOST;
    setrlimit(RLIMIT_NOFILE, &limit);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&me, sizeof me) || listen(listener, 4096)) { perror("loop"); return 1; }
    ep = epoll_create1(0);
    interest.data.fd = listener;
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &interest);
    for (;;) {
        int n = epoll_wait(ep, events, 512, -1);
        for (int k = 0; k < n; k++) {
            if (events[k].data.fd == listener) greet(listener);
            else serve(events[k].data.fd);
        }
    }
}
