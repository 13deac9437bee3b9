// Package e2e holds tests only: clients that people use, through a weir that
// runs as they run it, against real servers.
//
// Each client program does the same work twice, directly and through weir, and
// prints an observation a line: rows, types, SQLSTATEs. What weir does not mask
// must be equal, and what it masks must be the mask of what the server says.
// The masks are written down here anew, apart from package masking.
//
// The package must not know weir's packages: it sees the binary, the
// configuration file, the commands and the wire.
package e2e
