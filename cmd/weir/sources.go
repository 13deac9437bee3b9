package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirdb/weir/configs"
	myupstream "github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/mysession"
	"github.com/weirdb/weir/proxy/pgsession"
	"github.com/weirdb/weir/query/mysql"
	"github.com/weirdb/weir/query/pgsql"
	"github.com/weirdb/weir/secrets"
)

// enginePostgres is the engine that speaks PostgreSQL's protocol; the others
// speak MySQL's.
const enginePostgres = "postgresql"

// source is a datasource with what weir knows of it: a session's options for
// one of the two protocols, and the catalog.
type source struct {
	name     string
	postgres *pgsession.Datasource // nil for the other protocol
	mysql    *mysession.Datasource
	catalog  catalog
	ready    func(context.Context) error // the catalog can be had
}

// catalog is what both protocols' managers of definitions can do.
type catalog interface {
	Err() error
	Age() (time.Duration, bool)
	Close()
}

func (r *daemon) openSources(ctx context.Context) error {
	for i := range r.config.Datasources {
		d := &r.config.Datasources[i]
		open := r.openPostgres
		if d.Engine != enginePostgres {
			open = r.openMySQL
		}
		s, err := open(ctx, d)
		if err != nil {
			return fmt.Errorf("datasource %s: %w", d.Name, err)
		}
		r.sources = append(r.sources, s)
		r.registry.MustRegister(catalogMetrics(d.Name, s.catalog)...)
	}
	return nil
}

func target(d *configs.Datasource, database string) gate.Target {
	return gate.Target{Project: d.Project, Datasource: d.Name, Engine: d.Engine, Environment: d.Environment, Database: database, ReadOnly: d.ReadOnly}
}

func (r *daemon) openPostgres(ctx context.Context, d *configs.Datasource) (*source, error) {
	up, err := upstreamConfig(ctx, d, r.resolver)
	if err != nil {
		return nil, err
	}
	l, err := newLogin(ctx, d, r.resolver)
	if err != nil {
		return nil, err
	}
	m := pgsql.NewManager(pgsql.ManagerOptions{Interval: d.CatalogInterval, Logger: r.log.With("datasource", d.Name),
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return connectCatalog(ctx, l) }})
	return &source{name: d.Name, catalog: m,
		ready: func(ctx context.Context) error { _, err := m.Current(ctx); return err },
		postgres: &pgsession.Datasource{Upstream: up, Dial: l.dialPostgres, Catalogs: m, Target: target(d, up.Database),
			Analyzer: pgsql.NewAnalyzer(pgsql.Options{SafeFunctions: d.SafeFunctions, Bytes: int(r.config.Limits.Statement)})}}, nil
}

func (r *daemon) openMySQL(ctx context.Context, d *configs.Datasource) (*source, error) {
	up, err := mysqlUpstream(ctx, d, r.resolver)
	if err != nil {
		return nil, err
	}
	l, err := newLogin(ctx, d, r.resolver)
	if err != nil {
		return nil, err
	}
	m := mysql.NewManager(mysql.ManagerOptions{Interval: d.CatalogInterval, Logger: r.log.With("datasource", d.Name),
		Connect: func(ctx context.Context) (mysql.Querier, error) { return connectMySQLCatalog(ctx, l) }})
	return &source{name: d.Name, catalog: m,
		ready: func(ctx context.Context) error { _, err := m.Current(ctx); return err },
		mysql: &mysession.Datasource{Upstream: up, Dial: l.dialMySQL, Catalogs: m, Target: target(d, d.Database),
			Analyzer: mysql.NewAnalyzer(mysql.Options{SafeFunctions: d.SafeFunctions, Bytes: int(r.config.Limits.Statement)})}}, nil
}

// catalogMetrics say whether a datasource answers and how old the knowledge of it is.
func catalogMetrics(datasource string, c catalog) []prometheus.Collector {
	labels := prometheus.Labels{"datasource": datasource}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_catalog_broken", ConstLabels: labels,
			Help: "1 while the datasource's catalog cannot be read."}, func() float64 {
			if c.Err() != nil {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_catalog_age_seconds", ConstLabels: labels,
			Help: "Time since the datasource's catalog was last confirmed. It grows while nobody uses the datasource; NaN before the first."}, func() float64 {
			age, ok := c.Age()
			if !ok {
				return math.NaN()
			}
			return age.Seconds()
		}),
	}
}

// upstreamConfig says how to reach a PostgreSQL datasource, but for the login.
// The certificate is read anew, so that a rotated one is found.
func upstreamConfig(ctx context.Context, d *configs.Datasource, resolver *secrets.Resolver) (upstream.Config, error) {
	c := upstream.Config{Network: "tcp", Address: d.Address, ConnectTimeout: d.ConnectTimeout, TLS: upstream.Mode(d.TLS.Mode),
		ServerName: d.TLS.ServerName, Database: d.Database}
	if c.Database == "" {
		c.Database = d.Name
	}
	if i := strings.LastIndexByte(d.Address, ':'); strings.HasPrefix(d.Address, "/") && i > 0 {
		c.Network, c.Address = "unix", d.Address[:i]+"/.s.PGSQL."+d.Address[i+1:]
		c.TLS = upstream.Disable
	}
	var err error
	if c.RootCAs, c.Certificate, err = tlsMaterial(ctx, d, resolver); err != nil {
		return c, err
	}
	return c, nil
}

// mysqlUpstream says the same of a MySQL or MariaDB datasource.
func mysqlUpstream(ctx context.Context, d *configs.Datasource, resolver *secrets.Resolver) (myupstream.Config, error) {
	c := myupstream.Config{Network: "tcp", Address: d.Address, ConnectTimeout: d.ConnectTimeout, TLS: myupstream.Mode(d.TLS.Mode),
		ServerName: d.TLS.ServerName, Database: d.Database}
	if strings.HasPrefix(d.Address, "/") {
		c.Network, c.TLS = "unix", myupstream.Disable
	}
	var err error
	if c.RootCAs, c.Certificate, err = tlsMaterial(ctx, d, resolver); err != nil {
		return c, err
	}
	return c, nil
}

// tlsMaterial is what weir wants to see of a datasource, and what it shows.
func tlsMaterial(ctx context.Context, d *configs.Datasource, resolver *secrets.Resolver) (roots *x509.CertPool, own func() (*tls.Certificate, error), err error) {
	if d.TLS.CA != "" {
		if roots, err = upstream.LoadCA(d.TLS.CA); err != nil {
			return nil, nil, err
		}
	}
	if d.TLS.Certificate != "" {
		certificate, err := loadCertificate(ctx, d.TLS.Certificate, d.TLS.Key, resolver)
		if err != nil {
			return nil, nil, err
		}
		own = func() (*tls.Certificate, error) { return &certificate, nil }
	}
	return roots, own, nil
}
