package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/protocol/mywire"
	myupstream "github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy/mysession"
	"github.com/weirdb/weir/query/mysql"
	"github.com/weirdb/weir/secrets"
)

// login is how weir logs in to a datasource: user and password belong
// together, and are read again when the server refuses them.
type login struct {
	datasource *configs.Datasource
	resolver   *secrets.Resolver
	credential *secrets.Credential
}

// newLogin makes a login whose secrets can be read now.
func newLogin(ctx context.Context, d *configs.Datasource, resolver *secrets.Resolver) (*login, error) {
	user, err := secrets.ParseRef(d.User)
	if err != nil {
		return nil, err
	}
	refs := []secrets.Ref{user}
	if !d.Password.IsZero() {
		refs = append(refs, d.Password)
	}
	if _, err := resolver.ResolveAll(ctx, refs...); err != nil {
		return nil, err
	}
	return &login{datasource: d, resolver: resolver, credential: resolver.Credential(refs...)}, nil
}

// use calls try with user and password, twice at most.
func (l *login) use(ctx context.Context, try func(ctx context.Context, user, password string) error) error {
	return l.credential.Use(ctx, refusedLogin, func(ctx context.Context, values []secrets.Value) error {
		password := ""
		if len(values) > 1 {
			password = values[1].Reveal()
		}
		return try(ctx, values[0].Reveal(), password)
	})
}

// accessDenied are the numbers with which a server of MySQL's protocol refuses
// a user or password: ER_ACCESS_DENIED_ERROR, …_NO_PASSWORD_ERROR.
func accessDenied(number uint16) bool { return number == mywire.ErrAccessDenied || number == 1698 }

// refusedLogin says that a server has refused user or password.
func refusedLogin(err error) bool {
	var (
		postgres *upstream.AuthError
		pgx      *pgconn.PgError
		plugin   *myupstream.AuthError
		server   *mywire.ServerError
	)
	switch {
	case errors.As(err, &postgres):
		return postgres.Received && strings.HasPrefix(postgres.State, "28")
	case errors.As(err, &pgx):
		return strings.HasPrefix(pgx.Code, "28")
	case errors.As(err, &plugin):
		return plugin.Server != nil && accessDenied(plugin.Server.Number)
	case errors.As(err, &server):
		return accessDenied(server.Number)
	}
	return false
}

// dialPostgres connects a session.
func (l *login) dialPostgres(ctx context.Context, c upstream.Config) (conn *upstream.Conn, err error) {
	err = l.use(ctx, func(ctx context.Context, user, password string) error {
		c.User, c.Password = user, password
		var err error
		conn, err = upstream.Dial(ctx, c)
		return err
	})
	var rest *secrets.RestError
	if errors.As(err, &rest) {
		err = &upstream.AuthError{Problem: err}
	}
	return conn, err
}

// dialMySQL connects a session.
func (l *login) dialMySQL(ctx context.Context, c myupstream.Config) (conn *myupstream.Conn, err error) {
	err = l.use(ctx, func(ctx context.Context, user, password string) error {
		c.User, c.Password = user, password
		var err error
		conn, err = myupstream.Dial(ctx, c)
		return err
	})
	var rest *secrets.RestError
	if errors.As(err, &rest) {
		err = &myupstream.AuthError{Method: "authentication", Problem: err}
	}
	return conn, err
}

// connectMySQLCatalog opens weir's own connection to a datasource.
func connectMySQLCatalog(ctx context.Context, l *login) (q mysql.Querier, err error) {
	up, err := mysqlUpstream(ctx, l.datasource, l.resolver)
	if err != nil {
		return nil, err
	}
	err = l.use(ctx, func(ctx context.Context, user, password string) error {
		up.User, up.Password = user, password
		var err error
		q, err = mysession.CatalogConnection(ctx, up)
		return err
	})
	return q, err
}
