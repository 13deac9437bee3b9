package mywire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// frame returns one frame's bytes.
func frame(seq byte, payload string) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, payload...)
}

// frames returns the frames of payloads, numbered from seq.
func frames(seq byte, payloads ...string) []byte {
	var b []byte
	for i, p := range payloads {
		b = append(b, frame(seq+byte(i), p)...)
	}
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// loopback returns the two ends of a TCP connection.
func loopback(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	type accepted struct {
		c   net.Conn
		err error
	}
	ch := make(chan accepted, 1)
	go func() { c, err := ln.Accept(); ch <- accepted{c, err} }()
	a, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	acc := <-ch
	if acc.err != nil {
		t.Fatal(acc.err)
	}
	t.Cleanup(func() { a.Close(); acc.c.Close() })
	return a, acc.c
}

// streamConn reads from r and writes to w.
type streamConn struct {
	net.Conn
	r io.Reader
	w io.Writer
}

func (c *streamConn) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c *streamConn) Write(p []byte) (int, error)      { return c.w.Write(p) }
func (c *streamConn) SetReadDeadline(time.Time) error  { return nil }
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }

func reader(b []byte) *Reader {
	return NewReader(&streamConn{r: bytes.NewReader(b)}, ReaderOptions{})
}

func writer(b *bytes.Buffer) *Writer { return NewWriter(&streamConn{w: b}, WriterOptions{}) }

// written returns what f makes a Writer with caps write.
func written(t testing.TB, caps Capabilities, f func(w *Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	w := writer(&b)
	w.SetCapabilities(caps)
	if err := f(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// payload is the payload of the one packet that f makes a Writer write.
func payload(t testing.TB, caps Capabilities, f func(w *Writer) error) []byte {
	t.Helper()
	r := reader(written(t, caps, f))
	body, err := r.Body(MaxBody)
	if err != nil {
		t.Fatal(err)
	}
	body = bytes.Clone(body)
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Peek(); err != io.EOF {
		t.Fatalf("more than one packet: %v", err)
	}
	return body
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func tlsPair(t testing.TB) (client, server *tls.Conn) {
	t.Helper()
	a, b := loopback(t)
	client = tls.Client(a, &tls.Config{InsecureSkipVerify: true})
	server = tls.Server(b, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return client, server
}
