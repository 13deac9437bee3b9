package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"

	"github.com/weirdb/weir/protocol/mywire"
)

// maxHandshakeBody bounds what a server may send before the login's OK.
const maxHandshakeBody = 64 << 10

// needed is what this package asks every server for and cannot do without.
const needed = mywire.CapProtocol41 | mywire.CapSecureConnection | mywire.CapPluginAuth

// asked is what this package asks every server for if it has it.
const asked = mywire.CapLongFlag | mywire.CapTransactions | mywire.CapMultiResults | mywire.CapPSMultiResults |
	mywire.CapConnectAttrs | mywire.CapLenencAuth | mywire.CapSessionTrack

// withheld cannot be asked for: the flags change packets that mywire does not
// know in the other form, or are decided by other fields of the configuration.
const withheld = mywire.CapTLS | mywire.CapCompress | mywire.CapZstd | mywire.CapConnectWithDB | mywire.CapOptionalMetadata |
	mywire.CapMFA | mywire.CapComMulti | mywire.CapVerifyServerCert

// Conn is a connection to a server that is ready for its first command. Its
// holder owns all of it.
type Conn struct {
	Net    net.Conn // TLS or plain
	Reader *mywire.Reader
	Writer *mywire.Writer // with the connection's capabilities

	ServerVersion string // as in the greeting, such as 5.5.5-10.11.6-MariaDB
	MariaDB       bool
	ID            uint32              // of the connection, for KILL
	Capabilities  mywire.Capabilities // negotiated
	Offered       mywire.Capabilities // what the server has
	Collation     byte                // the server's default
	Status        mywire.Status       // as of the login's OK
	Changes       mywire.SessionChanges
	TLS           *tls.ConnectionState // nil in clear
	Method        string               // plugin that authenticated

	cfg Config
}

// Dial connects, authenticates and waits for the login's OK. Errors: *TLSError,
// *AuthError, *Unexpected, *Lacking, *mywire.ServerError, *mywire.Malformed,
// *mywire.Smuggled and those of the network, wrapped.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	c, err := dial(ctx, &cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to server: %w", err)
	}
	return c, nil
}

// Close says goodbye and closes the connection.
func (c *Conn) Close() error {
	if c.Writer.Err() == nil && c.Writer.Pending() == 0 && c.Writer.Command([]byte{byte(mywire.ComQuit)}) == nil {
		_ = c.Writer.Flush() // the connection is closed next, either way
	}
	c.Reader.Close()
	c.Writer.Close()
	return c.Net.Close()
}

func dial(ctx context.Context, cfg *Config) (*Conn, error) {
	h, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	steps := []func(context.Context) error{h.greeting, h.encrypt, h.login, h.authenticate, h.settle}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			err = h.because(ctx, err)
			h.close()
			return nil, err
		}
	}
	if !h.stop() { // too late: the connection is being closed
		h.close()
		return nil, ctx.Err()
	}
	h.r.SetTimeouts(cfg.Reader.Idle, cfg.Reader.Stall)
	h.w.SetStall(cfg.Writer.Stall)
	c := h.out
	c.Net, c.Reader, c.Writer, c.cfg = h.conn, h.r, h.w, *cfg
	return &c, nil
}

// handshake is one attempt to connect. Its steps are connect, greeting,
// encrypt, login, authenticate and settle.
type handshake struct {
	cfg    *Config
	conn   net.Conn
	stop   func() bool // ends the watch over ctx
	r      *mywire.Reader
	w      *mywire.Writer
	greet  mywire.Greeting
	plugin plugin
	asked  bool // for the server's public key

	unproven bool   // the login's OK has to prove the certificate
	verifier []byte // what the server keeps of the password, for that
	out      Conn
}

// connect opens the connection. From here on, the end of ctx closes it, which
// ends whatever waits on it.
func connect(ctx context.Context, cfg *Config) (*handshake, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, cfg.Network, cfg.Address)
	if err != nil {
		return nil, err
	}
	h := &handshake{cfg: cfg, conn: conn}
	h.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	h.attach(conn)
	return h, nil
}

func (h *handshake) attach(conn net.Conn) {
	ro, wo := h.cfg.Reader, h.cfg.Writer
	ro.Idle, ro.Stall, wo.Stall = 0, 0, 0 // ctx bounds the handshake as a whole
	h.conn, h.r, h.w = conn, mywire.NewReader(conn, ro), mywire.NewWriter(conn, wo)
}

func (h *handshake) close() {
	h.stop()
	_ = h.conn.Close()
	h.r.Close()
	h.w.Close()
}

// because prefers the reason for which ctx ended to what it caused.
func (h *handshake) because(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	return err
}

// greeting reads the server's first packet and agrees on capabilities.
func (h *handshake) greeting(context.Context) error {
	body, err := h.packet("a greeting")
	if err != nil {
		return err
	}
	if h.greet, err = mywire.ParseGreeting(body); err != nil {
		return err
	}
	if err := h.r.Discard(); err != nil {
		return err
	}
	if err := h.r.NoSmuggling(); err != nil {
		return err
	}
	if lacks := needed &^ h.greet.Capabilities; lacks != 0 {
		return &Lacking{What: fmt.Sprintf("capability flags 0x%x", uint64(lacks))}
	}
	want := h.cfg.Capabilities&^withheld | asked | needed
	if h.cfg.Database != "" {
		want |= mywire.CapConnectWithDB
	}
	switch h.cfg.Compression {
	case Zlib:
		want |= mywire.CapCompress
	case Zstd:
		want |= mywire.CapZstd
	}
	o := &h.out
	o.ServerVersion, o.MariaDB = h.greet.ServerVersion, h.greet.MariaDB()
	o.ID, o.Collation, o.Offered = h.greet.ConnectionID, h.greet.Collation, h.greet.Capabilities
	if !h.greet.Capabilities.Has(mywire.CapLongPassword) {
		want &^= mywire.CapLongPassword // says that extended flags are meant
	} else {
		want |= mywire.CapLongPassword
	}
	o.Capabilities = want & h.greet.Capabilities
	if h.cfg.Compression != "" && !o.Capabilities.Has(mywire.CapCompress) && !o.Capabilities.Has(mywire.CapZstd) {
		return &Lacking{What: "compression " + string(h.cfg.Compression)}
	}
	return nil
}

// encrypt brings the connection to what the TLS mode wants.
func (h *handshake) encrypt(ctx context.Context) error {
	if h.cfg.TLS == Disable {
		return nil
	}
	if !h.greet.Capabilities.Has(mywire.CapTLS) {
		if h.cfg.TLS == Prefer {
			return nil
		}
		return &TLSError{Mode: h.cfg.TLS, Refused: true}
	}
	h.out.Capabilities |= mywire.CapTLS
	l := h.loginPacket()
	l.TLSRequest = true
	h.w.SetSeq(h.r.Seq())
	if err := h.write(mywire.AppendLogin(nil, &l)); err != nil {
		return fmt.Errorf("ask for TLS: %w", err)
	}
	seq := h.w.Seq()
	t := tls.Client(h.r.Detach(), h.cfg.tlsConfig())
	h.w.Close()
	if err := t.HandshakeContext(ctx); err != nil {
		h.attach(t)
		return &TLSError{Mode: h.cfg.TLS, Problem: err}
	}
	state := t.ConnectionState()
	h.out.TLS = &state
	h.attach(t)
	h.r.SetSeq(seq)
	if h.cfg.TrustByPassword {
		trusted, err := h.cfg.verify(state)
		if err != nil {
			return &TLSError{Mode: h.cfg.TLS, Problem: err}
		}
		h.unproven = !trusted
	}
	return nil
}

func (h *handshake) loginPacket() mywire.Login {
	return mywire.Login{
		Capabilities: h.out.Capabilities, MaxPacket: h.cfg.MaxPacket, Collation: h.cfg.Collation,
		User: h.cfg.User, Database: h.cfg.Database, Attributes: h.cfg.Attributes, ZstdLevel: zstdLevel,
	}
}

// login sends the login with the first answer of the plugin that the server
// proposes or, if that cannot or may not be given unasked, of
// mysql_native_password.
func (h *handshake) login(context.Context) error {
	l := h.loginPacket()
	p, ok := newPlugin(h.greet.AuthPlugin, h.greet.Nonce)
	h.plugin = p
	if ok = ok && p.unasked; ok {
		err := h.provable()
		if err != nil {
			return err
		}
		l.AuthResponse, err = p.first(h)
		ok = err == nil && (len(l.AuthResponse) < 256 || l.Capabilities.Has(mywire.CapLenencAuth))
	}
	if !ok { // the server will say which plugin it means
		h.plugin, _ = newPlugin(mywire.PluginNative, h.greet.Nonce)
		l.AuthResponse, _ = h.native() // which cannot fail
	}
	l.AuthPlugin = h.plugin.name
	h.w.SetSeq(h.r.Seq())
	if err := h.write(mywire.AppendLogin(nil, &l)); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	h.r.SetSeq(h.w.Seq())
	return nil
}

// settle makes the connection ready for commands.
func (h *handshake) settle(context.Context) error {
	h.out.Method = h.plugin.name
	h.w.SetCapabilities(h.out.Capabilities)
	switch {
	case h.out.Capabilities.Has(mywire.CapCompress):
		return mywire.Compress(h.r, h.w, mywire.AlgorithmZlib, 0)
	case h.out.Capabilities.Has(mywire.CapZstd):
		return mywire.Compress(h.r, h.w, mywire.AlgorithmZstd, zstdLevel)
	}
	return nil
}

// packet returns the payload of the next packet, which is no ERR.
func (h *handshake) packet(want string) ([]byte, error) {
	hd, err := h.r.Peek()
	if err != nil {
		return nil, fmt.Errorf("wait for %s: %w", want, err)
	}
	body, err := h.r.Body(maxHandshakeBody)
	if err != nil {
		return nil, fmt.Errorf("wait for %s: %w", want, err)
	}
	if hd.Type != mywire.MarkErr || hd.Len == 0 {
		return body, nil
	}
	e, err := mywire.ParseError(body)
	if err != nil {
		return nil, err
	}
	return nil, h.refused(e)
}

func (h *handshake) write(payload []byte) error {
	if err := h.w.Packet(payload); err != nil {
		return err
	}
	return h.w.Flush()
}

// refused turns the server's error into the type that tells a login from the
// rest.
func (h *handshake) refused(e mywire.ServerError) error {
	switch e.Number {
	case mywire.ErrAccessDenied, errAccessDeniedNoPassword, errPasswordExpired, errPluginNotLoaded, errAccountLocked, errAccountBlocked:
		return &AuthError{Method: h.plugin.name, Server: &e}
	}
	return &e
}

func (h *handshake) failed(err error) error {
	return &AuthError{Method: h.plugin.name, Problem: err}
}

// Server errors that refuse a login.
const (
	errAccessDeniedNoPassword = 1698
	errPasswordExpired        = 1862
	errPluginNotLoaded        = 1524
	errAccountLocked          = 3118 // MySQL
	errAccountBlocked         = 4151 // MariaDB
)

// keep copies what outlives the packet.
func (h *handshake) keep(ok mywire.OK) {
	h.out.Status = ok.Status
	h.out.Changes = mywire.NewSessionChanges(slices.Clone(ok.Changes.Bytes()))
}
