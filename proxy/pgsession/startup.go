package pgsession

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
)

// alpn is PostgreSQL's protocol name in TLS (PostgreSQL documentation, 55.2.10).
const alpn = "postgresql"

// Handler serves PostgreSQL clients.
type Handler struct{ options Options }

// New makes a handler.
func New(o Options) *Handler {
	o.complete()
	return &Handler{options: o}
}

// front is a client's connection before its session: the steps of startup and
// login fill it.
type front struct {
	options *Options
	conn    *proxy.Conn
	net     net.Conn // TLS once it is up
	in      *pgwire.Reader
	out     *pgwire.Writer
	limit   time.Time

	tls     *tls.ConnectionState // nil in clear
	binding auth.ChannelBinding
	startup pgwire.Startup
	version pgwire.Version
	user    string

	identity   *auth.Identity
	datasource *Datasource
}

// Serve serves one connection: startup, login, session.
func (h *Handler) Serve(ctx context.Context, c *proxy.Conn) proxy.EndReason {
	f := &front{options: &h.options, conn: c, limit: time.Now().Add(h.options.StartupTimeout)}
	f.use(c.Conn)
	// What the client does not take in this time, nobody waits for.
	stop := context.AfterFunc(ctx, func() { _ = c.Conn.Close() })
	defer stop()
	defer func() { _ = f.net.Close() }()
	s, err := f.open(ctx)
	if err != nil {
		e := clientError(err)
		f.bye(e.notice)
		f.log(e)
		return e.reason
	}
	return s.run(ctx)
}

// open brings the connection up to a session.
func (f *front) open(ctx context.Context) (*session, error) {
	steps := []func(context.Context) error{f.firstPackets, f.checkStartup, f.negotiate, f.login, f.chooseDatasource}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return f.connect(ctx)
}

// use takes a connection, plain or TLS, as the one to talk over.
func (f *front) use(conn net.Conn) {
	f.net = conn
	f.in = pgwire.NewReader(conn, pgwire.ReaderOptions{Buffers: f.options.Buffers, Stall: f.options.Stall})
	f.in.SetLimit(f.limit)
	f.out = pgwire.NewWriter(conn, pgwire.WriterOptions{Buffers: f.options.Buffers, Stall: f.options.Stall})
}

// bye sends the last message, if there is one and it can be sent.
func (f *front) bye(n *pgwire.Notice) {
	if n != nil && f.out.Error(n) == nil {
		f.out.SetStall(time.Second)
		_ = f.out.Flush() // the connection ends, either way
	}
	f.in.Close()
	f.out.Close()
}

func (f *front) log(e *ended) {
	if e.cause != nil {
		f.options.Logger.Info("connection refused", "session", f.conn.ID, "reason", e.reason.String(), "error", e.cause)
	}
}

// firstPackets reads up to the startup message, and sets up TLS on the way.
func (f *front) firstPackets(ctx context.Context) error {
	var askedTLS, askedGSS bool
	for {
		s, err := f.in.ReadStartup()
		if err != nil {
			return err
		}
		switch s.Kind {
		case pgwire.StartupMessage:
			f.startup = s
			return nil
		case pgwire.StartupCancel:
			return f.cancel(ctx, s.Cancel)
		case pgwire.StartupDirectTLS:
			if f.tls != nil || askedTLS || askedGSS {
				return protocolViolation("unexpected TLS handshake")
			}
			err = f.directTLS(ctx)
		case pgwire.StartupTLS:
			if askedTLS || f.tls != nil {
				return protocolViolation("unexpected SSLRequest")
			}
			askedTLS = true
			err = f.answerTLS(ctx)
		case pgwire.StartupGSS:
			if askedGSS || f.tls != nil {
				return protocolViolation("unexpected GSSENCRequest")
			}
			askedGSS = true
			err = pgwire.WriteAnswer(f.net, 'N')
		}
		if err != nil {
			return err
		}
	}
}

func (f *front) answerTLS(ctx context.Context) error {
	if f.conn.Listener.TLS == nil {
		return pgwire.WriteAnswer(f.net, 'N')
	}
	// Bytes that are here already were sent in clear and would be read as if
	// they had come under TLS.
	if err := f.in.NoSmuggling(); err != nil {
		e := endWith(proxy.EndTLSFailed, pgwire.StateProtocolViolation,
			"received unencrypted data after SSL request", "")
		e.cause = err
		return e
	}
	if err := pgwire.WriteAnswer(f.net, 'S'); err != nil {
		return err
	}
	return f.handshake(ctx)
}

// directTLS is TLS from the first byte. Only ALPN tells a client that means
// PostgreSQL from one that was lured here, so it is demanded.
func (f *front) directTLS(ctx context.Context) error {
	if f.conn.Listener.TLS == nil {
		return &ended{reason: proxy.EndTLSFailed}
	}
	if err := f.handshake(ctx); err != nil {
		return err
	}
	if f.tls.NegotiatedProtocol != alpn {
		e := endWith(proxy.EndTLSFailed, pgwire.StateProtocolViolation,
			"received direct SSL connection request without ALPN protocol negotiation extension", "")
		return e
	}
	return nil
}

func (f *front) handshake(ctx context.Context) error {
	config, presented := f.conn.Listener.TLS.Server(alpn)
	raw := f.in.Detach()
	conn := tls.Server(raw, config)
	ctx, cancel := context.WithDeadline(ctx, f.limit)
	defer cancel()
	if err := raw.SetDeadline(f.limit); err != nil {
		return err
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return &ended{reason: proxy.EndTLSFailed, cause: err}
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return err
	}
	state := conn.ConnectionState()
	f.use(conn)
	f.tls = &state
	if presented.Leaf != nil {
		// Some signatures have no hash to bind with; then there is no -PLUS.
		f.binding, _ = auth.ServerEndPoint(presented.Leaf)
	}
	return nil
}

// checkStartup refuses what a startup message may not ask for.
func (f *front) checkStartup(context.Context) error {
	if f.conn.Refuse {
		return end(proxy.EndLimitTotal, nil)
	}
	if f.tls == nil && !f.conn.Listener.Plaintext {
		return endWith(proxy.EndStartupRefused, pgwire.StateInvalidAuthorization,
			"connections without TLS are refused", "Connect with sslmode=require or stronger.")
	}
	user, err := f.startup.User()
	if err != nil {
		return err
	}
	f.user = user
	replication, err := f.startup.Replication()
	if err != nil {
		return err
	}
	if replication != pgwire.ReplicationNone {
		return endWith(proxy.EndStartupRefused, pgwire.StateFeatureNotSupported,
			"replication connections are not supported through weir", "Connect to the database itself for replication.")
	}
	return nil
}

// negotiate settles the protocol version.
func (f *front) negotiate(context.Context) error {
	version, unknown, say := f.startup.Negotiate(pgwire.Version32)
	f.version = version
	if !say {
		return nil
	}
	return f.out.NegotiateProtocolVersion(version, unknown)
}

// cancel passes a cancel request on. There is no answer, ever.
func (f *front) cancel(ctx context.Context, k pgwire.BackendKey) error {
	// libpq before 17 cancels in clear even where the session has TLS: the key is
	// all that counts.
	f.conn.Server.Cancel(ctx, proxy.CancelKey{PID: k.PID, Secret: k.Key})
	return &ended{reason: proxy.EndCancelRequest}
}
