#include "coniguruma.h"

#include <oniguruma.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct con_pattern {
  regex_t *regex;
};

/* Scalars as this machine stores them. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ENCODING ONIG_ENCODING_UTF32_LE
#else
#define ENCODING ONIG_ENCODING_UTF32_BE
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void) {
  OnigEncoding encodings[] = {ENCODING};
  onig_initialize(encodings, 1);
  /* What it would print otherwise: a pattern with doubtful parts is no news to somebody who chats. */
  onig_set_warn_func(onig_null_warn);
  onig_set_verb_warn_func(onig_null_warn);
}

con_pattern *con_compile(const uint32_t *pattern, size_t count, char *error, size_t error_capacity) {
  pthread_once(&once, start);
  con_pattern *result = malloc(sizeof *result);
  if (!result) {
    snprintf(error, error_capacity, "no memory");
    return NULL;
  }
  OnigErrorInfo info;
  int status = onig_new(&result->regex, (const OnigUChar *)pattern, (const OnigUChar *)(pattern + count), ONIG_OPTION_NONE,
                        ENCODING, ONIG_SYNTAX_ONIGURUMA, &info);
  if (status != ONIG_NORMAL) {
    OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
    /* Without the part of the pattern that some messages quote, which would be in UTF-32. */
    info.par = info.par_end = NULL;
    int length = onig_error_code_to_str(text, status, &info);
    snprintf(error, error_capacity, "%.*s", length, (const char *)text);
    free(result);
    return NULL;
  }
  return result;
}

void con_free(con_pattern *pattern) {
  if (!pattern) return;
  onig_free(pattern->regex);
  free(pattern);
}

int con_search(const con_pattern *pattern, const uint32_t *text, size_t count, size_t start, unsigned long most_steps,
               size_t *match_start, size_t *match_end) {
  OnigMatchParam *limits = onig_new_match_param();
  if (!limits) return -2;
  onig_initialize_match_param(limits);
  onig_set_retry_limit_in_match_of_match_param(limits, most_steps);
  onig_set_retry_limit_in_search_of_match_param(limits, most_steps);
  OnigRegion region = {0};
  const OnigUChar *bytes = (const OnigUChar *)text;
  const OnigUChar *end = (const OnigUChar *)(text + count);
  int place = onig_search_with_param(pattern->regex, bytes, end, (const OnigUChar *)(text + start), end, &region,
                                     ONIG_OPTION_NONE, limits);
  int gave_up = place == ONIGERR_RETRY_LIMIT_IN_MATCH_OVER || place == ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER;
  int found = place >= 0 ? 1 : place == ONIG_MISMATCH ? 0 : gave_up ? -1 : -2;
  if (found == 1) {
    *match_start = (size_t)region.beg[0] / sizeof *text;
    *match_end = (size_t)region.end[0] / sizeof *text;
  }
  onig_region_free(&region, 0);
  onig_free_match_param(limits);
  return found;
}
