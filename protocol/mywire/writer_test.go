package mywire

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestWriterSizes mixes packets of all sizes, so that every way of making room
// happens with and without an open packet.
func TestWriterSizes(t *testing.T) {
	sizes := []int{0, 1, 100, smallBuffer - 4, smallBuffer, directWrite - 1, directWrite, largeBuffer - 4, largeBuffer, 140_000, 3, 60_000}
	for _, first := range sizes {
		for _, second := range sizes {
			var want []byte
			cell := bytes.Repeat([]byte("c"), second)
			got := written(t, 0, func(w *Writer) error {
				for i := range byte(2) {
					want = append(want, frame(2*i, string(make([]byte, first)))...)
					if err := w.Packet(make([]byte, first)); err != nil {
						return err
					}
					want = append(want, frame(2*i+1, string(textRow(cell, nil, cell, cell)))...)
					w.BeginRow(4)
					w.AppendCell(cell)
					w.AppendNull()
					w.EndCell(append(w.BeginCell(), cell...))
					buf := w.BeginCell()
					for part := range slices.Chunk(cell, 1000) {
						buf = append(buf, part...)
					}
					w.EndCell(buf)
					if err := w.EndRow(); err != nil {
						return err
					}
				}
				return nil
			})
			if !bytes.Equal(got, want) {
				t.Fatalf("sizes %d and %d: wrong bytes", first, second)
			}
		}
	}
}

func TestWriterAbort(t *testing.T) {
	got := written(t, 0, func(w *Writer) error {
		if err := w.Packet([]byte("a")); err != nil {
			return err
		}
		w.BeginRow(2)
		w.AppendCell([]byte("half a row"))
		w.Abort()
		return w.Packet([]byte("b"))
	})
	if want := frames(0, "a", "b"); !bytes.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestWriterClosed(t *testing.T) {
	w := writer(new(bytes.Buffer))
	w.Close()
	for name, err := range map[string]error{"OK": w.OK(&OK{}), "packet": w.Packet(nil), "flush": w.Flush(), "error": w.Error(&ServerError{})} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSlowReaderIsBounded writes to a peer that reads nothing: the writer holds
// one buffer and ends with Stalled.
func TestSlowReaderIsBounded(t *testing.T) {
	_, b := loopback(t)
	w := NewWriter(b, WriterOptions{Stall: 50 * time.Millisecond})
	row := make([]byte, 1000)
	var err error
	for range 100_000 {
		if err = w.Packet(row); err != nil {
			break
		}
		if cap(w.buf) > largeBuffer {
			t.Fatalf("a buffer of %d bytes", cap(w.buf))
		}
	}
	var stalled *Stalled
	if !errors.As(err, &stalled) || stalled.Pending == 0 {
		t.Fatalf("error %v, want *Stalled", err)
	}
	if err := w.OK(&OK{}); !errors.As(err, &stalled) {
		t.Errorf("error %v does not stick", err)
	}
}

// TestSlowReaderThatReads takes one byte now and then, which is progress.
func TestSlowReaderThatReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		done := make(chan struct{})
		go func() { // ends with the last byte
			defer close(done)
			one := make([]byte, 1)
			for range 24 {
				time.Sleep(6 * time.Second)
				if _, err := a.Read(one); err != nil {
					return
				}
			}
		}()
		w := NewWriter(b, WriterOptions{Stall: 10 * time.Second})
		if err := w.Packet(make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Errorf("a slow reader: %v", err)
		}
		b.Close()
		<-done
	})
}
