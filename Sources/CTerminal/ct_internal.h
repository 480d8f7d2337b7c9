/* Shared between the files of this shim; not for Swift. */
#ifndef CT_INTERNAL_H
#define CT_INTERNAL_H

#include <stddef.h>

/* Signals (ct_signals.c). The pipe carries one byte for each: a signal's number, or 0 for ct_wake. */
int cti_signals_install(void);
void cti_signals_remove(void);
int cti_pipe_read_end(void);
void cti_wake_taken(void);
/* Whether a signal has asked the program to end. */
int cti_is_to_quit(void);
/* What a crash handler restores: the modes the terminal has now. */
void cti_crash_save_modes(int terminal_fd);
/* What a crash handler writes first (copied); it does nothing before this is known. */
void cti_crash_set_reset(const char *bytes, size_t count);
/* Descriptors that held standard output and error before the UI; -1 for none. */
void cti_crash_set_outputs(int saved_output, int saved_error);
void cti_stop_process(int whole_group);

/* Input (ct_input.c). */
void cti_input_open(void);
void cti_input_close(void);

/* Screen (cterminal.c). */
void cti_resized(void);
int cti_is_open(void);
/* The descriptor of the terminal, for output. */
int cti_output(void);

#endif
