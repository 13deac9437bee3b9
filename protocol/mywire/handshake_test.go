package mywire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mariaGreeting is a greeting of MariaDB 10.11 as it went over the wire.
const mariaGreeting = "0a352e352e352d31302e31312e31392d4d61726961444200 07000000 6c4f6b5d4b5d3e6b 00 feff 2d 0200 ff81 15 000000000000 1d000000 24425a253a3f5e4c5c7d4c39 00 6d7973716c5f6e61746976655f70617373776f726400"

func TestGreetingOfMariaDB(t *testing.T) {
	body := unhex(t, mariaGreeting)
	g, err := ParseGreeting(body)
	if err != nil {
		t.Fatal(err)
	}
	want := Greeting{
		ServerVersion: "5.5.5-10.11.19-MariaDB", ConnectionID: 7, Nonce: []byte(`lOk]K]>k$BZ%:?^L\}L9`),
		Capabilities: 0x1d<<32 | 0x81fffffe, Collation: 45, Status: StatusAutocommit, AuthPlugin: PluginNative,
	}
	if !reflect.DeepEqual(g, want) || !g.MariaDB() {
		t.Errorf("%+v, want %+v", g, want)
	}
	if got := AppendGreeting(nil, &g); !bytes.Equal(got, body) {
		t.Errorf("written as %x", got)
	}
}

func TestGreetings(t *testing.T) {
	full := Greeting{
		ServerVersion: "8.0.36", ConnectionID: 1<<32 - 1, Nonce: []byte("abcdefghijklmnopqrst"),
		Capabilities: 0xdfffffff, Collation: 255, Status: 2, AuthPlugin: PluginSHA2,
	}
	got, err := ParseGreeting(AppendGreeting(nil, &full))
	if err != nil || !reflect.DeepEqual(got, full) || got.MariaDB() {
		t.Errorf("%+v, %v", got, err)
	}
	extended := full // bits of MariaDB's field mean nothing from a server that is MySQL
	extended.Capabilities |= CapCacheMetadata
	if got, err := ParseGreeting(AppendGreeting(nil, &extended)); err != nil || got.Capabilities != full.Capabilities {
		t.Errorf("%+v, %v", got, err)
	}
	// MySQL 5.5.7 to 9 and 5.6.0 to 1 send the plugin's name without a NUL.
	b := AppendGreeting(nil, &full)
	if got, err := ParseGreeting(b[:len(b)-1]); err != nil || got.AuthPlugin != PluginSHA2 {
		t.Errorf("%+v, %v", got, err)
	}
	var bad *Malformed
	for n := range len(b) - 1 {
		got, err := ParseGreeting(b[:n])
		// One may end after the lower flags, or anywhere in the name.
		if n != 5+len("8.0.36")+12 && n < len(b)-1-len(PluginSHA2) && !errors.As(err, &bad) {
			t.Errorf("cut to %d bytes: %+v, %v", n, got, err)
		}
	}
	if _, err := ParseGreeting(append([]byte{9}, b[1:]...)); !errors.As(err, &bad) {
		t.Errorf("protocol 9: %v", err)
	}
}

func TestNonceOfOtherLengthPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	AppendGreeting(nil, &Greeting{Nonce: make([]byte, 8)})
}

const fullCaps = CapProtocol41 | CapSecureConnection | CapPluginAuth | CapConnectAttrs | CapConnectWithDB | CapLenencAuth

func TestLogins(t *testing.T) {
	base := Login{Capabilities: CapProtocol41, MaxPacket: 1 << 24, Collation: 45, User: "ana", AuthResponse: []byte("secret")}
	with := func(f func(l *Login)) Login {
		l := base
		f(&l)
		return l
	}
	for name, l := range map[string]Login{
		"old":    base,
		"secure": with(func(l *Login) { l.Capabilities |= CapSecureConnection; l.AuthResponse = []byte{0, 1, 2} }),
		"full": with(func(l *Login) {
			l.Capabilities |= fullCaps
			l.AuthResponse, l.Database, l.AuthPlugin = long(300), "shop", PluginSHA2
			l.Attributes = []Attribute{{"program_name", "psql"}, {"", ""}, {"x", strings.Repeat("y", 300)}}
		}),
		"zstd": with(func(l *Login) { l.Capabilities |= CapZstd | CapConnectAttrs; l.ZstdLevel = 3 }),
		"MariaDB": with(func(l *Login) {
			l.Capabilities |= CapCacheMetadata | CapBulkOperations | CapPluginAuth
			l.AuthPlugin = PluginEd25519
		}),
	} {
		got, err := ParseLogin(AppendLogin(nil, &l), l.Capabilities)
		if err != nil || !reflect.DeepEqual(got, l) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, l)
		}
	}
	request := Login{TLSRequest: true, Capabilities: CapProtocol41 | CapTLS, MaxPacket: 5, Collation: 45}
	if got, err := ParseLogin(AppendLogin(nil, &request), CapProtocol41|CapTLS); err != nil || !reflect.DeepEqual(got, request) {
		t.Errorf("SSLRequest: %+v, %v", got, err)
	}
}

// TestLoginCapabilities leaves a client what was offered to it, and reads its
// packet by what it says.
func TestLoginCapabilities(t *testing.T) {
	l := Login{Capabilities: fullCaps | CapLocalFiles | CapCompress | CapBulkOperations, User: "ana", Database: "shop", AuthPlugin: PluginNative}
	got, err := ParseLogin(AppendLogin(nil, &l), CapProtocol41|CapLocalFiles)
	if err != nil || got.Capabilities != CapProtocol41|CapLocalFiles || got.Database != "shop" {
		t.Errorf("%+v, %v", got, err)
	}
	l.Capabilities |= CapLongPassword // no MariaDB client: its field is a filler
	if got, err := ParseLogin(AppendLogin(nil, &l), l.Capabilities); err != nil || got.Capabilities&CapExtended != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	var bad *Malformed
	if _, err := ParseLogin(AppendLogin(nil, &Login{User: "ana"}), fullCaps); !errors.As(err, &bad) {
		t.Errorf("protocol 3.20: %v", err)
	}
}

func TestLoginFaults(t *testing.T) {
	l := Login{Capabilities: fullCaps, User: "ana", AuthResponse: []byte("0123"), Database: "shop", AuthPlugin: PluginNative,
		Attributes: []Attribute{{"a", "b"}}}
	b := AppendLogin(nil, &l)
	var bad *Malformed
	for n := range len(b) {
		got, err := ParseLogin(b[:n], fullCaps)
		// The plugin's name may end with the packet, and attributes be left out.
		if end := len(b) - 5; n < end-len(PluginNative)-1 && !errors.As(err, &bad) {
			t.Errorf("cut to %d bytes: %+v, %v", n, got, err)
		}
	}
	for name, tail := range map[string]string{
		"no NUL behind the name":       "ana",
		"an answer past the end":       "ana\x00\xfc\xff\xffx",
		"an answer of 2^64-1 bytes":    "ana\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xffx",
		"attributes past the end":      "ana\x00\x00shop\x00p\x00\x09\x01a\x01b",
		"an attribute past their end":  "ana\x00\x00shop\x00p\x00\x04\x01a\x05b",
		"a name without a value":       "ana\x00\x00shop\x00p\x00\x02\x01a",
		"attributes of more than 64 K": "ana\x00\x00shop\x00p\x00\xfd\x01\x00\x01" + strings.Repeat("\x00", 65537),
	} {
		if got, err := ParseLogin(append(bytes.Clone(b[:loginFixed]), tail...), fullCaps); !errors.As(err, &bad) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestChangeUsers(t *testing.T) {
	caps := fullCaps
	m := ChangeUser{User: "bo", AuthResponse: []byte{1, 2, 3}, Database: "shop", Collation: 45, AuthPlugin: PluginSHA2,
		Attributes: []Attribute{{"a", "b"}}}
	b := AppendChangeUser(nil, &m, caps)
	if got, err := ParseChangeUser(b, caps); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v, %v", got, err)
	}
	// Clients may end it behind the database.
	short := []byte("\x11bo\x00\x00shop\x00")
	if got, err := ParseChangeUser(short, caps); err != nil || got.Database != "shop" || got.Collation != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	var bad *Malformed
	for n := range len(short) - 1 {
		if got, err := ParseChangeUser(short[:n], caps); !errors.As(err, &bad) {
			t.Errorf("cut to %d bytes: %+v, %v", n, got, err)
		}
	}
}

func TestAuthSwitches(t *testing.T) {
	for _, m := range []AuthSwitch{
		{Plugin: PluginSHA2, Data: []byte("01234567890123456789")},
		{Plugin: PluginCleartext, Data: []byte{}},
		{Plugin: PluginEd25519, Data: make([]byte, 32)}, // which has no NUL behind it, and may end with one
	} {
		b := AppendAuthSwitch(nil, &m)
		if nul := m.Plugin == PluginSHA2; len(b) != 2+len(m.Plugin)+len(m.Data) != nul {
			t.Errorf("%s: %q", m.Plugin, b)
		}
		if got, err := ParseAuthSwitch(b); err != nil || got.Plugin != m.Plugin || !bytes.Equal(got.Data, m.Data) {
			t.Errorf("%+v, %v; want %+v", got, err, m)
		}
	}
	if got, err := ParseAuthSwitch([]byte{MarkEOF}); err != nil || got.Plugin != PluginOld {
		t.Errorf("%+v, %v", got, err)
	}
	var bad *Malformed
	for _, b := range []string{"", "\x00", "\xfeplugin"} {
		if _, err := ParseAuthSwitch([]byte(b)); !errors.As(err, &bad) {
			t.Errorf("%q: %v", b, err)
		}
	}
	if data, err := ParseAuthMoreData(AppendAuthMoreData(nil, []byte("x"))); err != nil || string(data) != "x" {
		t.Errorf("%q %v", data, err)
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add(unhex(f, mariaGreeting))
	f.Add([]byte("\x0a5\x00\x01\x00\x00\x0012345678\x00\xff\xf7"))
	f.Fuzz(func(t *testing.T, in []byte) {
		g, err := ParseGreeting(in)
		if err != nil || len(g.Nonce) != NonceLen || len(in) < 44 {
			return
		}
		again, err := ParseGreeting(AppendGreeting(nil, &g))
		if err != nil {
			t.Fatalf("%+v: %v", g, err)
		}
		if !g.Capabilities.Has(CapPluginAuth) && !g.Capabilities.Has(CapSecureConnection) {
			again.Nonce = g.Nonce
		}
		if g.Nonce[NonceLen-1] != 0 && !reflect.DeepEqual(g, again) {
			t.Fatalf("%+v, then %+v", g, again)
		}
	})
}

func FuzzLogin(f *testing.F) {
	f.Add(AppendLogin(nil, &Login{Capabilities: fullCaps, User: "ana", Database: "shop", Attributes: []Attribute{{"a", "b"}}}))
	f.Add(AppendLogin(nil, &Login{TLSRequest: true, Capabilities: CapProtocol41 | CapTLS}))
	f.Fuzz(func(t *testing.T, in []byte) {
		const all = ^Capabilities(0)
		l, err := ParseLogin(in, all)
		if err != nil {
			return
		}
		again, err := ParseLogin(AppendLogin(nil, &l), all)
		if l.Capabilities&(CapLenencAuth|CapSecureConnection) == 0 && l.AuthResponse == nil {
			again.AuthResponse = nil
		}
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Fatalf("%+v, then %+v, %v", l, again, err)
		}
	})
}

func FuzzChangeUser(f *testing.F) {
	f.Add([]byte("\x11bo\x00\x03abcshop\x00\x2d\x00plugin\x00\x04\x01a\x01b"), uint64(fullCaps))
	f.Add([]byte("\x11bo\x00abc\x00shop\x00"), uint64(CapProtocol41))
	f.Fuzz(func(t *testing.T, in []byte, caps uint64) {
		m, err := ParseChangeUser(in, Capabilities(caps))
		if err != nil {
			return
		}
		again, err := ParseChangeUser(AppendChangeUser(nil, &m, Capabilities(caps)), Capabilities(caps))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v, then %+v, %v", m, again, err)
		}
	})
}

func FuzzAuthSwitch(f *testing.F) {
	f.Add([]byte("\xfecaching_sha2_password\x0001234567890123456789\x00"))
	f.Add([]byte("\xfe"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParseAuthSwitch(in)
		if err != nil || len(in) == 1 {
			return
		}
		if again, err := ParseAuthSwitch(AppendAuthSwitch(nil, &m)); err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v, then %+v, %v", m, again, err)
		}
	})
}
