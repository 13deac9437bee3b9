package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/weirdb/weir/protocol/pgwire"
)

// alpn is PostgreSQL's protocol name in TLS (PostgreSQL documentation, 55.2.10).
const alpn = "postgresql"

// Conn is a connection to a server that is ready for its first query. Its
// holder owns all of it.
type Conn struct {
	Net     net.Conn // TLS or plain
	Reader  *pgwire.Reader
	Writer  *pgwire.Writer
	Params  map[string]string // ParameterStatus by name
	Key     pgwire.BackendKey // Key is nil if the server gave none
	Version pgwire.Version
	TLS     *tls.ConnectionState // nil in clear
	Method  string               // of authentication, such as SCRAM-SHA-256-PLUS
	Notices []pgwire.Notice      // what the server said before ReadyForQuery

	cfg Config
}

// Dial connects, authenticates and waits for ReadyForQuery. A server that does
// not know protocol 3.2 and says so by an error is asked again in 3.0. Errors:
// *TLSError, *AuthError, *ServerError, *Unexpected, *pgwire.Malformed,
// *pgwire.Smuggled and those of the network, wrapped.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	c, err := dial(ctx, &cfg, cfg.Newest)
	var refused *versionRefused
	if errors.As(err, &refused) {
		c, err = dial(ctx, &cfg, pgwire.Version30)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to server: %w", err)
	}
	return c, nil
}

// Close says goodbye and closes the connection.
func (c *Conn) Close() error {
	if c.Writer.Err() == nil && c.Writer.Empty(pgwire.MsgTerminate) == nil {
		_ = c.Writer.Flush() // the connection is closed next, either way
	}
	c.Reader.Close()
	c.Writer.Close()
	return c.Net.Close()
}

// Cancel asks the server to cancel what the connection is running, over a
// connection of its own, to the same address and under TLS if this one is. It
// returns when the server has taken the request. It may be called while others
// use the connection.
func (c *Conn) Cancel(ctx context.Context) error {
	cfg := c.cfg
	cfg.Address = c.Net.RemoteAddr().String()
	if cfg.Network == "unix" {
		cfg.Address = c.cfg.Address
	}
	if c.TLS != nil && cfg.TLS == Prefer {
		cfg.TLS = Require
	}
	return CancelRequest(ctx, cfg, c.Key)
}

// CancelRequest asks the server of cfg to cancel what the session with the key
// is running.
func CancelRequest(ctx context.Context, cfg Config, key pgwire.BackendKey) error {
	if err := cfg.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	h, err := connect(ctx, &cfg)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	defer h.close()
	if err := h.encrypt(ctx); err != nil {
		return fmt.Errorf("cancel: %w", h.because(ctx, err))
	}
	if _, err := h.conn.Write(pgwire.AppendCancel(nil, key)); err != nil {
		return fmt.Errorf("cancel: %w", h.because(ctx, err))
	}
	// The server closes the connection when it is done. What ends the wait
	// makes no difference, unless it is this side's own time.
	var one [1]byte
	_, _ = h.conn.Read(one[:])
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	return nil
}

func dial(ctx context.Context, cfg *Config, v pgwire.Version) (*Conn, error) {
	h, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	h.out.Version = v
	steps := []func(context.Context) error{h.encrypt, h.startup, h.authenticate, h.ready}
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

// handshake is one attempt to connect. Its steps are connect, encrypt,
// startup, authenticate and ready.
type handshake struct {
	cfg  *Config
	conn net.Conn
	stop func() bool // ends the watch over ctx
	r    *pgwire.Reader
	w    *pgwire.Writer
	out  Conn
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
	return h, nil
}

func (h *handshake) close() {
	h.stop()
	_ = h.conn.Close()
	if h.r != nil {
		h.r.Close()
		h.w.Close()
	}
}

// because prefers the reason for which ctx ended to what it caused.
func (h *handshake) because(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	return err
}

// encrypt brings the connection to what the TLS mode wants.
func (h *handshake) encrypt(ctx context.Context) error {
	if h.cfg.TLS == Disable {
		return nil
	}
	if !h.cfg.DirectTLS {
		yes, err := h.askTLS()
		if err != nil {
			return err
		}
		if !yes && h.cfg.TLS == Prefer {
			return nil
		}
		if !yes {
			return &TLSError{Mode: h.cfg.TLS, Refused: true}
		}
	}
	t := tls.Client(h.conn, h.cfg.tlsConfig())
	if err := t.HandshakeContext(ctx); err != nil {
		return &TLSError{Mode: h.cfg.TLS, Problem: err}
	}
	state := t.ConnectionState()
	if h.cfg.DirectTLS && state.NegotiatedProtocol != alpn {
		return &TLSError{Mode: h.cfg.TLS, Problem: errors.New("server did not agree on ALPN protocol " + alpn)}
	}
	h.conn = t
	h.out.TLS = &state
	return nil
}

// askTLS sends SSLRequest. What an error message in answer says is not to be
// trusted, so it is not read.
func (h *handshake) askTLS() (bool, error) {
	if _, err := h.conn.Write(pgwire.AppendTLSRequest(nil)); err != nil {
		return false, fmt.Errorf("ask for TLS: %w", err)
	}
	// Room for more than the one byte that may come: PostgreSQL sends nothing
	// else before the handshake.
	var answer [64]byte
	n, err := h.conn.Read(answer[:])
	if err != nil {
		return false, fmt.Errorf("ask for TLS: %w", err)
	}
	if n > 1 {
		return false, &pgwire.Smuggled{Bytes: n - 1}
	}
	switch answer[0] {
	case 'S':
		return true, nil
	case 'N':
		return false, nil
	}
	return false, &Unexpected{Want: "S or N in answer to SSLRequest", Got: answer[0]}
}

// startup sends the startup message.
func (h *handshake) startup(context.Context) error {
	ro, wo := h.cfg.Reader, h.cfg.Writer
	ro.Idle, ro.Stall, wo.Stall = 0, 0, 0 // ctx bounds the handshake as a whole
	h.r, h.w = pgwire.NewReader(h.conn, ro), pgwire.NewWriter(h.conn, wo)
	params := []pgwire.Param{{Name: "user", Value: h.cfg.User}}
	if h.cfg.Database != "" {
		params = append(params, pgwire.Param{Name: "database", Value: h.cfg.Database})
	}
	params = append(params, h.cfg.Params...)
	if err := h.w.Raw(pgwire.AppendStartup(nil, h.out.Version, params)); err != nil {
		return err
	}
	return h.w.Flush()
}
