package mywire

import (
	"errors"
	"fmt"
	"time"
)

// ErrInterrupted is returned by Reader.Peek after Reader.Interrupt.
var ErrInterrupted = errors.New("read interrupted")

// ErrTorn is returned by a Writer whose peer got the first part of a packet
// whose rest never came: no other packet can follow it.
var ErrTorn = errors.New("packet torn: its source ended in the middle of it")

// BadSequence says that a frame carries another sequence number than the
// protocol wants. Reader and peer are out of step: nothing more can be read.
type BadSequence struct {
	Want, Got  byte
	Compressed bool // of the compressed layer
}

func (e *BadSequence) Error() string {
	layer := "packet"
	if e.Compressed {
		layer = "compressed packet"
	}
	return fmt.Sprintf("%s out of order: sequence number %d, want %d", layer, e.Got, e.Want)
}

// TooLong says that a packet is longer than its limit. Unless Len exceeds the
// Reader's own MaxBody, it is still the current one and can be discarded.
type TooLong struct {
	Type  byte // first byte of the payload
	Len   int  // as far as known: of a packet in several frames, what has come
	Limit int
}

func (e *TooLong) Error() string {
	return fmt.Sprintf("packet 0x%02x of %d bytes exceeds the limit of %d", e.Type, e.Len, e.Limit)
}

// Malformed says that a payload is not what its kind of packet wants.
type Malformed struct {
	Packet string // name in the protocol's documentation, such as OK_Packet
	Offset int    // in the payload
	Want   string
}

func (e *Malformed) Error() string {
	return fmt.Sprintf("malformed %s at byte %d: want %s", e.Packet, e.Offset, e.Want)
}

// BadCompressed says that a compressed frame is not what its header promises.
type BadCompressed struct {
	Claimed int   // length that the header claims for the data
	Problem error // of the decompressor, or nil if only the length is wrong
}

func (e *BadCompressed) Error() string {
	if e.Problem != nil {
		return fmt.Sprintf("compressed packet of %d bytes: %v", e.Claimed, e.Problem)
	}
	return fmt.Sprintf("compressed packet does not hold the %d bytes that it claims", e.Claimed)
}

func (e *BadCompressed) Unwrap() error { return e.Problem }

// Phase is what a reader was waiting for.
type Phase uint8

// Phases of a TimeoutError.
const (
	PhaseIdle   Phase = iota + 1 // the first byte of a packet
	PhasePacket                  // the rest of a packet
	PhaseLimit                   // anything, at the absolute limit
)

func (p Phase) String() string {
	switch p {
	case PhaseIdle:
		return "idle"
	case PhasePacket:
		return "packet"
	case PhaseLimit:
		return "limit"
	}
	return "unknown"
}

// TimeoutError says that a peer sent nothing for too long. After PhaseIdle
// the reader is still in step and can go on.
type TimeoutError struct {
	Phase Phase
	After time.Duration // zero for PhaseLimit
}

func (e *TimeoutError) Error() string {
	switch e.Phase {
	case PhaseIdle:
		return fmt.Sprintf("no packet within %s", e.After)
	case PhasePacket:
		return fmt.Sprintf("peer stopped in the middle of a packet for %s", e.After)
	default:
		return "time limit reached while reading"
	}
}

// Timeout makes the error a net.Error's likeness.
func (e *TimeoutError) Timeout() bool { return true }

// Stalled says that a peer did not take what was written for too long.
type Stalled struct {
	After   time.Duration
	Pending int // bytes that it did not take
}

func (e *Stalled) Error() string {
	return fmt.Sprintf("peer took none of %d bytes within %s", e.Pending, e.After)
}

// Timeout makes the error a net.Error's likeness.
func (e *Stalled) Timeout() bool { return true }

// Smuggled says that a peer's bytes arrived in clear before TLS could start.
type Smuggled struct{ Bytes int }

func (e *Smuggled) Error() string {
	return fmt.Sprintf("received %d unencrypted bytes before the TLS handshake", e.Bytes)
}
