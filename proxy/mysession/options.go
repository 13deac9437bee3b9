package mysession

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/mysql"
)

// Authenticator proves who a client is. *auth.Authenticator is one.
type Authenticator interface {
	// Scrambled gives nil where the password has to be asked for.
	Scrambled(ctx context.Context, user string, nonce, answer []byte) (*auth.Identity, error)
	Password(ctx context.Context, user, password string) (*auth.Identity, error)
	// Kept gives nil where another way has to be tried.
	Kept(ctx context.Context, user, mechanism string, proves func(verifier []byte) bool) (identity *auth.Identity, verifier []byte, err error)
	// Outside says that only the password itself will do for a name.
	Outside(user string) bool
	// Refuse makes the failure where there is none.
	Refuse(ctx context.Context, user, mechanism string) error
	Certificate(ctx context.Context, chain []*x509.Certificate, user string) (*auth.Identity, error)
}

// Gate opens judged sessions. FromGate makes one of a *gate.Gate.
type Gate interface {
	// Connect's error is a *gate.Denial.
	Connect(ctx context.Context, s gate.Subject) (Judge, error)
	Rejected(ctx context.Context, s gate.Subject, reason string)
}

// Judge decides the statements of one session. *gate.Session is one.
type Judge interface {
	Judge(ctx context.Context, s gate.Statement) (*gate.Ticket, error)
	Preview(ctx context.Context, s gate.Statement) (*gate.Ticket, error)
	Close(reason string)
}

// FromGate adapts a gate.
func FromGate(g *gate.Gate) Gate { return realGate{g} }

type realGate struct{ *gate.Gate }

func (g realGate) Connect(ctx context.Context, s gate.Subject) (Judge, error) {
	return g.Gate.Connect(ctx, s)
}

// Catalogs gives the definitions of a server. *mysql.Manager is one.
type Catalogs interface {
	// After returns definitions that were read after the Invalidate that gave
	// the token; zero asks for the present ones. It bounds its own wait.
	After(ctx context.Context, t mysql.Token) (*mysql.Catalog, error)
	// Invalidate says that definitions have changed.
	Invalidate() mysql.Token
}

// Analyzer reads statements. *mysql.Analyzer is one.
type Analyzer interface {
	// Analyze changes neither catalog nor state; nobody changes what it returns.
	Analyze(text string, c *mysql.Catalog, s *mysql.State) *mysql.Analysis
	// Rewrite makes of one statement of a text another one that sees some
	// relations otherwise. Its error is a *query.RewriteError.
	Rewrite(text string, index int, c *mysql.Catalog, s *mysql.State, rw query.Rewrite) (*query.Rewritten, error)
	// Universe lists every relation with every column in every use.
	Universe(c *mysql.Catalog) []query.Table
}

// Datasource is a server behind weir.
type Datasource struct {
	Target gate.Target
	// Upstream says how to connect; the session sets Capabilities, Collation,
	// Attributes, Reader and Writer. Its Database is where a session begins
	// whose client names none.
	Upstream upstream.Config
	// Dial connects in upstream.Dial's place and sets user and password; nil:
	// upstream.Dial does, with those of Upstream.
	Dial     func(context.Context, upstream.Config) (*upstream.Conn, error)
	Catalogs Catalogs
	Analyzer Analyzer

	// defined is the token of the last change of definitions that was made
	// through weir: no session analyses with older ones.
	defined atomic.Uint64
	// greeted is what the server last said of itself, nil before that.
	greeted atomic.Pointer[greeted]
}

// greeted is the part of a server's greeting that weir's own repeats.
type greeted struct {
	version   string
	collation byte
	mariaDB   bool
}

// changed says that definitions have changed.
func (d *Datasource) changed() {
	token := uint64(d.Catalogs.Invalidate())
	for {
		old := d.defined.Load()
		if old >= token || d.defined.CompareAndSwap(old, token) {
			return
		}
	}
}

// Options make a Handler. Zero durations and sizes take the default named.
type Options struct {
	Auth Authenticator
	// CertificateLogin logs clients in by a certificate that TLS has verified,
	// if they show one, instead of by a password.
	CertificateLogin bool
	// Plugins are those by which clients prove passwords, the first of them in
	// the greeting; caching_sha2_password alone if there are none. Auth keeps
	// verifiers for the others.
	Plugins []string
	// Throttle bounds how often passwords are tried; nil does not.
	Throttle *auth.Throttle
	// Recheck says why somebody who has just logged in may not after all; nil
	// asks nobody.
	Recheck func(ctx context.Context, id *auth.Identity) error
	Gate    Gate
	// Datasource finds the datasource of a name on a listener, nil if there is
	// none. The empty name means the one that the listener serves.
	Datasource func(listener, name string) *Datasource
	// Shown is the datasource whose server the listener's greeting repeats, nil
	// if there is none.
	Shown    func(listener string) *Datasource
	MaskKeys *masking.Keys
	Buffers  *mywire.Buffers
	Logger   *slog.Logger

	StartupTimeout    time.Duration // until the session is ready; 60 s
	IdleTimeout       time.Duration // outside a transaction; none
	IdleInTransaction time.Duration // inside a transaction; none
	Stall             time.Duration // pause inside a client's packet; 60 s
	WriteStall        time.Duration // a client that takes nothing; 10 min
	MaxMessage        int           // longest packet of a client; 1 GiB as in MySQL
	Cancel            time.Duration // most for a KILL upstream; 5 s
}

func (o *Options) complete() {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&o.StartupTimeout, time.Minute)
	set(&o.Stall, time.Minute)
	set(&o.WriteStall, 10*time.Minute)
	set(&o.Cancel, 5*time.Second)
	if o.MaxMessage <= 0 || o.MaxMessage > mywire.MaxBody {
		o.MaxMessage = mywire.MaxBody
	}
	if o.Buffers == nil {
		o.Buffers = mywire.NewBuffers()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
