package mywire

import "sync"

// Buffer sizes. A connection starts with a small buffer and gets a large one
// when its input or output fills it; while it is idle it has neither.
const (
	smallBuffer = 8 << 10
	largeBuffer = 64 << 10
)

// Buffers is a pool of read and write buffers, shared by the connections of
// one server. What a buffer held is cleared before it goes back, so nothing of
// one session is ever found in another's.
type Buffers struct {
	small, large sync.Pool
	zlibReaders  sync.Pool
	zlibWriters  [zlibLevels]sync.Pool
	zstdReaders  sync.Pool
	zstdWriters  [zstdLevels]sync.Pool
}

// NewBuffers returns an empty pool.
func NewBuffers() *Buffers {
	return &Buffers{
		small: sync.Pool{New: func() any { return new([smallBuffer]byte) }},
		large: sync.Pool{New: func() any { return new([largeBuffer]byte) }},
	}
}

// get returns a buffer of smallBuffer or largeBuffer bytes.
func (p *Buffers) get(large bool) []byte {
	if large {
		return p.large.Get().(*[largeBuffer]byte)[:]
	}
	return p.small.Get().(*[smallBuffer]byte)[:]
}

// put clears the first used bytes of b and takes it back. A buffer of another
// size, made for one large message, is left to the collector.
func (p *Buffers) put(b []byte, used int) {
	b = b[:cap(b)]
	switch len(b) {
	case smallBuffer:
		clear(b[:used])
		p.small.Put((*[smallBuffer]byte)(b))
	case largeBuffer:
		clear(b[:used])
		p.large.Put((*[largeBuffer]byte)(b))
	}
}
