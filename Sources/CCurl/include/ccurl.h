/* CCurl: libcurl, loaded when a chat first talks to a server.

   Why a shim: (1) linked as usual, by itself or through FoundationNetworking, libcurl and the thirty libraries that it
   brings make every start of the program, of any command, take twice as long; (2) curl_easy_setopt is variadic, which Swift
   cannot call; (3) libcurl's headers are not installed where its library is, and few constants of its stable interface are
   needed.

   One transfer is one request on a connection of its own. Strings and bytes that are given are copied; what a callback is
   given is valid until it returns. */
#ifndef CCURL_H
#define CCURL_H

#include <stddef.h>
#include <stdint.h>

/* A request; owned by whoever made it, who ends it with ccu_free. */
typedef struct ccu_transfer ccu_transfer;

/* Takes `count` bytes; anything but 0 ends the transfer. Called on the thread of ccu_perform. */
typedef int (*ccu_receive)(void *_Nullable context, const uint8_t *_Nonnull bytes, size_t count);

/* Loads the library once, thread-safe. 0 on success, -1 if the library or a function in it is missing; ccu_error()
   then says why. */
int ccu_load(void);
/* The reason of the last failure of ccu_load, or "". Static memory, never NULL. */
const char *_Nonnull ccu_error(void);

/* A request: GET, or POST where there is a body. Only http and https are spoken, and no redirection is followed. NULL where
   there is no memory, or ccu_load has not succeeded.
   headers: lines such as "Accept: text/plain". direct: whether the proxy of the environment is left out.
   connect_ms: how long a connection may take. idle_s: seconds without a byte after which it is given up; 0: never. */
ccu_transfer *_Nullable ccu_make(const char *_Nonnull url, const char *_Nullable const *_Nonnull headers,
                                 size_t header_count, const uint8_t *_Nullable body, size_t length, int direct,
                                 long connect_ms, long idle_s);
/* Does it, on the calling thread. 0 when the answer has come whole, -1 when it was cancelled or a callback ended it, else
   libcurl's code; ccu_reason then says why. on_head takes the lines of the answer's head, on_body its body. */
int ccu_perform(ccu_transfer *_Nonnull transfer, void *_Nullable context, ccu_receive _Nonnull on_head,
                ccu_receive _Nonnull on_body);
/* The reason of the last failure of ccu_perform, or "". Valid until ccu_free, never NULL. */
const char *_Nonnull ccu_reason(const ccu_transfer *_Nonnull transfer);
/* Ends the transfer at once, from any thread, before, during or after ccu_perform. */
void ccu_cancel(ccu_transfer *_Nonnull transfer);
/* After ccu_perform has returned, and with no ccu_cancel under way. */
void ccu_free(ccu_transfer *_Nullable transfer);

#endif
