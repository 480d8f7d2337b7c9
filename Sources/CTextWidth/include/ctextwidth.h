/* CTextWidth: how many columns of a terminal a character takes, by the table of the C library that terminals use.
   In C because only a locale of the calling thread gives that table independently of the process's locale, and Swift has
   no way to set one for a single call. */
#ifndef CTEXTWIDTH_H
#define CTEXTWIDTH_H

#include <stdint.h>

/* Columns of a scalar, whatever the locale: 0, 1 or 2; -1 if it cannot be printed. Any thread. */
int ctw_scalar_width(uint32_t scalar);

#endif
