package pgsession

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/pgsql"
)

// Authenticator proves who a client is. *auth.Authenticator is one.
type Authenticator interface {
	BeginSCRAM(ctx context.Context, user, mechanism string, cb auth.ChannelBinding) (*auth.SCRAM, error)
	// Outside says that Password is needed for a name, because weir keeps nothing
	// that SCRAM could be held against.
	Outside(user string) bool
	Password(ctx context.Context, user, password string) (*auth.Identity, error)
	// Bearer says how OAUTHBEARER is served for a name, nil if it is not.
	Bearer(user string) *auth.Bearer
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

// Catalogs gives the definitions of a datasource's database. *pgsql.Manager is
// one.
type Catalogs interface {
	// After returns definitions that were read after the Invalidate that gave
	// the token; zero asks for the present ones. It bounds its own wait.
	After(ctx context.Context, t pgsql.Token) (*pgsql.Catalog, error)
	// Invalidate says that definitions have changed.
	Invalidate() pgsql.Token
}

// Analyzer reads statements. *pgsql.Analyzer is one.
type Analyzer interface {
	// Analyze changes neither catalog nor state; nobody changes what it returns.
	Analyze(text string, c *pgsql.Catalog, s *pgsql.State) *pgsql.Analysis
	// Rewrite makes of one statement of a text another one that sees some
	// relations otherwise. Its error is a *query.RewriteError.
	Rewrite(text string, index int, c *pgsql.Catalog, s *pgsql.State, rw query.Rewrite) (*pgsql.Rewritten, error)
	// Universe lists every relation with every column in every use.
	Universe(c *pgsql.Catalog) []query.Table
	// SizesOf lists the relations with what the size of each tells of.
	SizesOf(c *pgsql.Catalog) []query.Sized
}

// Datasource is a database behind weir.
type Datasource struct {
	Target   gate.Target
	Upstream upstream.Config // Params, Reader and Writer are set by the session
	// Dial connects in upstream.Dial's place and sets user and password; nil:
	// upstream.Dial does, with those of Upstream.
	Dial     func(context.Context, upstream.Config) (*upstream.Conn, error)
	Catalogs Catalogs
	Analyzer Analyzer

	// defined is the token of the last change of definitions that was made
	// through weir: no session analyses with older ones.
	defined atomic.Uint64
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
	// Throttle bounds how often passwords are tried; nil does not.
	Throttle *auth.Throttle
	// Recheck says why somebody who has just logged in may not after all; nil
	// asks nobody.
	Recheck func(ctx context.Context, id *auth.Identity) error
	Gate    Gate
	// Datasource finds a datasource by name, nil if there is none.
	Datasource func(name string) *Datasource
	MaskKeys   *masking.Keys
	Buffers    *pgwire.Buffers
	Logger     *slog.Logger

	StartupTimeout    time.Duration // until the session is ready; 60 s
	IdleTimeout       time.Duration // outside a transaction; none
	IdleInTransaction time.Duration // inside a transaction; none
	Stall             time.Duration // pause inside a client's message; 60 s
	WriteStall        time.Duration // a client that takes nothing; 10 min
	MaxMessage        int           // longest message of a client; 1 GiB as in PostgreSQL
	Cancel            time.Duration // most for a cancel request upstream; 5 s
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
	if o.MaxMessage <= 0 || o.MaxMessage > pgwire.MaxBody {
		o.MaxMessage = pgwire.MaxBody
	}
	if o.Buffers == nil {
		o.Buffers = pgwire.NewBuffers()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
