/* The limit of bench/push.py: what an epoll loop in C needs to write the same bytes.
 *
 * It takes `NAME<tab>JSON` lines on FEED_PORT and writes each as an event, one send for each stream
 * that it concerns: all for `*`, else the one that gave the name as the last part of its path. It
 * ends with its feed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS_MAX 65536
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nevent: snapshot\ndata: {}\n\n"

static int by_number[STREAMS_MAX];
static int open_fds[STREAMS_MAX], place_of[STREAMS_MAX], opened;
static long long next_id = 1000000000000;

static int listening(int port) {
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, "127.0.0.1", &place.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0 || listen(fd, 4096) < 0) {
    perror("listen");
    exit(1);
  }
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void forget(int fd) {
  if (open_fds[place_of[fd]] == fd) {
    int last = open_fds[--opened];
    open_fds[place_of[fd]] = last;
    place_of[last] = place_of[fd];
  }
  close(fd);
}

static void ask(int fd) {
  char head[4096];
  ssize_t length = recv(fd, head, sizeof head - 1, 0);
  if (length <= 0) {
    if (length == 0 || errno != EAGAIN) forget(fd);
    return;
  }
  head[length] = 0;
  char *path = strstr(head, "/events/");
  if (!path) return;
  by_number[atoi(path + 8)] = fd;
  place_of[fd] = opened;
  open_fds[opened++] = fd;
  if (send(fd, HEAD, sizeof HEAD - 1, MSG_NOSIGNAL) < 0) forget(fd);
}

static void tell(char *line) {
  char event[2048], *json = strchr(line, '\t');
  if (!json) return;
  *json++ = 0;
  int length = snprintf(event, sizeof event, "id: 0123abcd:%lld-0\nevent: change\ndata: %s\n\n", next_id++, json);
  if (*line != '*') {
    send(by_number[atoi(line)], event, (size_t)length, MSG_NOSIGNAL);
    return;
  }
  for (int i = 0; i < opened; i++) send(open_fds[i], event, (size_t)length, MSG_NOSIGNAL);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  signal(SIGPIPE, SIG_IGN);
  static char buffer[1 << 20];
  size_t held = 0;
  int epoll = epoll_create1(0), door = listening(atoi(argv[1])), feed_door = listening(atoi(argv[2])), feed = -1, one = 1;
  watch(epoll, door);
  watch(epoll, feed_door);
  for (;;) {
    struct epoll_event ready[1024];
    int found = epoll_wait(epoll, ready, 1024, -1);
    for (int i = 0; i < found; i++) {
      int fd = ready[i].data.fd, came;
      if (fd == door) {
        while ((came = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(came, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          watch(epoll, came);
        }
      } else if (fd == feed_door) {
        if ((feed = accept4(feed_door, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(epoll, feed);
      } else if (fd == feed) {
        ssize_t length = recv(feed, buffer + held, sizeof buffer - held - 1, 0);
        if (length <= 0) return 0;
        held += (size_t)length;
        char *start = buffer, *end;
        while ((end = memchr(start, '\n', held - (size_t)(start - buffer)))) {
          *end = 0;
          tell(start);
          start = end + 1;
        }
        held -= (size_t)(start - buffer);
        memmove(buffer, start, held);
      } else if (ready[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        forget(fd);
      } else {
        ask(fd);
      }
    }
  }
}
