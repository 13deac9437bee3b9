package proxy

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"sync"
)

// Sizes of cancel secrets in bytes: what protocol 3.0 of PostgreSQL has room
// for, and what newer ones take.
const (
	ShortSecret = 4
	LongSecret  = 32
)

// CancelKey is what a client has to show to cancel its session's statement.
type CancelKey struct {
	PID    uint32 // positive as an int32
	Secret []byte
}

// cancels maps keys to sessions. A key never reaches another session than the
// one it was issued for.
type cancels struct {
	mu   sync.Mutex
	live map[uint32]issued
}

type issued struct {
	secret []byte
	target Live
}

// IssueKey makes a key for a session; ReleaseKey takes it back. The process
// number is the given one where no other session has it: clients compare theirs
// with pg_stat_activity, pg_locks and who sent a notification.
func (s *Server) IssueKey(size int, pid uint32, target Live) CancelKey {
	secret := make([]byte, size)
	_, _ = rand.Read(secret) // never fails
	c := &s.cancels
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.taken(pid) {
		var b [4]byte
		_, _ = rand.Read(b[:])
		pid = binary.BigEndian.Uint32(b[:]) >> 1
	}
	c.live[pid] = issued{secret: secret, target: target}
	return CancelKey{PID: pid, Secret: secret}
}

// taken says that a process number cannot be given out. The mutex is held.
func (c *cancels) taken(pid uint32) bool {
	_, live := c.live[pid]
	return live || int32(pid) <= 0
}

// ReleaseKey forgets a key.
func (s *Server) ReleaseKey(k CancelKey) {
	s.cancels.mu.Lock()
	delete(s.cancels.live, k.PID)
	s.cancels.mu.Unlock()
}

// Cancel asks the session with the key to cancel its statement. A wrong key
// does nothing; the caller tells the client the same either way, nothing.
func (s *Server) Cancel(ctx context.Context, k CancelKey) {
	s.cancels.mu.Lock()
	entry, ok := s.cancels.live[k.PID]
	s.cancels.mu.Unlock()
	// Also for a process that does not exist, so that both take as long.
	same := subtle.ConstantTimeCompare(entry.secret, k.Secret) == 1
	if ok && same {
		entry.target.Cancel(ctx)
	}
}
