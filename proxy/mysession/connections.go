package mysession

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// connections maps the connection IDs that weir gave its clients to their
// sessions. KILL names them, from another connection of the same user.
type connections struct {
	mu   sync.Mutex
	live map[uint32]*session // nil before the login
}

// reserve gives an ID that no other connection has. It is high and random, so
// that it does not look like one of a server's own.
func (c *connections) reserve() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		id := binary.LittleEndian.Uint32(b[:])&(1<<31-1) | 1<<30
		if _, taken := c.live[id]; !taken {
			c.live[id] = nil
			return id
		}
	}
}

func (c *connections) set(id uint32, s *session) {
	c.mu.Lock()
	c.live[id] = s
	c.mu.Unlock()
}

func (c *connections) release(id uint32) {
	c.mu.Lock()
	delete(c.live, id)
	c.mu.Unlock()
}

// find gives the session that by may kill under an ID: one of the same user,
// by weir's ID or by the one that CONNECTION_ID() shows it. Nil if there is none.
func (c *connections) find(id uint64, by *session) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for own, s := range c.live {
		if s == nil {
			continue
		}
		who := s.who.Load()
		if who == nil || who.user != by.identity.ID {
			continue
		}
		if uint64(own) == id || who.datasource == by.datasource && uint64(who.upstream) == id {
			return s
		}
	}
	return nil
}

// who is what others may know of a session.
type who struct {
	user       string // id
	datasource *Datasource
	upstream   uint32 // the server's connection ID
}
