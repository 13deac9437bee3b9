package main

import (
	"context"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/mysession"
	"github.com/weirdb/weir/proxy/pgsession"
)

// The protocols of listeners.
const (
	protocolPostgres = "postgresql"
	protocolMySQL    = "mysql"
)

// handlers wires the sessions' needs, by protocol.
func (r *daemon) handlers(ctx context.Context) (map[string]proxy.Handler, error) {
	secret, err := r.store.MockSecret(ctx)
	if err != nil {
		return nil, err
	}
	rule, err := auth.NewCertificateRule(auth.CertificateField(r.config.Auth.CertificateUser), "", "")
	if err != nil {
		return nil, err
	}
	sources, err := outsideSources(r.config, r.resolver)
	if err != nil {
		return nil, err
	}
	// Passwords in clear come to MySQL's listeners, and where a source is asked, under TLS.
	authenticator, err := auth.New(r.store, secret, auth.Options{Certificates: []auth.CertificateRule{rule}, Cleartext: true, Observe: r.observeLogin,
		Sources: sources, Provisioner: r.store})
	if err != nil {
		return nil, err
	}
	keys, err := maskingKeys(ctx, r.config, r.resolver)
	if err != nil {
		return nil, err
	}
	g := gate.New(gate.Options{Policy: r.engine, Journal: r.journal, Metrics: gate.NewMetrics(r.registry), Logger: r.log})
	l, lockout := r.config.Limits, r.config.Auth.Lockout
	throttle := auth.NewThrottle(lockout.Attempts, lockout.Longest)
	r.issuer = &issuer{r, authenticator, throttle}
	return map[string]proxy.Handler{
		protocolPostgres: pgsession.New(pgsession.Options{Auth: authenticator, CertificateLogin: true, Throttle: throttle, Recheck: r.stillValid,
			Gate: pgsession.FromGate(g), Datasource: r.datasource, MaskKeys: keys, Logger: r.log,
			StartupTimeout: l.Startup, IdleTimeout: l.Idle, IdleInTransaction: l.IdleInTransaction,
			Stall: l.Stall, WriteStall: l.WriteStall, MaxMessage: int(l.Message)}),
		protocolMySQL: mysession.New(mysession.Options{Auth: authenticator, CertificateLogin: true, Plugins: r.config.Auth.MySQLPlugins, Throttle: throttle, Recheck: r.stillValid,
			Gate: mysession.FromGate(g), Datasource: r.mysqlDatasource, Shown: r.mysqlShown, MaskKeys: keys, Logger: r.log,
			StartupTimeout: l.Startup, IdleTimeout: l.Idle, IdleInTransaction: l.IdleInTransaction,
			Stall: l.Stall, WriteStall: l.WriteStall, MaxMessage: int(l.Message)}),
	}, nil
}

// datasource finds the datasource that a PostgreSQL client names as its database.
func (r *daemon) datasource(name string) *pgsession.Datasource {
	for _, s := range r.sources {
		if s.name == name {
			return s.postgres
		}
	}
	return nil
}

// mysqlDatasource finds the datasource that a MySQL client's login names. The
// empty name is the listener's own, or the only one that there is.
func (r *daemon) mysqlDatasource(listener, name string) *mysession.Datasource {
	own := r.listenerConfig(listener).Datasource
	if name == "" {
		name = own
	}
	if name != own && own != "" {
		return nil
	}
	var found *mysession.Datasource
	for _, s := range r.sources {
		switch {
		case s.mysql == nil:
		case s.name == name:
			return s.mysql
		case name == "" && found != nil:
			return nil
		case name == "":
			found = s.mysql
		}
	}
	return found
}

// mysqlShown is the datasource whose server a listener's greeting repeats: its
// own, or the first one.
func (r *daemon) mysqlShown(listener string) *mysession.Datasource {
	own := r.listenerConfig(listener).Datasource
	for _, s := range r.sources {
		if s.mysql != nil && (own == "" || own == s.name) {
			return s.mysql
		}
	}
	return nil
}

func (r *daemon) listenerConfig(address string) *configs.Listener {
	for i := range r.config.Listeners {
		if r.config.Listeners[i].Address == address {
			return &r.config.Listeners[i]
		}
	}
	return &configs.Listener{}
}
