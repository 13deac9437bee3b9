//go:build !linux

package pgsql

import "sync"

// parserMu serialises the C parser, which swaps file descriptor 2 of the whole
// process while it runs.
var parserMu sync.Mutex

// parserBegin and parserEnd surround calls of the C parser.
func parserBegin() { parserMu.Lock() }
func parserEnd()   { parserMu.Unlock() }
