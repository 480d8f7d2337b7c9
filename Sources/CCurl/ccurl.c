#define _GNU_SOURCE
#include "ccurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* From curl.h and multi.h, whose numbers never change. */
enum {
  opt_write_data = 10001,
  opt_url = 10002,
  opt_error_buffer = 10010,
  opt_write_function = 20011,
  opt_post_fields = 10015,
  opt_low_speed_limit = 19,
  opt_low_speed_time = 20,
  opt_http_header = 10023,
  opt_header_data = 10029,
  opt_header_function = 20079,
  opt_http_version = 84,
  opt_no_signal = 99,
  opt_post_field_size = 60,
  opt_tcp_no_delay = 121,
  opt_connect_timeout_ms = 156,
  opt_no_proxy = 10177,
  opt_protocols = 181,
  http_1_1 = 2,
  http_and_https = 3,
  global_all = 3,
  message_done = 1,
  error_size = 256,
};

struct message {
  int kind;
  void *easy;
  union {
    void *whatever;
    int result;
  } data;
};

static struct {
  int (*global_init)(long);
  void *(*easy_init)(void);
  int (*easy_setopt)(void *, int, ...);
  void (*easy_cleanup)(void *);
  const char *(*easy_strerror)(int);
  void *(*slist_append)(void *, const char *);
  void (*slist_free_all)(void *);
  void *(*multi_init)(void);
  int (*multi_add_handle)(void *, void *);
  int (*multi_remove_handle)(void *, void *);
  int (*multi_perform)(void *, int *);
  int (*multi_poll)(void *, void *, unsigned, int, int *);
  int (*multi_wakeup)(void *);
  struct message *(*multi_info_read)(void *, int *);
  int (*multi_cleanup)(void *);
} curl;

static char error_text[512];
static int status = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so", NULL};
  void *library = NULL;
  for (int i = 0; names[i] && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    snprintf(error_text, sizeof error_text, "%s", why ? why : "libcurl.so.4 cannot be loaded");
    return;
  }
  static const char *const functions[] = {
      "curl_global_init", "curl_easy_init", "curl_easy_setopt", "curl_easy_cleanup", "curl_easy_strerror",
      "curl_slist_append", "curl_slist_free_all", "curl_multi_init", "curl_multi_add_handle",
      "curl_multi_remove_handle", "curl_multi_perform", "curl_multi_poll", "curl_multi_wakeup", "curl_multi_info_read",
      "curl_multi_cleanup"};
  void **table = (void **)&curl;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    table[i] = dlsym(library, functions[i]);
    if (!table[i]) {
      snprintf(error_text, sizeof error_text, "libcurl lacks %s: it is older than 7.68", functions[i]);
      return;
    }
  }
  if (curl.global_init(global_all) != 0) {
    snprintf(error_text, sizeof error_text, "libcurl cannot be started");
    return;
  }
  status = 0;
}

int ccu_load(void) {
  pthread_once(&once, load);
  return status;
}

const char *ccu_error(void) { return error_text; }

struct ccu_transfer {
  void *easy, *multi, *headers;
  uint8_t *body;
  atomic_bool is_cancelled;
  void *context;
  ccu_receive on_head, on_body;
  int was_ended;
  char reason[error_size];
};

static size_t receive(ccu_transfer *transfer, ccu_receive callback, const void *bytes, size_t count) {
  if (count == 0) return 0;
  if (atomic_load(&transfer->is_cancelled) || callback(transfer->context, bytes, count) != 0) {
    transfer->was_ended = 1;
    return 0; /* fewer than came: libcurl ends the transfer */
  }
  return count;
}

static size_t on_head(const void *bytes, size_t size, size_t count, void *transfer) {
  return receive(transfer, ((ccu_transfer *)transfer)->on_head, bytes, size * count);
}

static size_t on_body(const void *bytes, size_t size, size_t count, void *transfer) {
  return receive(transfer, ((ccu_transfer *)transfer)->on_body, bytes, size * count);
}

ccu_transfer *ccu_make(const char *url, const char *const *headers, size_t header_count, const uint8_t *body,
                       size_t length, int direct, long connect_ms, long idle_s) {
  if (status != 0) return NULL;
  ccu_transfer *transfer = calloc(1, sizeof *transfer);
  if (!transfer) return NULL;
  transfer->easy = curl.easy_init();
  transfer->multi = curl.multi_init();
  if (!transfer->easy || !transfer->multi) goto failed;
  for (size_t i = 0; i < header_count; i++) {
    void *more = curl.slist_append(transfer->headers, headers[i]);
    if (!more) goto failed;
    transfer->headers = more;
  }
  void *easy = transfer->easy;
  int wrong = curl.easy_setopt(easy, opt_url, url);
  wrong |= curl.easy_setopt(easy, opt_protocols, (long)http_and_https);
  wrong |= curl.easy_setopt(easy, opt_http_version, (long)http_1_1);
  wrong |= curl.easy_setopt(easy, opt_no_signal, 1L);
  wrong |= curl.easy_setopt(easy, opt_tcp_no_delay, 1L);
  wrong |= curl.easy_setopt(easy, opt_connect_timeout_ms, connect_ms);
  if (idle_s > 0) {
    wrong |= curl.easy_setopt(easy, opt_low_speed_limit, 1L);
    wrong |= curl.easy_setopt(easy, opt_low_speed_time, idle_s);
  }
  if (direct) wrong |= curl.easy_setopt(easy, opt_no_proxy, "*");
  if (body) {
    transfer->body = malloc(length ? length : 1);
    if (!transfer->body) goto failed;
    memcpy(transfer->body, body, length);
    wrong |= curl.easy_setopt(easy, opt_post_field_size, (long)length);
    wrong |= curl.easy_setopt(easy, opt_post_fields, transfer->body);
  }
  wrong |= curl.easy_setopt(easy, opt_http_header, transfer->headers);
  wrong |= curl.easy_setopt(easy, opt_error_buffer, transfer->reason);
  wrong |= curl.easy_setopt(easy, opt_write_function, on_body);
  wrong |= curl.easy_setopt(easy, opt_write_data, transfer);
  wrong |= curl.easy_setopt(easy, opt_header_function, on_head);
  wrong |= curl.easy_setopt(easy, opt_header_data, transfer);
  if (wrong == 0 && curl.multi_add_handle(transfer->multi, easy) == 0) return transfer;
failed:
  ccu_free(transfer);
  return NULL;
}

static int run(ccu_transfer *transfer) {
  int running = 1;
  while (running) {
    if (atomic_load(&transfer->is_cancelled)) return -1;
    if (curl.multi_perform(transfer->multi, &running) != 0) {
      snprintf(transfer->reason, sizeof transfer->reason, "libcurl cannot go on");
      return 1;
    }
    if (running && curl.multi_poll(transfer->multi, NULL, 0, 1000, NULL) != 0) {
      snprintf(transfer->reason, sizeof transfer->reason, "libcurl cannot wait");
      return 1;
    }
  }
  int left;
  for (struct message *message; (message = curl.multi_info_read(transfer->multi, &left));) {
    if (message->kind != message_done) continue;
    int result = message->data.result;
    if (transfer->was_ended) return -1;
    if (result != 0 && !transfer->reason[0])
      snprintf(transfer->reason, sizeof transfer->reason, "%s", curl.easy_strerror(result));
    return result;
  }
  snprintf(transfer->reason, sizeof transfer->reason, "nothing came of the transfer");
  return 1;
}

int ccu_perform(ccu_transfer *transfer, void *context, ccu_receive head, ccu_receive body) {
  transfer->context = context;
  transfer->on_head = head;
  transfer->on_body = body;
  /* A server that goes while it is written to is to be an error, not the end of the program. */
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  int result = run(transfer);
  if (!sigismember(&before, SIGPIPE)) {
    static const struct timespec at_once = {0, 0};
    while (sigtimedwait(&pipe_signal, NULL, &at_once) > 0) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return result;
}

const char *ccu_reason(const ccu_transfer *transfer) { return transfer->reason; }

void ccu_cancel(ccu_transfer *transfer) {
  atomic_store(&transfer->is_cancelled, true);
  curl.multi_wakeup(transfer->multi);
}

void ccu_free(ccu_transfer *transfer) {
  if (!transfer) return;
  if (transfer->multi && transfer->easy) curl.multi_remove_handle(transfer->multi, transfer->easy);
  if (transfer->easy) curl.easy_cleanup(transfer->easy);
  if (transfer->multi) curl.multi_cleanup(transfer->multi);
  if (transfer->headers) curl.slist_free_all(transfer->headers);
  free(transfer->body);
  free(transfer);
}
