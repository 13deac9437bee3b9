package pgsession

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/auth/oauthbearer"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
)

// maxSASL bounds a message of the authentication exchange.
const maxSASL = 2048

// maxPassword bounds a password, which may be a token.
const maxPassword = 16 << 10

// login proves who the client is. An unknown datasource takes the same steps.
func (f *front) login(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, f.limit)
	defer cancel()
	var err error
	f.identity, err = f.prove(ctx)
	var failure *auth.Failure
	var own *ended
	switch {
	case err == nil:
		return f.out.Authentication(pgwire.AuthOK, nil)
	case errors.As(err, &failure):
		f.options.Gate.Rejected(ctx, f.subject(), string(failure.Reason))
		e := endWith(proxy.EndLoginFailed, pgwire.StateInvalidPassword, failure.Public, "")
		e.cause = failure
		return e
	case errors.As(err, &own), isWire(err):
		return err
	}
	e := endWith(proxy.EndInternal, pgwire.StateCannotConnectNow, "users cannot be looked up now", "Try again later.")
	e.cause = err
	return e
}

// prove logs in by a certificate that names the user, and by password
// otherwise: clients show whatever certificate lies in their home folder.
func (f *front) prove(ctx context.Context) (*auth.Identity, error) {
	if f.options.CertificateLogin && f.tls != nil && len(f.tls.VerifiedChains) > 0 {
		identity, err := f.options.Auth.Certificate(ctx, f.tls.VerifiedChains[0], f.user)
		var failure *auth.Failure
		if !errors.As(err, &failure) {
			return identity, err
		}
	}
	if !f.options.Auth.Outside(f.user) {
		return f.scram(ctx)
	}
	if f.tls == nil {
		return nil, endWith(proxy.EndStartupRefused, pgwire.StateInvalidAuthorization,
			"the password of this user is only taken under TLS", "Connect with sslmode=require or stricter.")
	}
	if bearer := f.options.Auth.Bearer(f.user); bearer != nil {
		return f.bearer(ctx, bearer)
	}
	return f.cleartext(ctx)
}

// bearer runs one OAUTHBEARER exchange (RFC 7628; PostgreSQL documentation,
// 53.3.2). A client without a token asks where to get one: that is no failed
// login. Those that do not speak it may prove a session password by SCRAM; libpq
// would prefer the variant that binds to the channel, so that is not offered.
func (f *front) bearer(ctx context.Context, b *auth.Bearer) (*auth.Identity, error) {
	if err := errors.Join(f.out.AuthenticationSASL(oauthbearer.Mechanism, auth.SCRAMSHA256), f.out.Flush()); err != nil {
		return nil, &wireError{err}
	}
	body, err := f.password(oauthbearer.MaxMessage)
	if err != nil {
		return nil, err
	}
	initial, err := pgwire.ParseSASLInitial(body)
	if err != nil {
		return nil, &wireError{err}
	}
	if string(initial.Mechanism) == auth.SCRAMSHA256 {
		return f.options.Throttle.Guard(f.user, f.conn.RemoteAddr(), func() (*auth.Identity, error) { return f.exchange(ctx, &initial, auth.ChannelBinding{}) })
	}
	if string(initial.Mechanism) != oauthbearer.Mechanism {
		return nil, protocolViolation("a mechanism that was not offered")
	}
	token, err := oauthbearer.Parse(initial.Data)
	if err != nil {
		return nil, protocolViolation("%v", err)
	}
	if err := f.in.Discard(); err != nil {
		return nil, &wireError{err}
	}
	if token == "" {
		if err := f.challenge(b); err != nil {
			return nil, err
		}
		return nil, endWith(proxy.EndStartupRefused, pgwire.StateInvalidAuthorization, "no token was given", "Get one from the provider that the answer names.")
	}
	identity, err := f.options.Throttle.Guard(f.user, f.conn.RemoteAddr(), func() (*auth.Identity, error) { return f.options.Auth.Password(ctx, f.user, token) })
	var failure *auth.Failure
	if errors.As(err, &failure) {
		_ = f.challenge(b) // the login has failed, whatever the client makes of it
	}
	return identity, err
}

// challenge says where tokens come from, and waits for the client's end of it.
func (f *front) challenge(b *auth.Bearer) error {
	if err := errors.Join(f.out.Authentication(pgwire.AuthSASLContinue, oauthbearer.Challenge(b.Discovery, b.Scope)), f.out.Flush()); err != nil {
		return &wireError{err}
	}
	body, err := f.password(len(oauthbearer.Kill))
	if err != nil {
		return err
	}
	if string(body) != oauthbearer.Kill {
		return protocolViolation("the exchange has failed; nothing else may be said in it")
	}
	if err := f.in.Discard(); err != nil {
		return &wireError{err}
	}
	return nil
}

// cleartext asks for the password itself.
func (f *front) cleartext(ctx context.Context) (*auth.Identity, error) {
	if err := errors.Join(f.out.Authentication(pgwire.AuthCleartext, nil), f.out.Flush()); err != nil {
		return nil, &wireError{err}
	}
	body, err := f.password(maxPassword)
	if err != nil {
		return nil, err
	}
	text, ok := bytes.CutSuffix(body, []byte{0})
	if !ok || bytes.IndexByte(text, 0) >= 0 {
		return nil, protocolViolation("a password is one text with a zero behind it")
	}
	password := string(text)
	if err := f.in.Discard(); err != nil {
		return nil, &wireError{err}
	}
	return f.options.Throttle.Guard(f.user, f.conn.RemoteAddr(), func() (*auth.Identity, error) {
		return f.options.Auth.Password(ctx, f.user, password)
	})
}

// isWire says that an error comes from the client's connection.
func isWire(err error) bool {
	var wire *wireError
	return errors.As(err, &wire)
}

// wireError marks an error of the client's connection among those of others.
type wireError struct{ error }

func (e *wireError) Unwrap() error { return e.error }

// scram runs one SCRAM exchange (PostgreSQL documentation, 55.3.1).
func (f *front) scram(ctx context.Context) (*auth.Identity, error) {
	if err := errors.Join(f.out.AuthenticationSASL(f.binding.Mechanisms()...), f.out.Flush()); err != nil {
		return nil, &wireError{err}
	}
	body, err := f.password(maxSASL)
	if err != nil {
		return nil, err
	}
	initial, err := pgwire.ParseSASLInitial(body)
	if err != nil {
		return nil, &wireError{err}
	}
	return f.options.Throttle.Guard(f.user, f.conn.RemoteAddr(), func() (*auth.Identity, error) { return f.exchange(ctx, &initial, f.binding) })
}

// exchange goes on after the client's first message.
func (f *front) exchange(ctx context.Context, initial *pgwire.SASLInitial, binding auth.ChannelBinding) (*auth.Identity, error) {
	exchange, err := f.options.Auth.BeginSCRAM(ctx, f.user, string(initial.Mechanism), binding)
	if err != nil {
		return nil, err
	}
	reply, err := exchange.First(ctx, initial.Data)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.in.Discard(), f.out.Authentication(pgwire.AuthSASLContinue, reply), f.out.Flush()); err != nil {
		return nil, &wireError{err}
	}
	body, err := f.password(maxSASL)
	if err != nil {
		return nil, err
	}
	reply, identity, err := exchange.Final(ctx, body)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.in.Discard(), f.out.Authentication(pgwire.AuthSASLFinal, reply)); err != nil {
		return nil, &wireError{err}
	}
	return identity, nil
}

// password reads the body of a message of the authentication exchange, valid
// until the next read.
func (f *front) password(most int) ([]byte, error) {
	h, err := f.in.Peek()
	if err != nil {
		return nil, &wireError{err}
	}
	if h.Type != pgwire.MsgPassword {
		return nil, protocolViolation("expected SASL response, got message type %d", h.Type)
	}
	body, err := f.in.Body(most)
	if err != nil {
		return nil, &wireError{err}
	}
	return body, nil
}

// chooseDatasource finds the datasource by the database name. Only somebody
// who has logged in learns whether it exists.
func (f *front) chooseDatasource(context.Context) error {
	name := f.startup.Database()
	if f.datasource = f.options.Datasource(name); f.datasource == nil {
		return endWith(proxy.EndConnectDenied, pgwire.StateInvalidCatalogName,
			"datasource \""+name+"\" does not exist", "The database name of the connection selects the datasource.")
	}
	return nil
}

// subject is who connects to what, as far as is known.
func (f *front) subject() gate.Subject {
	s := gate.Subject{SessionID: f.conn.ID, Address: f.conn.RemoteAddr(), TLS: f.tls != nil}
	s.Application, _ = f.startup.Get("application_name")
	if f.identity != nil {
		s.Identity = *f.identity
	} else {
		s.Identity.Name = f.user
	}
	if f.datasource != nil {
		s.Target = f.datasource.Target
	} else {
		s.Target.Datasource, s.Target.Engine = f.startup.Database(), "postgresql"
	}
	return s
}

// connect asks the gate, connects to the database and makes the session. The
// session's owner runs it or closes it.
func (f *front) connect(ctx context.Context) (*session, error) {
	params, err := f.upstreamParams()
	if err != nil {
		return nil, err
	}
	s := newSession(f)
	subject := f.subject()
	subject.Type = s.maskType
	if s.gate, err = f.options.Gate.Connect(ctx, subject); err != nil {
		return nil, denied(err)
	}
	// From here on the gate wants to hear of the end.
	if err := s.dial(ctx, params); err != nil {
		s.gate.Close(err.reason.String())
		return nil, err
	}
	login := proxy.Login{ID: f.conn.ID, UserID: f.identity.ID, User: f.identity.Name,
		Datasource: f.datasource.Target.Datasource, Client: addrPort(f.conn.RemoteAddr()), TLS: f.tls != nil, Since: time.Now(), Version: f.identity.Version}
	if err := f.conn.Server.Register(login, s); err != nil {
		_ = s.up.Close()
		s.gate.Close(proxy.EndLimitUser.String())
		e := endWith(proxy.EndLimitUser, pgwire.StateTooManyConnections, err.Error(), "Close other connections first.")
		return nil, e
	}
	// Whoever was disabled since the proof was not in the registry to be ended.
	if f.options.Recheck != nil {
		if err := f.options.Recheck(ctx, f.identity); err != nil {
			s.End(proxy.EndUserDisabled)
		}
	}
	return s, nil
}

// denied is the end of a connection that the gate refuses.
func denied(err error) *ended {
	var d *gate.Denial
	if !errors.As(err, &d) {
		return end(proxy.EndInternal, err)
	}
	return &ended{reason: proxy.EndConnectDenied, cause: err, notice: &pgwire.Notice{
		Severity: pgwire.SeverityFatal, Code: d.SQLState, Message: d.Message, Detail: d.Detail, Hint: d.Hint}}
}

// readOnlyOption goes behind the client's own options, where the last one wins.
const readOnlyOption = "-c default_transaction_read_only=on"

// settingName spells a startup parameter, or those within options, as settings are.
func settingName(s string) string {
	return strings.NewReplacer("-", "_", "\\", "").Replace(strings.ToLower(s))
}

// revealing says that a setting sends plans with their costs, or sizes, to the
// client. SET of it is judged as a statement.
func revealing(s string) bool {
	return strings.Contains(s, "debug_print_") || strings.Contains(s, "trace_sort")
}

func refusedParameter(name string) *ended {
	return endWith(proxy.EndStartupRefused, pgwire.StateInsufficientPrivilege,
		"parameter \""+name+"\" cannot set what shows plans", "Leave debug_print_… and trace_sort out.")
}

// upstreamParams are the client's startup parameters that go on to the server.
func (f *front) upstreamParams() ([]pgwire.Param, error) {
	readOnly := f.datasource.Target.ReadOnly
	var params []pgwire.Param
	options := ""
	for _, p := range f.startup.Params {
		name := settingName(p.Name)
		switch name {
		case "user", "database", "replication":
			continue
		case "options":
			options = p.Value
			continue
		}
		if revealing(name) {
			return nil, refusedParameter(p.Name)
		}
		if readOnly && strings.Contains(name, "transaction_read_only") {
			return nil, endWith(proxy.EndStartupRefused, pgwire.StateInsufficientPrivilege,
				"parameter \""+p.Name+"\" cannot be set: the datasource is read-only", "Leave it out.")
		}
		params = append(params, p)
	}
	if revealing(settingName(options)) {
		return nil, refusedParameter("options")
	}
	if readOnly {
		if strings.Contains(settingName(options), "transaction_read_only") {
			return nil, endWith(proxy.EndStartupRefused, pgwire.StateInsufficientPrivilege,
				"options cannot set whether transactions are read-only: the datasource is read-only", "Leave it out.")
		}
		options = strings.TrimLeft(options+" "+readOnlyOption, " ")
	}
	if options != "" {
		params = append(params, pgwire.Param{Name: "options", Value: options})
	}
	return params, nil
}

// dial connects to the database. What the client hears of a failure names no
// address.
func (s *session) dial(ctx context.Context, params []pgwire.Param) *ended {
	cfg := s.datasource.Upstream
	cfg.Params = params
	cfg.Reader = pgwire.ReaderOptions{Buffers: s.options.Buffers, Stall: s.options.Stall}
	cfg.Writer = pgwire.WriterOptions{Buffers: s.options.Buffers}
	ctx, cancel := context.WithDeadline(ctx, s.startupLimit)
	defer cancel()
	dial := s.datasource.Dial
	if dial == nil {
		dial = upstream.Dial
	}
	up, err := dial(ctx, cfg)
	if err == nil {
		s.up = up
		return nil
	}
	var server *upstream.ServerError
	var login *upstream.AuthError
	switch {
	case errors.As(err, &server):
		e := end(proxy.EndUpstreamRefused, err)
		if clientsFault(server.Notice.Code) {
			e.notice.Code, e.notice.Message, e.notice.Hint = server.Notice.Code, server.Notice.Message, server.Notice.Hint
		}
		return e
	case errors.As(err, &login):
		return end(proxy.EndUpstreamRefused, err)
	}
	return end(proxy.EndUpstreamUnreachable, err)
}

// clientsFault says that the server refused a startup parameter that is the
// client's own, such as an unknown setting; those texts name no secret.
func clientsFault(state string) bool {
	return state == pgwire.StateInvalidParameterValue || state == "42704" || state == "55P02" || state == "42601"
}

// welcome tells the client that the session is ready.
func (s *session) welcome() error {
	for name, value := range s.up.Params {
		if err := s.out.ParameterStatus(name, value); err != nil {
			return err
		}
	}
	for i := range s.up.Notices {
		if err := s.out.Notice(&s.up.Notices[i]); err != nil {
			return err
		}
	}
	if err := s.out.BackendKeyData(s.key.PID, s.key.Secret); err != nil {
		return err
	}
	if err := s.out.ReadyForQuery(pgwire.TxIdle); err != nil {
		return err
	}
	return s.out.Flush()
}

func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String()) // zero for other networks
	return ap
}
