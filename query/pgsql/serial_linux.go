package pgsql

// The C parser swaps file descriptor 2 of the whole process for a pipe while
// it runs, to catch what PostgreSQL would print. Two that overlap would leave
// standard error closed, and what other goroutines log meanwhile is lost. The
// linker gives it these functions instead of the C library's: it then finds
// nothing to swap and runs concurrently. No other C code of the program may
// need pipe or dup.

/*
#cgo LDFLAGS: -Wl,--wrap=pipe -Wl,--wrap=dup
int __wrap_pipe(int fds[2]) { fds[0] = fds[1] = -1; return 0; }
int __wrap_dup(int fd) { (void) fd; return -1; }
*/
import "C"

// parserBegin and parserEnd surround calls of the C parser.
func parserBegin() {}
func parserEnd()   {}
