package pgwire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

func params(kv ...string) (p []Param) {
	for i := 0; i < len(kv); i += 2 {
		p = append(p, Param{kv[i], kv[i+1]})
	}
	return p
}

func TestReadStartup(t *testing.T) {
	hello := AppendStartup(nil, Version30, params("user", "ana", "database", "shop", "user", "bea"))
	long := AppendStartup(nil, Version30, params("user", strings.Repeat("x", 9988)))
	tests := []struct {
		name string
		in   []byte
		kind StartupKind
		err  string
	}{
		{"startup", hello, StartupMessage, ""},
		{"newer minor", AppendStartup(nil, 3<<16|9999, params("user", "u", "_pq_.grease", "x")), StartupMessage, ""},
		{"TLS", AppendTLSRequest(nil), StartupTLS, ""},
		{"GSS", []byte("\x00\x00\x00\x08\x04\xd2\x16\x30"), StartupGSS, ""},
		{"cancel", AppendCancel(nil, BackendKey{7, []byte("abcd")}), StartupCancel, ""},
		{"long cancel", AppendCancel(nil, BackendKey{7, make([]byte, 256)}), StartupCancel, ""},
		{"direct TLS", []byte("\x16\x03\x01"), StartupDirectTLS, ""},
		{"longest", long, StartupMessage, ""},

		{"too long", AppendStartup(nil, Version30, params("user", strings.Repeat("x", 9999))), 0, "invalid length of startup packet"},
		{"too short", []byte("\x00\x00\x00\x07\x00\x03\x00\x00"), 0, "invalid length of startup packet"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), 0, "invalid length of startup packet"},
		{"protocol 2", []byte("\x00\x00\x00\x08\x00\x02\x00\x00"), 0, "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"},
		{"protocol 4", []byte("\x00\x00\x00\x08\x00\x04\x00\x00"), 0, "unsupported frontend protocol 4.0: server supports 3.0 to 3.2"},
		{"no terminator", []byte("\x00\x00\x00\x0f\x00\x03\x00\x00user\x00u\x00"), 0, "invalid startup packet layout"},
		{"bytes after terminator", []byte("\x00\x00\x00\x0a\x00\x03\x00\x00\x00x"), 0, "invalid startup packet layout"},
		{"value cut", []byte("\x00\x00\x00\x0d\x00\x03\x00\x00user\x00"), 0, "invalid startup packet layout"},
		{"cancel without key", AppendCancel(nil, BackendKey{7, nil}), 0, "invalid length of query cancel packet"},
		{"cancel key too long", AppendCancel(nil, BackendKey{7, make([]byte, 257)}), 0, "invalid length of query cancel packet"},
		{"long SSLRequest", []byte("\x00\x00\x00\x09\x04\xd2\x16\x2fx"), 0, "invalid length of startup packet"},
	}
	for _, tt := range tests {
		r := reader(tt.in)
		s, err := r.ReadStartup()
		var se *StartupError
		if tt.err != "" {
			if !errors.As(err, &se) || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil || s.Kind != tt.kind {
			t.Errorf("%s: kind %d, error %v", tt.name, s.Kind, err)
		}
		for cut := range tt.in {
			if cut == 0 || s.Kind == StartupDirectTLS {
				continue
			}
			if _, err := reader(tt.in[:cut]).ReadStartup(); err != io.ErrUnexpectedEOF {
				t.Fatalf("%s cut at %d: %v", tt.name, cut, err)
			}
		}
	}
	if _, err := reader(nil).ReadStartup(); err != io.EOF {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestStartupParameters(t *testing.T) {
	s, err := ParseStartup(AppendStartup(nil, 3<<16|9999, params("user", "ana", "_pq_.x", "1", "user", "bea", "DateStyle", "ISO", "_pq_.y", ""))[4:])
	if err != nil {
		t.Fatal(err)
	}
	if user, err := s.User(); err != nil || user != "bea" || s.Database() != "bea" {
		t.Errorf("user %q, database %q, %v", user, s.Database(), err)
	}
	v, unknown, say := s.Negotiate(Version32)
	if v != Version32 || !slices.Equal(unknown, []string{"_pq_.x", "_pq_.y"}) || !say || len(s.Params) != 3 {
		t.Errorf("negotiated %s %v %v", v, unknown, say)
	}
	for asked, want := range map[Version]Version{Version30: Version30, 3<<16 | 1: Version30, Version32: Version32, 3<<16 | 3: Version32} {
		s := Startup{Version: asked}
		if v, _, say := s.Negotiate(Version32); v != want || say != (v != asked) {
			t.Errorf("asked for %s: %s, %v", asked, v, say)
		}
	}
	empty := Startup{Params: params("database", "x")}
	if _, err := empty.User(); err == nil {
		t.Error("no user is no error")
	}
}

func TestReplication(t *testing.T) {
	for value, want := range map[string]Replication{
		"database": ReplicationLogical, "true": ReplicationPhysical, "1": ReplicationPhysical, "YES": ReplicationPhysical, "on": ReplicationPhysical, "t": ReplicationPhysical,
		"false": ReplicationNone, "0": ReplicationNone, "of": ReplicationNone, "n": ReplicationNone,
	} {
		s := Startup{Params: params("replication", value)}
		if got, err := s.Replication(); err != nil || got != want {
			t.Errorf("%s: %d, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "o", "maybe", "2", "truely"} {
		s := Startup{Params: params("replication", value)}
		if _, err := s.Replication(); err == nil {
			t.Errorf("%q is no error", value)
		}
	}
}

// TestNoSmuggling sends SSLRequest and the next packet in one write.
func TestNoSmuggling(t *testing.T) {
	r := reader(AppendStartup(AppendTLSRequest(nil), Version30, params("user", "evil")))
	if s, err := r.ReadStartup(); err != nil || s.Kind != StartupTLS {
		t.Fatalf("%v %v", s, err)
	}
	var smuggled *Smuggled
	if err := r.NoSmuggling(); !errors.As(err, &smuggled) || smuggled.Bytes != 19 {
		t.Errorf("error %v", err)
	}
	r = reader(AppendTLSRequest(nil))
	if _, err := r.ReadStartup(); err != nil {
		t.Fatal(err)
	}
	if err := r.NoSmuggling(); err != nil {
		t.Errorf("nothing smuggled: %v", err)
	}
}

// TestDetach starts TLS on a connection whose first bytes were read ahead.
func TestDetach(t *testing.T) {
	a, b := loopback(t)
	done := make(chan error, 1)
	go func() {
		c := tls.Client(a, &tls.Config{InsecureSkipVerify: true})
		done <- c.Handshake()
	}()
	r := NewReader(b, ReaderOptions{})
	if s, err := r.ReadStartup(); err != nil || s.Kind != StartupDirectTLS {
		t.Fatalf("%v %v", s, err)
	}
	server := tls.Server(r.Detach(), &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := r.Peek(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a detached reader reads: %v", err)
	}
}

func FuzzStartup(f *testing.F) {
	f.Add(AppendStartup(nil, Version32, params("user", "u", "database", "d", "_pq_.x", "y"))[4:])
	f.Add(AppendTLSRequest(nil)[4:])
	f.Add(AppendCancel(nil, BackendKey{1, make([]byte, 32)})[4:])
	f.Add([]byte("\x00\x03\x00\x00user\x00"))
	f.Add([]byte("\x00\x03\x00\x00a\x00b\x00\x00c\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStartup(b)
		if err != nil {
			return
		}
		switch s.Kind {
		case StartupMessage:
			if again := AppendStartup(nil, s.Version, s.Params)[4:]; len(s.Options) == 0 && !bytes.Equal(again, b) {
				t.Errorf("%q prints as %q", b, again)
			}
			if s.Version != Version30 && s.Version != Version32 || len(s.Params)+len(s.Options) == 0 {
				break // pgproto3 takes neither
			}
			var m pgproto3.StartupMessage
			if err := m.Decode(b); err != nil {
				t.Fatalf("pgproto3 refuses %q: %v", b, err)
			}
			for name, value := range m.Parameters {
				if got, _ := s.Get(name); got != value && !strings.HasPrefix(name, "_pq_.") {
					t.Errorf("%s is %q, pgproto3 says %q", name, got, value)
				}
			}
		case StartupCancel:
			if again := AppendCancel(nil, s.Cancel)[4:]; !bytes.Equal(again, b) {
				t.Errorf("%q prints as %q", b, again)
			}
			var m pgproto3.CancelRequest
			if err := m.Decode(b); err != nil || m.ProcessID != s.Cancel.PID || !bytes.Equal(m.SecretKey, s.Cancel.Key) {
				t.Errorf("pgproto3 reads %q as %+v, %v", b, m, err)
			}
		}
	})
}
