#ifndef CT_ABILITIES_H
#define CT_ABILITIES_H

/* Colours of the terminal that TERM names: 0 if it has none, -1 if terminfo does not know it. Prints nothing; not while
   the terminal is taken. */
int ct_probe_colors(void);
/* Whether the user's locale is one of UTF-8. */
int ct_locale_is_utf8(void);
/* Columns and rows of the terminal on standard output; 0 if it is none. */
void ct_probe_size(int *_Nonnull width, int *_Nonnull height);

#endif
