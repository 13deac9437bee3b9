package mywire

// compressor is the compressed layer of a connection: the stream of packets is
// cut into frames of its own, with their own sequence numbers.
type compressor struct {
	in, out struct{ seq byte }
}
