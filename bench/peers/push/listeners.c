/* The listeners of bench/push.py: many event streams held open by one thread, which also publishes.
 *
 * It reads commands from its input, one a line, and answers each with a line of JSON:
 *   open                      open all streams, so many at a time, and wait for the first event
 *   broadcast ROUNDS BURST    publish BURST events to all, wait until all have them; ROUNDS times
 *   personal RATE SECONDS B   publish RATE events a second, each to somebody at random, and, if B,
 *                             one to all every second
 *   storm MISSED              cut all streams, publish MISSED events to all, come back with what was
 *                             seen, and wait until everybody has what was missed
 *   stall SHARE ROUNDS BURST  read no more from so many in a hundred, then as broadcast, to the others
 *   thaw MISSED               read from them again, come back where that was cut off, and wait until
 *                             they have what was missed
 *   ended                     wait until the server has ended all streams
 * Latency counts from the moment at which an event was to be published, whatever delayed it; that
 * moment is in the event, or zero in one that is not timed.
 *
 * Streams are asked for as the file of heads says, one for each, ended by a zero byte; names has the
 * name by which each is published to, one a line. FEED is `lines`, which are `NAME<tab>JSON`, or
 * `redis KEY EPOCH`, which adds to that stream.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OPENING_MAX 256
#define TAIL 1024
#define PAD 220
#define MARK "\"at\":\""
#define SAMPLES_MAX 4000000
#define WAIT_SECONDS_MAX 120
#define QUIET_SECONDS_MAX 5

typedef struct {
  int fd;
  int is_open;
  int is_cut;
  int tail_length;
  uint32_t events;
  uint64_t last_at;
  char tail[TAIL];
  char id[64];
} Stream;

static Stream *streams;
static char **heads, **names;
static int count, port, feed, epoll, is_redis, is_in_order = 1, opening, opened, may_end, stalled, cut, refused;
static char *key, *epoch;
static uint64_t received, lost;
static double *samples;
static size_t sampled;
static int is_sampling;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int connected(int to, int is_blocking) {
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to)};
  inet_pton(AF_INET, "127.0.0.1", &place.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (fd < 0) fail("socket");
  if (connect(fd, (struct sockaddr *)&place, sizeof place) < 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (!is_blocking) fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static char *content_of(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path);
  fseek(file, 0, SEEK_END);
  *length = (size_t)ftell(file);
  rewind(file);
  char *content = malloc(*length + 1);
  if (fread(content, 1, *length, file) != *length) fail(path);
  content[*length] = 0;
  fclose(file);
  return content;
}

static void publish(const char *to, uint64_t at) {
  static char padding[PAD + 1];
  char event[PAD + 64], line[PAD + 512];
  if (!padding[0]) memset(padding, 'x', PAD);
  int length = snprintf(event, sizeof event, "{\"at\":\"%020llu\",\"padding\":\"%s\"}",
                        (unsigned long long)at, padding);
  if (is_redis)
    length = snprintf(line, sizeof line,
                      "*12\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n"
                      "$5\r\n10000\r\n$1\r\n*\r\n$2\r\nto\r\n$%zu\r\n%s\r\n"
                      "$1\r\nd\r\n$%d\r\n%s\r\n$1\r\ne\r\n$%zu\r\n%s\r\n",
                      strlen(key), key, strlen(to), to, length, event, strlen(epoch), epoch);
  else
    length = snprintf(line, sizeof line, "%s\t%s\n", to, event);
  for (int sent = 0; sent < length;) {
    ssize_t taken = write(feed, line + sent, (size_t)(length - sent));
    if (taken < 0) fail("publish");
    sent += (int)taken;
  }
}

static void drain_feed(void) {
  char reply[65536];
  while (recv(feed, reply, sizeof reply, MSG_DONTWAIT) > 0) continue;
}

static void ask(Stream *stream) {
  char head[4096];
  int place = (int)(stream - streams), length;
  length = snprintf(head, sizeof head, "%s", heads[place]);
  if (stream->id[0]) length += snprintf(head + length, sizeof head - (size_t)length, "Last-Event-ID: %s\r\n", stream->id);
  length += snprintf(head + length, sizeof head - (size_t)length, "\r\n");
  stream->fd = connected(port, 0);
  stream->tail_length = 0;
  stream->is_open = stream->is_cut = 0;
  struct epoll_event watch = {.events = EPOLLIN, .data.ptr = stream};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, stream->fd, &watch) < 0) fail("epoll_ctl");
  if (write(stream->fd, head, (size_t)length) != length) fail("ask");
  opening++;
}

/* Count the events whose mark begins in the first `length` bytes; their time may lie behind. */
static void take(Stream *stream, char *content, size_t length, uint64_t at_now) {
  char *end = content + length, *place = content;
  while (place < end && (place = memmem(place, (size_t)(end - place) + sizeof MARK - 2, MARK, sizeof MARK - 1))) {
    uint64_t at = strtoull(place + sizeof MARK - 1, NULL, 10);
    place += sizeof MARK - 1 + 20;
    stream->events++;
    received++;
    if (!at) continue;
    if (at < stream->last_at) is_in_order = 0;
    stream->last_at = at;
    if (is_sampling && sampled < SAMPLES_MAX) samples[sampled++] = (double)(at_now - at) / 1e6;
  }
  for (char *id = content; (id = memmem(id, (size_t)(end - id), "id: ", 4));) {
    char *stop = memchr(id, '\n', (size_t)(end - id));
    if (!stop) break;
    size_t size = (size_t)(stop - id - 4);
    if (size < sizeof stream->id && (id == content || id[-1] == '\n')) {
      memcpy(stream->id, id + 4, size);
      stream->id[size] = 0;
    }
    id = stop;
  }
}

static void cut_off(Stream *stream) {
  close(stream->fd);
  if (!stream->is_open) opening--;
  stream->is_cut = 1;
  cut++;
}

static void receive(Stream *stream) {
  static char content[1 << 17];
  memcpy(content, stream->tail, (size_t)stream->tail_length);
  ssize_t came = recv(stream->fd, content + stream->tail_length, sizeof content - TAIL, 0);
  if (came < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (came <= 0 && may_end) {
    cut_off(stream);
    return;
  }
  if (came <= 0) {
    fprintf(stderr, "stream %ld was closed after: %.*s\n", (long)(stream - streams), stream->tail_length, stream->tail);
    exit(1);
  }
  size_t length = (size_t)came + (size_t)stream->tail_length;
  if (!stream->is_open && length > 12 && !memcmp(content, "HTTP/1.1 ", 9) && memcmp(content + 9, "200", 3)) {
    fprintf(stderr, "stream %ld was refused: %.*s\n", (long)(stream - streams), (int)length, content);
    refused++;
    cut_off(stream);
    if (!may_end) ask(stream);
    return;
  }
  if (!stream->is_open && memmem(content, length, "data:", 5)) {
    stream->is_open = 1;
    opening--;
    opened++;
  }
  /* As browsers do, take an event and its id when its end is there. */
  char *last = memrchr(content, '\n', length);
  while (last && last > content && last[-1] != '\n') last = memrchr(content, '\n', (size_t)(last - content));
  size_t whole = last ? (size_t)(last - content) + 1 : 0, rest = length - whole;
  take(stream, content, whole, now());
  if (rest > TAIL) {
    /* The middle of a long line: the mark was at its beginning. */
    take(stream, content + whole, rest - TAIL, now());
    whole = length - TAIL;
    rest = TAIL;
  }
  memmove(stream->tail, content + whole, rest);
  stream->tail_length = (int)rest;
}

static void look(int milliseconds) {
  struct epoll_event ready[1024];
  int found = epoll_wait(epoll, ready, 1024, milliseconds);
  for (int i = 0; i < found; i++) receive(ready[i].data.ptr);
}

/* Wait for so many events; what does not come while nothing comes is lost. */
static void until(uint64_t wanted) {
  uint64_t before = received, quiet_since = now();
  while (received < wanted) {
    if (received != before) before = received, quiet_since = now();
    if (now() - quiet_since > QUIET_SECONDS_MAX * 1000000000ull) {
      lost += wanted - received;
      received = wanted;
    }
    look(100);
    if (is_redis) drain_feed();
  }
}

static double seconds_since(uint64_t start) { return (double)(now() - start) / 1e9; }

static double cpu(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int by_size(const void *a, const void *b) {
  double one = *(const double *)a, other = *(const double *)b;
  return (one > other) - (one < other);
}

static double percentile(double share) {
  if (!sampled) return 0;
  return samples[(size_t)(share * (double)(sampled - 1))];
}

static void open_all(void) {
  opened = 0;
  for (int next = 0; opened < count;) {
    while (next < count && opening < OPENING_MAX) ask(&streams[next++]);
    look(100);
  }
}

static void broadcast(int rounds, int burst) {
  printf("{\"last_ms\":[");
  for (int i = 0; i < rounds; i++) {
    uint64_t start = now(), wanted = received + (uint64_t)count * (uint64_t)burst;
    for (int k = 0; k < burst; k++) publish("*", start);
    until(wanted);
    printf("%s%.3f", i ? "," : "", seconds_since(start) * 1e3);
  }
  printf("],\"events\":%llu,", (unsigned long long)count * (unsigned long long)(rounds * burst));
}

static void personal(int rate, int seconds, int with_broadcasts) {
  uint64_t start = now(), before = received, step = 1000000000ull / (uint64_t)rate, wanted = 0;
  long total = (long)rate * seconds;
  int told = 0;
  sampled = 0;
  is_sampling = 1;
  for (long sent = 0; sent < total;) {
    uint64_t at = now();
    if (with_broadcasts && (at - start) / 1000000000ull >= (uint64_t)told && told < seconds) {
      publish("*", 0);
      told++;
      wanted += (uint64_t)count;
    }
    for (; sent < total && start + (uint64_t)sent * step <= at; sent++) {
      publish(names[random() % count], start + (uint64_t)sent * step);
      wanted++;
    }
    look(0);
    if (is_redis) drain_feed();
    if (start + (uint64_t)sent * step > now() + 200000) look(1);
  }
  until(before + wanted);
  is_sampling = 0;
  qsort(samples, sampled, sizeof *samples, by_size);
  printf("{\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"events\":%llu,", percentile(0.5), percentile(0.99), (unsigned long long)wanted);
}

static void storm(int missed) {
  struct linger reset = {1, 0};
  for (int i = 0; i < count; i++) {
    setsockopt(streams[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(streams[i].fd);
    streams[i].events = 0;
  }
  for (int k = 0; k < missed; k++) publish("*", now());
  usleep(500000);
  drain_feed();
  uint64_t start = now();
  open_all();
  uint64_t end = now() + WAIT_SECONDS_MAX * 1000000000ull;
  for (int i = 0; i < count;) {
    if (streams[i].events >= (uint32_t)missed) i++;
    else if (now() > end) break;
    else look(10);
  }
  double seconds = seconds_since(start);
  int exact = 0;
  for (int i = 0; i < count; i++) exact += streams[i].events == (uint32_t)missed;
  printf("{\"seconds\":%.3f,\"exact\":%d,\"events\":%d,", seconds, exact, count * missed);
}

static void stall(int share, int rounds, int burst) {
  int small = 4096;
  stalled = (int)((long)count * share / 100);
  for (int i = 0; i < count; i++) streams[i].events = 0;
  for (int i = 0; i < stalled; i++) {
    setsockopt(streams[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    epoll_ctl(epoll, EPOLL_CTL_DEL, streams[i].fd, NULL);
  }
  uint64_t start = now(), told = (uint64_t)(count - stalled) * (uint64_t)burst;
  for (int i = 0; i < rounds; i++) {
    for (int k = 0; k < burst; k++) publish("*", now());
    until(received + told);
  }
  printf("{\"seconds\":%.3f,\"events\":%llu,", seconds_since(start), (unsigned long long)told * (unsigned long long)rounds);
}

static void thaw(int missed) {
  int exact = 0, again = 0;
  uint64_t start = now(), end = now() + WAIT_SECONDS_MAX * 1000000000ull;
  may_end = 1;
  cut = 0;
  for (int i = 0; i < stalled; i++) {
    struct epoll_event watch = {.events = EPOLLIN, .data.ptr = &streams[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, streams[i].fd, &watch);
  }
  for (int i = 0; i < stalled && now() < end;) {
    for (int k = i; k < stalled && opening < OPENING_MAX; k++)
      if (streams[k].is_cut) ask(&streams[k]), again++;
    if (!streams[i].is_cut && streams[i].events >= (uint32_t)missed) i++;
    else look(10);
  }
  may_end = 0;
  for (int i = 0; i < count; i++) exact += streams[i].events == (uint32_t)missed;
  printf("{\"seconds\":%.3f,\"stalled\":%d,\"came_again\":%d,\"exact\":%d,", seconds_since(start), stalled, again, exact);
}

static void ended(void) {
  uint64_t start = now(), end = now() + WAIT_SECONDS_MAX * 1000000000ull;
  may_end = 1;
  for (cut = 0; cut < count && now() < end;) look(100);
  printf("{\"seconds\":%.3f,\"ended\":%d,", seconds_since(start), cut);
}

int main(int argc, char **argv) {
  if (argc < 6) {
    fprintf(stderr, "usage: listeners PORT HEADS NAMES FEED_PORT lines|redis [KEY EPOCH]\n");
    return 2;
  }
  size_t length;
  char *content = content_of(argv[2], &length);
  for (size_t i = 0; i < length; i++) count += !content[i];
  heads = calloc((size_t)count, sizeof *heads);
  names = calloc((size_t)count, sizeof *names);
  streams = calloc((size_t)count, sizeof *streams);
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  for (int i = 0; i < count; i++, content += strlen(content) + 1) heads[i] = content;
  char *line = content_of(argv[3], &length);
  for (int i = 0; i < count; i++) names[i] = strsep(&line, "\n");
  port = atoi(argv[1]);
  is_redis = !strcmp(argv[5], "redis");
  if (is_redis) key = argv[6], epoch = argv[7];
  feed = connected(atoi(argv[4]), 1);
  epoll = epoll_create1(0);
  char command[256];
  while (fgets(command, sizeof command, stdin)) {
    int a = 0, b = 0, c = 0;
    double used = cpu();
    uint64_t start = now();
    is_in_order = 1;
    lost = 0;
    refused = 0;
    if (!strncmp(command, "open", 4)) {
      open_all();
      printf("{\"streams\":%d,", opened);
    } else if (sscanf(command, "broadcast %d %d", &a, &b) == 2) {
      broadcast(a, b);
    } else if (sscanf(command, "personal %d %d %d", &a, &b, &c) == 3) {
      personal(a, b, c);
    } else if (sscanf(command, "storm %d", &a) == 1) {
      storm(a);
    } else if (sscanf(command, "stall %d %d %d", &a, &b, &c) == 3) {
      stall(a, b, c);
    } else if (sscanf(command, "thaw %d", &a) == 1) {
      thaw(a);
    } else if (!strncmp(command, "ended", 5)) {
      ended();
    } else {
      fprintf(stderr, "what is %s", command);
      return 2;
    }
    printf("\"in_order\":%s,\"lost\":%llu,\"refused\":%d,\"took_seconds\":%.3f,\"cpu_seconds\":%.3f}\n", is_in_order ? "true" : "false", (unsigned long long)lost, refused, seconds_since(start), cpu() - used);
    fflush(stdout);
  }
  return 0;
}
