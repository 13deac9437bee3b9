package main

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/protocol/pgwire/upstream"
)

// connectCatalog opens weir's own connection to a datasource, with the same
// address, TLS and login as the sessions'.
func connectCatalog(ctx context.Context, l *login) (conn *pgx.Conn, err error) {
	up, err := upstreamConfig(ctx, l.datasource, l.resolver)
	if err != nil {
		return nil, err
	}
	err = l.use(ctx, func(ctx context.Context, user, password string) error {
		up.User, up.Password = user, password
		var err error
		conn, err = connectPgx(ctx, up)
		return err
	})
	return conn, err
}

func connectPgx(ctx context.Context, up upstream.Config) (*pgx.Conn, error) {
	c, err := pgxConfig(up, "weir catalog")
	if err != nil {
		return nil, err
	}
	if up.TLS == upstream.Prefer && c.TLSConfig != nil { // as libpq: try TLS, go on without
		if conn, err := pgx.ConnectConfig(ctx, c); err == nil {
			return conn, nil
		}
		c.TLSConfig = nil
	}
	return pgx.ConnectConfig(ctx, c)
}

// pgxConfig says the same to pgx as up does to weir's own client.
func pgxConfig(up upstream.Config, application string) (*pgx.ConnConfig, error) {
	// The text is only a frame: everything in it is replaced below, so that
	// PG* variables of weir's environment have no say.
	c, err := pgx.ParseConfig("host=localhost user=weir sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.User, c.Password, c.Database, c.ConnectTimeout = up.User, up.Password, up.Database, up.ConnectTimeout
	c.Fallbacks, c.RuntimeParams = nil, map[string]string{"application_name": application}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, up.Network, up.Address)
	}
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	if up.Network == "tcp" {
		if c.Host, _, err = net.SplitHostPort(up.Address); err != nil {
			return nil, err
		}
		c.TLSConfig = up.ClientTLS()
	}
	return c, nil
}
