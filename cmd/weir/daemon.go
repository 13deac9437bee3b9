package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/control"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/pgsql"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/store"
)

// daemon is a running weir: everything that serve starts, and reload and
// close reach.
type daemon struct {
	path     string // of the configuration, empty if there is no file
	config   *configs.Config
	log      *slog.Logger
	resolver *secrets.Resolver
	registry *prometheus.Registry

	store     *store.Store
	journal   *audit.Journal
	engine    *policy.Engine
	server    *proxy.Server
	admin     *control.Server
	logins    *control.Logins
	issuer    *issuer
	loginTLS  *proxy.Certificates // of logins
	sources   []*source
	listeners []*proxy.Listener

	stopWatch context.CancelFunc
	wg        sync.WaitGroup // accept loops and the watch of the store
	failed    chan error     // the first accept loop that ended by itself
}

// start starts everything that the configuration names. What it started is
// closed again when it fails.
func start(ctx context.Context, path string, config *configs.Config, log *slog.Logger) (*daemon, error) {
	resolver, err := newResolver(config, log)
	if err != nil {
		return nil, err
	}
	r := &daemon{path: path, config: config, log: log, resolver: resolver,
		registry: prometheus.NewRegistry(), failed: make(chan error, 1)}
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, step := range []func(context.Context) error{checkStack, r.openState, r.openPolicy, r.openSources, r.listen, r.openLogins, r.openAdmin} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, r.close(ctx))
		}
	}
	r.watchUsers()
	return r, nil
}

// checkStack refuses to start where the SQL parser could run out of stack.
func checkStack(context.Context) error { return pgsql.CheckStack() }

// openState opens the journal first: whatever changes the store is recorded.
func (r *daemon) openState(ctx context.Context) error {
	// The store makes the state folder, with mode 0700.
	users, err := openStore(ctx, r.config, r.resolver)
	if err != nil {
		return err
	}
	r.store = users
	if r.config.Store.Address != "" {
		r.registry.MustRegister(storeMetric(users))
	}
	r.journal, err = openJournal(ctx, r.config, r.resolver, audit.NewMetrics(r.registry), r.log)
	return err
}

func (r *daemon) openPolicy(ctx context.Context) error {
	failures := prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_policy_reload_failures_total",
		Help: "Policies that could not be loaded; the one before stays in force."})
	loaded := prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_policy_loaded_timestamp_seconds",
		Help: "Unix time at which the policy in force was loaded."})
	broken := prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_policy_broken",
		Help: "1 while the newest policy could not be loaded and an older one is in force."})
	r.registry.MustRegister(failures, loaded, broken)
	engine, err := openPolicy(ctx, r.config, r.resolver, r.log, func(p policy.Reloaded) { // called by the engine, one at a time
		e := &audit.Event{Kind: audit.KindPolicyChange, Action: "load", Object: "policy", After: p.Revision}
		if p.Err != nil {
			failures.Inc()
			broken.Set(1)
			e.Action, e.Message = "load_failed", p.Err.Error()
		} else {
			broken.Set(0)
			loaded.SetToCurrentTime()
		}
		r.record(e)
	})
	if err != nil {
		return err
	}
	r.engine = engine
	loaded.SetToCurrentTime()
	r.record(&audit.Event{Kind: audit.KindPolicyChange, Action: "load", Object: "policy", After: engine.Revision(), Message: engine.Status().Source})
	return nil
}

// record keeps an event of weir's own. Nothing waits on it but the log.
func (r *daemon) record(e *audit.Event) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.journal.Append(ctx, e); err != nil {
		r.log.Error("event is not recorded", "kind", string(e.Kind), "error", err)
	}
}

func (r *daemon) listen(ctx context.Context) error {
	handlers, err := r.handlers(ctx)
	if err != nil {
		return err
	}
	l := r.config.Limits
	r.server = proxy.New(proxy.Options{MaxConnections: l.Connections, MaxPerUser: l.ConnectionsPerUser,
		Metrics: proxy.NewMetrics(r.registry), Logger: r.log})
	var lc net.ListenConfig
	for i := range r.config.Listeners {
		c := &r.config.Listeners[i]
		certificates, err := listenerCertificates(ctx, c, r.config, r.resolver)
		if err != nil {
			return fmt.Errorf("listener %s: %w", c.Address, err)
		}
		socket, err := lc.Listen(ctx, "tcp", c.Address)
		if err != nil {
			return fmt.Errorf("listener %s: %w", c.Address, err)
		}
		r.listeners = append(r.listeners, &proxy.Listener{Name: c.Address, Net: socket, Handler: handlers[c.Protocol], TLS: certificates, Plaintext: c.TLS.Plaintext})
	}
	for _, l := range r.listeners {
		r.wg.Add(1)
		go func() { // ends by the server's Shutdown
			defer r.wg.Done()
			if err := r.server.Serve(l); !errors.Is(err, proxy.ErrStopped) {
				select {
				case r.failed <- err:
				default:
				}
			}
		}()
		r.log.Info("listening", "address", l.Net.Addr().String(), "tls", l.TLS != nil)
	}
	return nil
}

func (r *daemon) observeLogin(ctx context.Context, a auth.Attempt) {
	if a.Identity == nil {
		return
	}
	if err := r.store.RecordLogin(ctx, a.Identity.ID, time.Now()); err != nil {
		r.log.Warn("last login is not stored", "error", err)
	}
	if c := a.Identity.Credential; c != nil {
		if err := r.store.RecordUse(ctx, c.ID, time.Now()); err != nil {
			r.log.Warn("last use is not stored", "error", err)
		}
	}
}

func (r *daemon) openAdmin(ctx context.Context) error {
	if r.config.Admin.Address == "off" {
		return nil
	}
	checks := []control.Check{
		{Name: "journal", Ready: func(context.Context) error { return r.journal.Healthy() }},
		{Name: "store", Ready: func(context.Context) error {
			if r.store.Health() != nil {
				return errors.New("the store does not answer: sessions go on, nobody new can log in")
			}
			return nil
		}},
		{Name: "policy", Ready: func(context.Context) error {
			if s := r.engine.Status(); s.LastError != "" {
				return errors.New("the newest policy could not be loaded; an older one is in force")
			}
			return nil
		}},
	}
	for _, s := range r.sources {
		checks = append(checks, control.Check{Name: "datasource " + s.name, Ready: func(ctx context.Context) error {
			if err := s.ready(ctx); err != nil {
				return errors.New("the database's catalog cannot be read")
			}
			return nil
		}})
	}
	admin, err := control.Start(ctx, control.Options{Address: r.config.Admin.Address, Metrics: r.registry, Checks: checks, Logger: r.log})
	r.admin = admin
	return err
}

// loginListener is the listener of weir login as one of the others, whose client
// certificates it does not take.
func loginListener(c *configs.Config) *configs.Listener {
	t := c.Logins.TLS
	return &configs.Listener{Address: c.Logins.Address, TLS: configs.ListenerTLS{Certificate: t.Certificate, Key: t.Key, SelfSigned: t.SelfSigned}}
}

// openLogins serves weir login, if it is configured.
func (r *daemon) openLogins(ctx context.Context) error {
	c := &r.config.Logins
	if c.Address == "" {
		return nil
	}
	var err error
	if r.loginTLS, err = listenerCertificates(ctx, loginListener(r.config), r.config, r.resolver); err != nil {
		return fmt.Errorf("listener for logins: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		own, _ := r.loginTLS.Server("http/1.1")
		return own.GetConfigForClient(hello)
	}}
	var providers []control.Provider
	for _, s := range r.config.Auth.Sources {
		if s.OIDC.ClientID != "" {
			providers = append(providers, control.Provider{Name: s.Name, Issuer: s.OIDC.Issuer, ClientID: s.OIDC.ClientID, Scope: s.OIDC.Scope})
		}
	}
	r.logins, err = control.StartLogins(ctx, control.LoginOptions{Address: c.Address, TLS: config, Providers: providers, Issuer: r.issuer, Logger: r.log})
	if err == nil {
		r.log.Info("listening for logins", "address", r.logins.Address())
	}
	return err
}

// close drains and stops everything, in the reverse of the order of start.
func (r *daemon) close(ctx context.Context) error {
	var errs []error
	if r.server != nil {
		if err := r.server.Shutdown(ctx); err != nil {
			r.log.Warn("sessions were cut off", "error", err)
		}
	} else {
		for _, l := range r.listeners {
			errs = append(errs, l.Net.Close())
		}
	}
	if r.stopWatch != nil {
		r.stopWatch()
	}
	r.wg.Wait()
	if r.logins != nil {
		errs = append(errs, r.logins.Close(ctx))
	}
	if r.admin != nil {
		errs = append(errs, r.admin.Close(ctx))
	}
	for _, s := range r.sources {
		s.catalog.Close()
	}
	if r.engine != nil {
		errs = append(errs, r.engine.Close())
	}
	if r.journal != nil {
		errs = append(errs, r.journal.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	if err := r.resolver.Close(); err != nil {
		r.log.Warn("leases of secrets are not revoked; they end by themselves", "error", err)
	}
	return errors.Join(errs...)
}
