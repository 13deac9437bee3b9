package audit

import (
	"context"
	"io"
)

// Sink takes copies of records for another system. One goroutine calls it,
// one record at a time, in sequence.
type Sink interface {
	// Write takes one line with its newline. The bytes are valid until it
	// returns. It must give up when ctx ends.
	Write(ctx context.Context, line []byte) error
}

// NamedSink is a Sink and the name that metrics give it.
type NamedSink struct {
	Name string
	Sink Sink
}

// NewWriterSink returns a sink that writes each line to w, such as os.Stdout.
func NewWriterSink(w io.Writer) Sink { return writerSink{w} }

type writerSink struct{ w io.Writer }

func (s writerSink) Write(_ context.Context, line []byte) error {
	_, err := s.w.Write(line)
	return err
}
