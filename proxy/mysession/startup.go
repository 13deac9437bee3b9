package mysession

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
)

// offered is what weir offers every client. Withheld are: query attributes,
// which MariaDB does not know and nothing could judge; optional metadata and
// metadata caching, which leave results without definitions; progress reports,
// multi-factor exchanges and COM_MULTI.
const offered = mywire.CapFoundRows | mywire.CapLongFlag | mywire.CapConnectWithDB | mywire.CapODBC | mywire.CapLocalFiles |
	mywire.CapIgnoreSpace | mywire.CapProtocol41 | mywire.CapInteractive | mywire.CapTransactions | mywire.CapSecureConnection |
	mywire.CapMultiStatements | mywire.CapMultiResults | mywire.CapPSMultiResults | mywire.CapPluginAuth | mywire.CapConnectAttrs |
	mywire.CapLenencAuth | mywire.CapSessionTrack | mywire.CapDeprecateEOF | mywire.CapCompress

// Beyond that, what only one kind of server has.
const (
	offeredMariaDB = mywire.CapBulkOperations | mywire.CapExtendedMetadata
	offeredMySQL   = mywire.CapLongPassword | mywire.CapZstd
)

// maxLogin bounds the packets of the login.
const maxLogin = 64 << 10

// Handler serves MySQL and MariaDB clients.
type Handler struct {
	options     Options
	connections connections
	hangups     hangups
	// rsaKey encrypts passwords where there is no TLS, in development alone.
	rsaKey func() (*rsa.PrivateKey, error)
}

// New makes a handler.
func New(o Options) *Handler {
	o.complete()
	h := &Handler{options: o, rsaKey: sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })}
	h.connections.live = map[uint32]*session{}
	return h
}

// front is a client's connection before its session: the steps of startup and
// login fill it.
type front struct {
	handler *Handler
	options *Options
	conn    *proxy.Conn
	net     net.Conn // TLS once it is up
	in      *mywire.Reader
	out     *mywire.Writer
	limit   time.Time
	greeted bool // the client has the greeting, so that errors carry SQLSTATEs

	id          uint32 // of the connection, weir's own
	nonce       []byte
	offered     mywire.Capabilities
	login       mywire.Login
	caps        mywire.Capabilities  // agreed with the client
	tls         *tls.ConnectionState // nil in clear
	certificate []byte               // that the client was shown, DER
	proof       []byte               // that it is weir's, for clients that do not know its authority; nil if there is none
	user        string               // who logs in, without the datasource
	named       string               // the datasource that the login names, or empty

	identity   *auth.Identity
	datasource *Datasource
}

// Serve serves one connection: startup, login, session.
func (h *Handler) Serve(ctx context.Context, c *proxy.Conn) proxy.EndReason {
	f := &front{handler: h, options: &h.options, conn: c, limit: time.Now().Add(h.options.StartupTimeout)}
	f.id = h.connections.reserve()
	defer h.connections.release(f.id)
	f.use(c.Conn)
	// What the client does not take in this time, nobody waits for.
	stop := context.AfterFunc(ctx, func() { _ = c.Conn.Close() })
	defer stop()
	defer func() { _ = f.net.Close() }()
	s, err := f.open(ctx)
	if err != nil {
		e := clientError(err)
		f.bye(e.say)
		f.log(e)
		return e.reason
	}
	return s.run(ctx)
}

// open brings the connection up to a session.
func (f *front) open(ctx context.Context) (*session, error) {
	steps := []func(context.Context) error{f.greet, f.readLogin, f.checkLogin, f.prove, f.chooseDatasource}
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
	f.in = mywire.NewReader(conn, mywire.ReaderOptions{Buffers: f.options.Buffers, MaxBody: maxLogin, Stall: f.options.Stall})
	f.in.SetLimit(f.limit)
	f.out = mywire.NewWriter(conn, mywire.WriterOptions{Buffers: f.options.Buffers, Stall: f.options.Stall})
}

// bye sends the last packet, if there is one and it can be sent.
func (f *front) bye(e *mywire.ServerError) {
	if e != nil && f.out.Err() == nil {
		say := f.out.GreetingError
		if f.greeted {
			say = f.out.Error
		}
		if say(e) == nil {
			f.out.SetStall(time.Second)
			_ = f.out.Flush() // the connection ends, either way
		}
	}
	f.in.Close()
	f.out.Close()
}

func (f *front) log(e *ended) {
	if e.cause != nil {
		f.options.Logger.Info("connection refused", "session", f.conn.ID, "reason", e.reason.String(), "error", e.cause)
	}
}

// Versions that are shown as long as no server has said its own.
const (
	unknownMariaDB = "5.5.5-10.11.0-MariaDB"
	unknownMySQL   = "8.0.30"
	engineMySQL    = "mysql"
)

// shown is what the greeting says of the server.
func (f *front) shown(ctx context.Context) greeted {
	d := f.options.Shown(f.conn.Listener.Name)
	if d == nil {
		return greeted{version: unknownMariaDB, mariaDB: true, collation: defaultCollation}
	}
	if g := d.greeted.Load(); g != nil {
		return *g
	}
	g := greeted{version: unknownMariaDB, mariaDB: true, collation: defaultCollation}
	if d.Target.Engine == engineMySQL {
		g.version, g.mariaDB = unknownMySQL, false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if c, err := d.Catalogs.After(ctx, 0); err == nil && c.Server.VersionText != "" {
		g.version, g.mariaDB = c.Server.VersionText, c.Server.MariaDB
		if c.Server.MariaDB && c.Server.Version/10000 == 10 {
			g.version = "5.5.5-" + g.version // as MariaDB 10 itself does
		}
	}
	return g
}

// defaultCollation is utf8mb4_general_ci.
const defaultCollation = 45

// greet sends the first packet.
func (f *front) greet(ctx context.Context) error {
	if f.conn.Refuse {
		return end(proxy.EndLimitTotal, nil)
	}
	nonce, err := mywire.NewNonce()
	if err != nil {
		return err
	}
	shown := f.shown(ctx)
	f.nonce, f.offered = nonce, offered|offeredMySQL
	if shown.mariaDB {
		f.offered = offered | offeredMariaDB
	}
	if f.conn.Listener.TLS != nil {
		f.offered |= mywire.CapTLS
	}
	g := mywire.Greeting{ServerVersion: shown.version, ConnectionID: f.id, Nonce: nonce, Capabilities: f.offered,
		Collation: shown.collation, Status: mywire.StatusAutocommit, AuthPlugin: proposed(f.options.Plugins)}
	if err := f.out.Packet(mywire.AppendGreeting(nil, &g)); err != nil {
		return err
	}
	f.in.SetSeq(f.out.Seq())
	return f.out.Flush()
}

// proposed is the plugin of the greeting. Its nonce is too short for
// client_ed25519, which MariaDB does not propose either: clients that are asked
// for mysql_native_password wait to be told.
func proposed(plugins []string) string {
	switch {
	case len(plugins) == 0:
		return mywire.PluginSHA2
	case plugins[0] == mywire.PluginEd25519:
		return mywire.PluginNative
	}
	return plugins[0]
}

// readLogin reads the client's first packet, and sets up TLS on the way.
func (f *front) readLogin(ctx context.Context) error {
	f.greeted = true
	l, err := f.loginPacket()
	if err == nil && l.TLSRequest {
		if f.conn.Listener.TLS == nil {
			return protocolViolation("unexpected SSLRequest")
		}
		if err := f.handshake(ctx); err != nil {
			return err
		}
		if l, err = f.loginPacket(); err == nil && l.TLSRequest {
			return protocolViolation("unexpected SSLRequest")
		}
	}
	if err != nil {
		return err
	}
	f.login, f.caps = l, l.Capabilities&f.offered
	f.out.SetCapabilities(f.caps)
	return nil
}

// loginPacket reads a login or SSLRequest.
func (f *front) loginPacket() (mywire.Login, error) {
	body, err := f.in.Body(maxLogin)
	if err != nil {
		return mywire.Login{}, err
	}
	l, err := mywire.ParseLogin(body, f.offered)
	if err != nil {
		return l, err
	}
	if err := f.in.Discard(); err != nil {
		return l, err
	}
	f.out.SetSeq(f.in.Seq())
	return l, nil
}

// handshake sets up TLS. The client begins it without waiting, so what has
// come behind its request belongs to TLS; nothing of it is taken for a packet.
func (f *front) handshake(ctx context.Context) error {
	config, presented := f.conn.Listener.TLS.Server()
	seq := f.in.Seq()
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
	if len(presented.Certificate) > 0 {
		f.certificate = presented.Certificate[0]
	}
	f.in.SetSeq(seq)
	f.out.SetSeq(seq)
	return nil
}

// checkLogin refuses what a login may not ask for.
func (f *front) checkLogin(context.Context) error {
	if f.tls == nil && !f.conn.Listener.Plaintext {
		return endWith(proxy.EndStartupRefused, mywire.ErrSecureTransport, mywire.StateGeneral,
			"Connections using insecure transport are prohibited; connect with TLS (ssl-mode=REQUIRED, --ssl)")
	}
	f.splitName(f.login.User)
	return nil
}
