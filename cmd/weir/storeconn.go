package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/store"
)

// storeConnector connects to the server that keeps the store, with secrets that
// are read again when it refuses them.
type storeConnector struct{ login *login }

func newStoreConnector(ctx context.Context, s *configs.Store, resolver *secrets.Resolver) (driver.Connector, error) {
	l, err := newLogin(ctx, &configs.Datasource{Name: "store", Engine: enginePostgres, Address: s.Address, Database: s.Database, User: s.User,
		Password: s.Password, TLS: s.TLS, ConnectTimeout: s.ConnectTimeout}, resolver)
	if err != nil {
		return nil, err
	}
	return &storeConnector{login: l}, nil
}

// Connect implements driver.Connector.
func (c *storeConnector) Connect(ctx context.Context) (conn driver.Conn, err error) {
	up, err := upstreamConfig(ctx, c.login.datasource, c.login.resolver)
	if err != nil {
		return nil, err
	}
	err = c.login.use(ctx, func(ctx context.Context, user, password string) error {
		up.User, up.Password = user, password
		config, err := pgxConfig(up, "weir store")
		if err != nil {
			return err
		}
		conn, err = stdlib.GetConnector(*config).Connect(ctx)
		return err
	})
	return conn, err
}

// Driver implements driver.Connector.
func (c *storeConnector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

// storeMetric says for how long the store has not answered.
func storeMetric(s *store.Store) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weir_store_unavailable_seconds",
		Help: "Time for which the store's server has not answered; 0 while it does."}, func() float64 {
		var down *store.Unavailable
		if errors.As(s.Health(), &down) {
			return time.Since(down.Since).Seconds()
		}
		return 0
	})
}
